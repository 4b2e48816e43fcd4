"""The HTTP ingress: it routes a request to the baseline or to the intercepting process."""
