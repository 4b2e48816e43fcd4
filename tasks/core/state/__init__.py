"""The state folder of this workstation: journal, timings, cached status."""
