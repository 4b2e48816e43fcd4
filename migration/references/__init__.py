"""References in core to paths that the migration deletes."""
