"""The stand-in of telepresence."""
