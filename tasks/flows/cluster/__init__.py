"""The shared cluster: its requirements, its power, and the hours in which it runs."""
