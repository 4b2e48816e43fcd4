"""A Tiltfile evaluated without Tilt: the built-ins have Tilt's own parameters, and what Tilt refuses is refused."""

from starlark_harness.evaluate import Result, TiltfileError, evaluate
from starlark_harness.model import Image, Manifest

__all__ = ["Image", "Manifest", "Result", "TiltfileError", "evaluate"]
