"""Changes and the steps that yield them."""
