"""A Tiltfile evaluated without Tilt: the built-ins have Tilt's own parameters, and what Tilt refuses is refused."""

from tasks.sandbox.starlark.evaluate import Result, TiltfileError, evaluate
from tasks.sandbox.starlark.model import Image, Manifest

__all__ = ["Image", "Manifest", "Result", "TiltfileError", "evaluate"]
