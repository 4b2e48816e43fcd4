"""The command line: flags, names, the words after `--`."""
