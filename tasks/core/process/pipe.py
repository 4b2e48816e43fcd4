"""Children whose bytes matter: git's objects, read and written in bulk.

`tool` decodes what a program prints and waits for its end; here it stays bytes, several children run at once, and a
child can be asked and answer many times.
"""

from __future__ import annotations

import contextlib
import re
import shlex
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from tasks.core.errors import TimedOut, ToolError
from tasks.core.process.child import DEVNULL, PIPE, start
from tasks.core.process.output import clean, decoded
from tasks.core.process.processes import deliver

_MOST_ERROR_LINES = 200
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
        self._errors: list[bytes] = []
        self._error_reader = threading.Thread(target=self._read_errors, daemon=True)
        self._error_reader.start()
        self._gathered: list[bytes] = []
        self._gatherer: threading.Thread | None = None

    def gather(self) -> Piped:
        """Read stdout in the background until `result` is called: a full pipe would stop the child meanwhile."""
        self._gatherer = threading.Thread(target=lambda: self._gathered.append(self.stdout.read()), daemon=True)
        self._gatherer.start()
        return self

    @property
    def stdin(self) -> IO[bytes]:
        """Where to write to the child, when it was started with `stdin`."""
        assert self._child.stdin is not None
        return self._child.stdin

    @property
    def stdout(self) -> IO[bytes]:
        """What the child prints."""
        assert self._child.stdout is not None
        return self._child.stdout

    def result(self, *, ok: tuple[int, ...] = (0,), timeout: float = 300.0) -> bytes:
        """Read to the end and return all of stdout.

        Raises ToolError with its line of stderr for an exit code that is not in `ok`, TimedOut after `timeout` seconds.
        """
        with self._ended_after(timeout) as late:
            self._close_stdin()
            out = self._rest()
            code = self._child.wait()
        self._error_reader.join(_MOMENT)
        if late.is_set() and code < 0:
            raise TimedOut(f"{self.said}: no answer in {timeout:g} s", tool=self._program)
        if code not in ok:
            raise self.failed()
        return out

    def failed(self) -> ToolError:
        """The error for a child that ended badly, with the line that says why."""
        from tasks.core.signatures import explain

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

    @contextlib.contextmanager
    def _ended_after(self, seconds: float) -> Iterator[threading.Event]:
        """End the child when the block takes longer, which sets the event, or when it fails."""
        late = threading.Event()

        def expire() -> None:
            late.set()
            self.end()

        timer = threading.Timer(seconds, expire)
        timer.daemon = True
        timer.start()
        try:
            yield late
        except BaseException:
            self.end()
            raise
        finally:
            timer.cancel()

    def _close_stdin(self) -> None:
        if self._child.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # the child has ended; its exit code says why
                self._child.stdin.close()

    def _rest(self) -> bytes:
        """What is left of stdout, up to its end."""
        if self._gatherer is None:
            return self.stdout.read()
        self._gatherer.join()
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
        for stream in (self._child.stdin, self._child.stdout, self._child.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
