"""The stand-in of az."""
