"""The demos of `inv demo`, and the run of the documentation's commands."""
