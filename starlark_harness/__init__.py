"""Evaluate a Tiltfile without Tilt. The built-ins have Tilt's parameters and reject the same arguments."""

from starlark_harness.evaluate import Result, TiltfileError, evaluate
from starlark_harness.model import Image, Manifest

__all__ = ["Image", "Manifest", "Result", "TiltfileError", "evaluate"]
