"""What the suite does, by subject."""
