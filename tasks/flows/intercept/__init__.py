"""Intercept a service: pre-flight, intercept, run, proof, leave."""
