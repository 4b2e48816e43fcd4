"""Named faults, and how each is applied to a running world."""
