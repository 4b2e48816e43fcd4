"""Decide which files of core may be deleted, and report what prevents the deletion of the others."""
