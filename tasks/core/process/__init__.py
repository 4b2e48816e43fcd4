"""Child processes: `child` starts each of them, `tool`, `pipe` and `foreground` are the ways to use one."""
