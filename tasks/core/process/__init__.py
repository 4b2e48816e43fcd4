"""Child processes: captured, piped or in the foreground, and the processes of this machine."""
