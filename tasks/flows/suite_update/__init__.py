"""Brings this suite into a repository with an older one. Started there by `inv suite.update`; it is not carried."""
