"""Children whose bytes matter: git's objects, read and written in bulk.

`tool` decodes what a program prints and waits for its end; here it stays bytes, several children run at once, and a
child can be asked and answer many times.
"""

from __future__ import annotations

import contextlib
import io
import re
import select
import shlex
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from migration.git.streams import QUIET, ReadEnd, Sender, Watch, WriteEnd
from tasks.core.errors import TimedOut, ToolError
from tasks.core.process.child import DEVNULL, PIPE, TimeoutExpired, start
from tasks.core.process.output import clean, decoded
from tasks.core.process.processes import deliver

_MOST_ERROR_LINES = 200
_BUFFER = 1 << 16
_MOMENT = 5.0  # seconds for a thread to read what is left of an ended child
_FIXES = (  # what git prints when the file system refuses, and what helps
    (re.compile(r"No space left|[Oo]ut of disk ?space|quota exceeded"), "free some space: df -h {cwd}"),
    (re.compile(r"Permission denied|Read-only file system"), "look at the owner and the mount: ls -ld {cwd}"),
    (
        re.compile(r"(?:couldn't|could not|unable to) (?:write|create)"),
        "see if there is space: df -h {cwd}; ls -ld {cwd}",
    ),
)


class Piped:
    """A running child. Use it as a context: at its end the child is ended with its whole group.

    said: what an error calls it, such as `git cat-file`; never the whole command line
    stdin: the child reads what is written to `stdin`
    """

    def __init__(
        self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], said: str, stdin: bool = False
    ) -> None:
        self.said, self._cwd = said, cwd
        self._child = start(argv, cwd=cwd, env=env, stdin=PIPE if stdin else DEVNULL)
        self._watch = Watch(said, self.end)
        assert self._child.stdout is not None
        self.stdout: IO[bytes] = io.BufferedReader(ReadEnd(self._child.stdout, self._watch), _BUFFER)
        self._stdin = (
            io.BufferedWriter(WriteEnd(self._child.stdin, self._watch), _BUFFER) if self._child.stdin else None
        )
        self._sender: Sender | None = None
        self._errors: list[bytes] = []
        self._error_reader = threading.Thread(target=self._read_errors, daemon=True)
        self._error_reader.start()
        self._gathered: list[bytes] = []
        self._gatherer: threading.Thread | None = None

    def gather(self) -> Piped:
        """Read stdout in the background until `result` is called: a full pipe would stop the child meanwhile."""
        self._gatherer = threading.Thread(target=self._gather, daemon=True)
        self._gatherer.start()
        return self

    def _gather(self) -> None:
        with contextlib.suppress(TimedOut):  # `result` raises it
            self._gathered.append(self.stdout.read())

    @property
    def stdin(self) -> IO[bytes]:
        """Where to write to the child, when it was started with `stdin`."""
        assert self._stdin is not None
        return self._stdin

    def send(self, data: bytes, *, close: bool = False) -> None:
        """Write to the child, in the background when a pipe may not take all of it. close: nothing follows"""
        self._sent()
        if len(data) <= select.PIPE_BUF and not close:
            self.stdin.write(data)
            self.stdin.flush()
        else:
            self._sender = Sender(self.stdin, data, close=close)

    def _sent(self) -> None:
        """Wait until what was sent has been read. Raises the child's error when it ended before."""
        if self._sender is not None:
            self._sender.join()
            if self._watch.late:
                raise self._watch.late
            if self._sender.broken:
                raise self.failed()

    def result(self, *, ok: tuple[int, ...] = (0,), timeout: float = QUIET) -> bytes:
        """Read to the end and return all of stdout.

        Raises ToolError with its line of stderr for an exit code that is not in `ok`, TimedOut when no byte moves for
        `timeout` seconds.
        """
        self._watch.limit(timeout)
        if self._sender is None:
            self._close_stdin()
        out = self._rest()
        code = self._ended()
        self._error_reader.join(_MOMENT)
        if self._watch.late:
            raise self._watch.late
        if code not in ok:
            raise self.failed()
        self._sent()
        return out

    def _ended(self) -> int:
        """Wait for the end of a child that has closed its stdout. Its deadline kills it."""
        since = time.monotonic()
        with contextlib.suppress(TimedOut):  # `result` raises it
            while self._child.poll() is None:
                with contextlib.suppress(TimeoutExpired):
                    self._child.wait(self._watch.left(since))
        return self._child.wait()

    def failed(self) -> ToolError:
        """The error for a child that ended badly, with the line that says why."""
        from tasks.core.signatures import explain

        try:
            code = self._child.wait(_MOMENT)
        except TimeoutExpired:  # it has closed its pipe, and goes on
            self.end()
            code = self._child.wait()
        self._error_reader.join(_MOMENT)
        stderr = clean(decoded(b"".join(self._errors)))
        lines = [line.strip() for line in stderr.splitlines() if line.strip()]
        fatal = [line for line in lines if line.startswith(("fatal:", "error:"))]
        ended = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
        reason = (fatal[:1] or lines[-1:] or [ended])[0]
        why, known = explain(self._program, stderr)
        fix = next(
            (fix.format(cwd=shlex.quote(str(self._cwd))) for pattern, fix in _FIXES if pattern.search(stderr)), known
        )
        return ToolError(f"{self.said}: {reason}", why=why, fix=fix, tool=self._program, exit=code, stderr=stderr)

    def end(self) -> None:
        """Kill the child and its group; harmless when it has ended."""
        deliver(self._child.pid, signal.SIGKILL)

    @property
    def _program(self) -> str:
        return self.said.split()[0]

    def _close_stdin(self) -> None:
        if self._stdin is not None:
            with contextlib.suppress(BrokenPipeError, TimedOut):  # it has ended; `result` raises why
                self._stdin.close()

    def _rest(self) -> bytes:
        """What is left of stdout, up to its end; nothing of a child that was late."""
        since = time.monotonic()
        with contextlib.suppress(TimedOut):  # `result` raises it
            if self._gatherer is None:
                return self.stdout.read()
            while self._gatherer.is_alive():
                self._gatherer.join(self._watch.left(since))
        return self._gathered.pop() if self._gathered else b""

    def _read_errors(self) -> None:
        assert self._child.stderr is not None
        for line in self._child.stderr:
            self._errors.append(line)
            del self._errors[:-_MOST_ERROR_LINES]

    def __enter__(self) -> Piped:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child.poll() is None:
            self.end()
        self._child.wait()
        self._error_reader.join(_MOMENT)
        if self._gatherer is not None:
            self._gatherer.join(_MOMENT)
        if self._sender is not None:
            self._sender.join(_MOMENT)
        self._close_stdin()
        self.stdout.close()
        if self._child.stderr is not None:
            self._child.stderr.close()
