"""YAML: read strictly, kept as nodes, or edited in place."""
