"""Settings and the service catalogue: typed, frozen, read once per command."""
