"""The stand-in of pnpm."""
