"""The faults that can be switched on in a sandbox."""
