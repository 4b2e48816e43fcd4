"""One entry of the table in `signatures`: how a failure is recognised, its cause and its fix."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Signature:
    """A failure that is recognised by its text."""

    pattern: str
    """Searched in stderr and stdout. Its named groups may be used, in braces, in `why` and `fix`."""

    why: str
    fix: str
    tools: tuple[str, ...] = ()
    """The programs that print it; empty for any."""

    see: tuple[str, str] = ("", "")
    """A command that tells more, and what it tells. It follows the fix, except in what that command prints."""

    general: bool = False
    """It also matches what special ones match, so it is tried after all of them."""
