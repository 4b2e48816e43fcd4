"""Trials of the migration on public repositories: scan, init, plan, apply, undo on each, with what is checked.

`python -m tests.migration.trials FOLDER` runs them on clones of the mirrors in FOLDER (owner+name/repo) and writes
docs/migration-trials.md. It needs the mirrors, so no test of this repository runs it.
"""
