"""A simulated cloud environment: stand-ins for the programs, one state server for each sandbox, an HTTP ingress."""
