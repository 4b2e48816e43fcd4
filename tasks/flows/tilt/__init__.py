"""Tilt's life: what must be right before it starts, its releases, what it leaves behind."""
