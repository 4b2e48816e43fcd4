"""Children whose bytes matter: git's objects, read and written in bulk. No shell, a deadline, an own process group.

`core/tool.py` decodes what a program says; here it stays bytes, several children can run at once, and a child can
be talked with. plumbum is not needed for that, which saves its import where milliseconds count.
"""

from __future__ import annotations

import re
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from tasks.core.errors import Absent, TimedOut, ToolError
from tasks.core.process.processes import deliver

_FIXES = (  # what a child says when the file system fails it, and what a person does then
    (re.compile(r"No space left|[Oo]ut of disk ?space|quota exceeded"), "free some space: df -h {cwd}"),
    (re.compile(r"Permission denied|Read-only file system"), "look at the owner and the mount: ls -ld {cwd}"),
    (
        re.compile(r"(?:couldn't|could not|unable to) (?:write|create)"),
        "see if there is space: df -h {cwd}; ls -ld {cwd}",
    ),
)


class Piped:
    """A running child. Use as a context: it is ended, with its whole group, when the block is left.

    said: what an error calls it, such as `git cat-file`; never the whole argv
    """

    def __init__(
        self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], said: str, stdin: bool = False
    ) -> None:
        self.said, self._cwd = said, cwd
        self._errors: list[bytes] = []
        try:
            self._process = subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=cwd,
                env=dict(env),
                start_new_session=True,
            )
        except FileNotFoundError:
            raise Absent(f"{argv[0]} is not installed", tool=argv[0], fix=f"install {argv[0]}") from None
        except OSError as why:
            raise ToolError(f"{said} could not be started: {why.strerror}", tool=argv[0]) from None
        self._reader = threading.Thread(target=self._read_errors, daemon=True)
        self._reader.start()
        self._gathered: list[bytes] = []
        self._gathering: threading.Thread | None = None

    def gather(self) -> Piped:
        """Read its stdout in the background until `result` wants it: a full pipe would hold the child meanwhile."""
        self._gathering = threading.Thread(target=lambda: self._gathered.append(self.stdout.read()), daemon=True)
        self._gathering.start()
        return self

    @property
    def stdin(self) -> IO[bytes]:
        """Where to write to the child; only when it was started with `stdin`."""
        assert self._process.stdin is not None
        return self._process.stdin

    @property
    def stdout(self) -> IO[bytes]:
        """What the child writes."""
        assert self._process.stdout is not None
        return self._process.stdout

    def result(self, *, ok: tuple[int, ...] = (0,), timeout: float = 300.0) -> bytes:
        """Read to the end and return all of stdout. Raises ToolError with the last line of stderr, TimedOut."""
        timer = threading.Timer(timeout, self.end)
        timer.daemon = True
        timer.start()
        try:
            if self._process.stdin is not None and not self._process.stdin.closed:
                try:
                    self._process.stdin.close()
                except BrokenPipeError:
                    pass  # it has ended; its exit code tells why
            if self._gathering is not None:
                self._gathering.join()
                out = self._gathered.pop() if self._gathered else b""
            else:
                out = self.stdout.read()
            code = self._process.wait()
        except BaseException:
            self.end()
            raise
        finally:
            late = not timer.is_alive()
            timer.cancel()
        self._reader.join(5.0)
        if late and code < 0:
            raise TimedOut(f"{self.said}: no answer in {timeout:g} s", tool=self.said.split()[0])
        if code not in ok:
            raise self.failed()
        return out

    def failed(self) -> ToolError:
        """The error for a child that ended badly, with what it said."""
        from tasks.core.process.tool import clean

        code = self._process.wait()
        self._reader.join(5.0)
        text = clean(b"".join(self._errors).decode("utf-8", "replace"))
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        first = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[-1] if lines else "")
        how = first or (f"killed by signal {-code}" if code < 0 else f"exit code {code}")
        fix = next((f.format(cwd=self._cwd) for sign, f in _FIXES if sign.search(text)), "")
        return ToolError(f"{self.said}: {how}", fix=fix, tool=self.said.split()[0], exit=code, stderr=text)

    def end(self) -> None:
        """End the child and its group at once; harmless when it has ended."""
        deliver(self._process.pid, signal.SIGKILL)

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._errors.append(line)
            del self._errors[:-200]

    def __enter__(self) -> Piped:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self.end()
        self._process.wait()
        self._reader.join(5.0)
        if self._gathering is not None:
            self._gathering.join(5.0)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            try:
                if stream is not None:
                    stream.close()
            except BrokenPipeError:
                pass
