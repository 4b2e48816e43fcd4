"""The shared cluster: what it has, whether it is switched on, and when it should be."""
