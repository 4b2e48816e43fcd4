"""What the stand-ins of Go programs share: flags, formats, templates."""
