"""The HTTP ingress: routes a request to the baseline or to the intercepting process."""
