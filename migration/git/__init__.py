"""git for the migration: objects in bulk, locks, atomic writes."""
