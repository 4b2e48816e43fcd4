"""What a program printed: without secrets, and the line of it that says something."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from tasks.core import ui
from tasks.core.process.child import Child, TimeoutExpired

MOST = 64 * 1024 * 1024  # bytes of one call; a namespace with a thousand pods has 10 MB
_LONGEST_LINE, _MOST_LINES = 64 * 1024, 1000  # of a stderr that is shown as it comes
_SLICE = 0.1  # seconds
_LONGEST = 300  # characters of a quoted line
_NOISE = re.compile(
    r"^[EWI]\d{4} |^\s*$|^WARNING: |^Flag --\S+ has been deprecated|^Command \"\S+\" is deprecated"
    # Advice after the error: kubectl about a missing plugin, Helm about a missing kind, cobra and pnpm about their help.
    r"|^ensure CRDs are installed first|^It looks like you are trying to use a client-go|^To learn more"
    r"|^\s*https?://\S+$|^(?:See|Run) '[^']+' for |^For help, run"
)
_SECRET = re.compile(
    r"(?i)\b(?:"
    r"(password|secret|authorization)(\"?\s*[:=]\s*\"?)(?:bearer\s+)?"
    # kubelogin prints `failed to get token: AzureCLICredential: ...`: a plain word after `token:` is not a secret.
    r"|((?:access|refresh|id)?_?token)(\"?\s*[:=]\s*\"?)(?![a-z]+:?(?:\s|$))"
    r")[^\s\"',]{6,}"
)
_IN_URL = re.compile(r"(?<=://)(?:[^/\s@:]*:[^/\s@]+|[^/\s@:]{20,})(?=@)")  # git quotes a remote with its password
_JWT = re.compile(r"\beyJ[\w-]{10,}\.[\w-]+\.[\w-]*")


def last_line(text: str) -> str:
    """Return the last line that is not known noise, without secrets and cut to 300 characters."""
    lines = [line.strip() for line in text.splitlines() if not _NOISE.match(line)]
    return clean(lines[-1])[:_LONGEST] if lines else ""


def clean(text: str) -> str:
    """Return the text without tokens and passwords, registered ones and those recognised by their shape."""
    return ui.masked(_JWT.sub("***", _IN_URL.sub("***", _SECRET.sub(r"\1\2\3\4***", text))))


def decoded(data: bytes | None) -> str:
    """Return the bytes as text, invalid ones as U+FFFD."""
    return (data or b"").decode("utf-8", "replace")


class TooMuch(Exception):
    """A child prints more than any answer that the suite asks for."""


def communicate(child: Child, stdin: bytes | None, limit: float) -> tuple[bytes, bytes]:
    """Write stdin and read both streams to their end. Raises TimeoutExpired after `limit` seconds, and TooMuch.

    Popen keeps what it has read when its own timeout ends: so a call is a row of short ones, and the size is seen
    between them. Only its first one writes stdin (Python 3.11), so a thread does.
    """
    end = time.monotonic() + limit
    if stdin is not None:
        _write(child, stdin)
    while True:
        try:
            return child.communicate(timeout=max(0.0, min(_SLICE, end - time.monotonic())))
        except TimeoutExpired as why:
            if len(why.output or b"") + len(why.stderr or b"") > MOST:
                raise TooMuch(MOST // 1024 // 1024) from None
            if time.monotonic() >= end:
                raise


def _write(child: Child, data: bytes) -> None:
    """Write the child's stdin in the background, and close it. A child that ends without reading it is fine."""
    pipe, child.stdin = child.stdin, None

    def write() -> None:
        with suppress(OSError):
            if pipe is not None:
                with pipe:
                    pipe.write(data)

    threading.Thread(target=write, daemon=True).start()


class Lines:
    """A pipe for a child's stderr whose lines are shown as they come. The child writes to `writing`."""

    def __init__(self, echo: Callable[[str], None]) -> None:
        self._reading, self.writing = os.pipe()
        self._kept: list[bytes] = []
        self._thread = threading.Thread(target=self._read, args=(echo,), daemon=True)
        self._thread.start()

    def _read(self, echo: Callable[[str], None]) -> None:
        with os.fdopen(self._reading, "rb") as stream:
            for line in iter(lambda: stream.readline(_LONGEST_LINE), b""):
                self._kept.append(line)
                del self._kept[:-_MOST_LINES]
                echo(clean(decoded(line).rstrip()))

    def started(self) -> None:
        """Close our copy of the writing end, once the child has its own or could not be started: reading then ends."""
        os.close(self.writing)

    def all(self) -> bytes:
        """Return all of it. Wait one second at most for a grandchild that keeps the pipe open."""
        self._thread.join(1.0)
        return b"".join(self._kept)
