"""Edits of a team's own files. Everything outside the edit keeps every byte."""
