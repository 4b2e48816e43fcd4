"""The state of the outside world: clusters, users, workloads."""
