"""The dev container: this machine, and the files that a container would be made from."""
