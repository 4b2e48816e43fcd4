"""The stand-in of docker."""
