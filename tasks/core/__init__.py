"""What knows no product: errors, settings, child processes, changes, steps, state, output."""
