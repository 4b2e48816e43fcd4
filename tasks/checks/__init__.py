"""Questions about the workstation, the cluster and workloads. Checks look and change nothing."""
