"""The stand-in of tilt."""
