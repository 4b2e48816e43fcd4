"""The connection to a client as a handler uses it: print, read stdin, check that the client still runs."""

from __future__ import annotations

import marshal
import os
import select
import socket
import time
from typing import Any

from sandbox.protocol.call import CallerGone


class NotStarted(Exception):
    """A program that the kernel does not start. reason: as Go words it."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path, self.reason = path, reason


class Line:
    """The connection to a client process. server/client.py describes the messages."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    def send(self, *message: Any) -> None:
        """Send one message to the client. Raises CallerGone."""
        data = marshal.dumps(message)
        try:
            self.connection.sendall(len(data).to_bytes(4, "big") + data)
        except OSError:
            raise CallerGone from None

    def receive(self) -> Any:
        """Receive the client's next message. Raises CallerGone."""
        head = self._exactly(4)
        return marshal.loads(self._exactly(int.from_bytes(head, "big")))

    def check(self, seconds: float) -> None:
        """Wait this long. Raises CallerGone as soon as the client has ended."""
        ready, _, _ = select.select([self.connection], [], [], seconds)
        if not ready:
            return
        try:
            gone = not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            gone = True
        if gone:
            raise CallerGone
        time.sleep(min(seconds, 0.02))  # data that the handler has not asked for yet

    def emit(self, text: str, error: bool = False) -> None:
        """Print on the client's stdout or stderr."""
        self.send("err" if error else "out", text.encode("utf-8", "surrogateescape"))

    def stdin(self) -> bytes:
        """All of the client's stdin."""
        self.send("stdin")
        answer = self.receive()
        return bytes(answer[1])

    def plugin(
        self, path: str, argv: tuple[str, ...], env: dict[str, str], timeout: float | None = None
    ) -> tuple[int, bytes]:
        """Let the client run a credential plug-in as its child, without a limit, as kubectl does. Returns exit code and stdout.

        stderr is the client's own. Raises NotStarted.
        """
        self.send(*plugin_request(path, argv, env))
        return plugin_reply(path, self.receive())

    def nested(self, timeout: float | None, stdin: bytes = b"") -> Nested:
        """The line of a call that this one makes."""
        return Nested(self, None if timeout is None else time.monotonic() + timeout, stdin)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            try:
                more = self.connection.recv(size - len(data))
            except OSError:
                more = b""
            if not more:
                raise CallerGone
            data += more
        return data


def plugin_request(path: str, argv: tuple[str, ...], env: dict[str, str], stderr: str = "") -> tuple[Any, ...]:
    """The message that lets a process start a plug-in. stderr: a file for its stderr instead of the process's own."""
    encoded = {os.fsencode(name): os.fsencode(value) for name, value in env.items()}
    return ("plugin", os.fsencode(path), [os.fsencode(word) for word in argv], encoded, os.fsencode(stderr))


def plugin_reply(path: str, message: Any) -> tuple[int, bytes]:
    """What the process answers: exit code (negative for a signal) and stdout. Raises NotStarted."""
    what, *rest = message
    if what == "failed":
        raise NotStarted(path, str(rest[0]).lower())
    return int(rest[0]), bytes(rest[1])


class Nested:
    """A call made by another stand-in. Its output is collected, its stdin is given, and it ends with its caller or at its deadline."""

    def __init__(self, outer: Line | Nested, deadline: float | None, given: bytes = b"") -> None:
        self.outer, self.deadline, self._given = outer, deadline, given
        self._out: list[str] = []
        self._err: list[str] = []

    def check(self, seconds: float) -> None:
        """Wait this long. Also raises CallerGone when this call's deadline has passed."""
        if self.deadline is not None:
            left = self.deadline - time.monotonic()
            if left <= seconds:
                self.outer.check(max(0.0, left))
                raise CallerGone
        self.outer.check(seconds)

    def emit(self, text: str, error: bool = False) -> None:
        """Collect output for the caller."""
        (self._err if error else self._out).append(text)

    def stdin(self) -> bytes:
        """What the caller pipes in; usually nothing."""
        return self._given

    def plugin(
        self, path: str, argv: tuple[str, ...], env: dict[str, str], timeout: float | None = None
    ) -> tuple[int, bytes]:
        """Let the calling program's client run the plug-in: a nested call has no process."""
        return self.outer.plugin(path, argv, env, timeout)

    def output(self) -> tuple[str, str]:
        """The collected stdout and stderr."""
        return "".join(self._out), "".join(self._err)

    def nested(self, timeout: float | None, stdin: bytes = b"") -> Nested:
        """The line of a call that this one makes."""
        return Nested(self, None if timeout is None else time.monotonic() + timeout, stdin)
