"""Tilt: check before it starts, stay while it runs, own its releases, end what it leaves behind."""
