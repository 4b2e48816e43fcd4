"""Edits of a Tiltfile with libcst, which parses Starlark as the Python it resembles."""
