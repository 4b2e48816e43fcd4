"""The migration from a local cluster to the shared one: five phases over two repositories, nothing lost."""
