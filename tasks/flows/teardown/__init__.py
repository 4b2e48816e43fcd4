"""`inv down`: undo what this workstation made."""
