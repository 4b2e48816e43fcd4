"""The options of the process that runs a Tiltfile's resources."""

from __future__ import annotations

from dataclasses import dataclass

VERSION_LINE = "v0.37.6, built 2026-07-29"


@dataclass(frozen=True)
class Options:
    """verb: up, ci or down; context: "" for the current one; timeout: of ci, seconds."""

    verb: str
    file: str = "Tiltfile"
    context: str = ""
    namespace: str = ""
    host: str = "localhost"
    port: int = 10350
    args: tuple[str, ...] = ()
    timeout: float = 1800.0
