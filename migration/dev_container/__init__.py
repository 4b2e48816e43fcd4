"""The dev container of core: which file describes it, what it is built from, who its user is, which commands it runs."""
