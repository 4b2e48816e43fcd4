"""One file per program. A read returns data, a write returns a Change."""
