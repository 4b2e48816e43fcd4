"""What `inv demo` shows, and the run of the documentation."""
