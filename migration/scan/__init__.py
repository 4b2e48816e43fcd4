"""Reads a repository and proposes the configuration of its migration."""
