"""The stand-in of helm."""
