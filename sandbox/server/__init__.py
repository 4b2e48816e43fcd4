"""The state server of a sandbox, and the client that runs under each program's name."""
