"""The state of this workstation: facts that are looked up in parallel and kept for `inv status --cached`."""
