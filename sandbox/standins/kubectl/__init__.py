"""The stand-in of kubectl."""
