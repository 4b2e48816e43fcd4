"""A Tiltfile, or a file that it includes, while it is edited. Needs no libcst."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TiltText:
    """path: relative to the repository; is_main: is it the Tiltfile itself? mark: its byte order mark, if it has one."""

    path: str
    text: str
    is_main: bool = False
    mark: str = ""
