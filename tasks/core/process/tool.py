"""The one place that starts a captured child process: no shell, no stdin, a deadline, an own process group."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from tasks.core import ui
from tasks.core.errors import Absent, TimedOut, ToolError
from tasks.core.plan.change import Change
from tasks.core.process.processes import deliver

_running: set[int] = set()  # process groups of captured children, for whoever has to end them all
_unwinding = threading.Event()  # the run was interrupted: its threads start nothing any more
_GRACE = 0.5  # seconds between SIGTERM and SIGKILL at a deadline: az removes its lock files on SIGTERM
_NOISE = re.compile(
    r"^[EWI]\d{4} |^\s*$|^WARNING: |^Flag --\S+ has been deprecated|^Command \"\S+\" is deprecated"
    # advice that follows the error: kubectl about a missing plug-in, Helm about a kind, cobra and pnpm about their help
    r"|^ensure CRDs are installed first|^It looks like you are trying to use a client-go|^To learn more|^\s*https?://\S+$|^(?:See|Run) '[^']+' for |^For help, run"
)
_SECRET = re.compile(
    r"(?i)\b(?:"
    r"(password|secret|authorization)(\"?\s*[:=]\s*\"?)(?:bearer\s+)?"
    # kubelogin says `failed to get token: AzureCLICredential: ...`: a plain word there is a text, not a token
    r"|((?:access|refresh|id)?_?token)(\"?\s*[:=]\s*\"?)(?![a-z]+:?(?:\s|$))"
    r")[^\s\"',]{6,}"
)
_IN_URL = re.compile(r"(?<=://)(?:[^/\s@:]*:[^/\s@]+|[^/\s@:]{20,})(?=@)")  # git names a remote as it is written
_JWT = re.compile(r"\beyJ[\w-]{10,}\.[\w-]+\.[\w-]*")


@dataclass(frozen=True)
class Done:
    """How a child ended. `exit` is negative for a signal. Streams are decoded once, bad bytes as U+FFFD."""

    exit: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def last_line(self) -> str:
        """The last line that says something: of stderr, else of stdout; without known noise and secrets."""
        return last_line(self.stderr) or last_line(self.stdout) or "no message"


@dataclass(frozen=True)
class Tool:
    """A program with what is pinned for every call of it.

    name: bare, looked up on PATH when called
    fix:  what a person does when it is absent
    base: pinned arguments before the others (context, kubeconfig); env: pinned variables; drop: variables taken out
    """

    name: str
    fix: str = ""
    base: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    timeout: float = 60.0

    def call(
        self,
        *args: str,
        timeout: float | None = None,
        stdin: bytes | None = None,
        cwd: str | None = None,
        echo: Callable[[str], None] | None = None,
    ) -> Done:
        """Run to its end and return how it ended, whatever its exit code. Raises ToolError when it did not start or end.

        echo: is told each line of stderr as it comes, for a child that a person has to watch (the code of a login).
        """
        if threading.current_thread() is threading.main_thread():
            _unwinding.clear()  # it has unwound so far that it cleans up
        elif stopping():
            raise ToolError(f"{self._said(args)}: not started, the run was interrupted", tool=self.name)
        limit = self.timeout if timeout is None else timeout
        environment = {k: v for k, v in {**os.environ, **self.env}.items() if k not in self.drop}
        began = time.monotonic()
        lines = Lines(echo) if echo is not None else None
        try:
            process: Any = local_command(self.name).popen(
                [*self.base, *args],
                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                stderr=subprocess.PIPE if lines is None else lines.writing,
                new_session=True,
                cwd=cwd,
                env=environment,
            )
        except FileNotFoundError:
            raise Absent(f"{self.name} is not installed", tool=self.name, fix=self.fix) from None
        except PermissionError:
            raise Absent(f"{self.name} is on PATH but may not be executed", tool=self.name, fix=self.fix) from None
        except OSError as why:
            raise ToolError(f"{self.name} could not be started: {why.strerror}", tool=self.name, fix=self.fix) from None
        finally:
            if lines is not None:
                lines.started()
        _running.add(process.pid)
        try:
            out, err = process.communicate(stdin, timeout=limit)
        except BaseException as why:  # a deadline or Ctrl-C: the whole group goes, whatever it was
            out, err = _end_group(process)
            if isinstance(why, subprocess.TimeoutExpired):
                raise TimedOut(
                    f"{self._said(args)}: no answer in {limit:g} s",
                    tool=self.name,
                    fix=f"see whether `{self._said(args)}` answers by hand: a VPN, a proxy or a lock may hold it up",
                    stdout=clean(_text(out)),
                    stderr=clean(_text(err)),
                ) from None
            raise
        finally:
            _running.discard(process.pid)
        if lines is not None:
            err = lines.all()
        return Done(process.returncode, _text(out), _text(err), time.monotonic() - began)

    def run(
        self,
        *args: str,
        timeout: float | None = None,
        ok: tuple[int, ...] = (0,),
        stdin: bytes | None = None,
        cwd: str | None = None,
    ) -> str:
        """Run and return stdout. Raises ToolError with the tool's last line when the exit code is not in `ok`."""
        done = self.call(*args, timeout=timeout, stdin=stdin, cwd=cwd)
        if done.exit not in ok:
            raise self.failed(args, done)
        return done.stdout

    def json(self, *args: str, timeout: float | None = None, cwd: str | None = None) -> Any:
        """Run and return the JSON of stdout. Warnings on stderr do not count; an empty stdout is None."""
        out = self.run(*args, timeout=timeout, cwd=cwd)
        try:
            return json.loads(out or "null")
        except ValueError:
            raise ToolError(f"{self._said(args)}: the answer is not JSON", tool=self.name, exit=0) from None

    def change(
        self, text: str, *args: str, destroys: str = "", timeout: float = 300, shown: tuple[str, ...] | None = None
    ) -> Change[object]:
        """The write as a value. `shown` replaces the arguments in what people see, where they hold a secret."""
        visible = (self.name, *self.base, *(args if shown is None else shown))
        return Change(text, visible, lambda: self.run(*args, timeout=timeout), destroys)

    def failed(self, args: tuple[str, ...], done: Done) -> ToolError:
        """The error for this end of this call, explained where a signature knows it."""
        from tasks.core.signatures import explain

        why, fix = explain(self.name, f"{done.stderr}\n{done.stdout}")
        how = f"killed by signal {-done.exit}" if done.exit < 0 else done.last_line
        return ToolError(
            f"{self._said(args)}: {how}",
            tool=self.name,
            exit=done.exit,
            stdout=clean(done.stdout),
            stderr=clean(done.stderr),
            why=why,
            fix=fix,
        )

    def _said(self, args: tuple[str, ...]) -> str:
        verbs = takewhile(lambda word: not word.startswith("-"), args[:2])  # never the whole argv: it may hold a secret
        return " ".join((self.name, *verbs))


class Lines:
    """The reading end of a child's stderr, told on line by line from a thread."""

    def __init__(self, echo: Callable[[str], None]) -> None:
        self._reading, self.writing = os.pipe()
        self._kept: list[bytes] = []
        self._thread = threading.Thread(target=self._read, args=(echo,), daemon=True)
        self._thread.start()

    def _read(self, echo: Callable[[str], None]) -> None:
        with os.fdopen(self._reading, "rb") as stream:
            for line in stream:
                self._kept.append(line)
                echo(clean(_text(line).rstrip()))

    def started(self) -> None:
        """The child has its end (or never came to be): close ours, so that reading ends with the child."""
        os.close(self.writing)

    def all(self) -> bytes:
        """What was said. A grandchild that keeps the stream open is waited for one second, not longer."""
        self._thread.join(1.0)
        return b"".join(self._kept)


def stopping() -> bool:
    """Was the run interrupted, and is this one of its threads that shall start nothing more?"""
    return _unwinding.is_set() and threading.current_thread() is not threading.main_thread()


def end_running(*, interrupted: bool = False) -> None:
    """Ask every captured child to end now, from whichever thread it was started; kill what has not after a moment.

    interrupted: the run unwinds: other threads start nothing more until the main one does, to clean up. Asked once
    more meanwhile, it kills at once.
    """
    asked = tuple(_running)
    if interrupted and _unwinding.is_set():
        _tell(asked, signal.SIGKILL)
        return
    if interrupted:
        _unwinding.set()
    _tell(asked, signal.SIGTERM)
    later = threading.Timer(_GRACE, lambda: _tell(tuple(set(asked) & _running), signal.SIGKILL))
    later.daemon = True
    later.start()


@contextmanager
def not_needed_after_a_failure() -> Iterator[None]:
    """What other threads still run is told to end when the block fails: nobody waits for an answer that counts no more."""
    try:
        yield
    except BaseException:
        end_running()
        raise


def _tell(groups: tuple[int, ...], number: signal.Signals) -> None:
    for group in groups:
        deliver(group, number)


def local_command(name: str) -> Any:
    """plumbum's command of this name: no lookup on PATH before it is started, and no environment of its own."""
    from plumbum.machines.local import LocalCommand, local  # 40 ms: not for `inv --list`

    local.env.clear()  # its snapshot of the environment would bring back variables that are dropped here
    return LocalCommand(name)


def last_line(text: str) -> str:
    """The last line that is no known noise, shortened to 300 characters, without secrets."""
    lines = [line.strip() for line in text.splitlines() if not _NOISE.match(line)]
    return clean(lines[-1])[:300] if lines else ""


def clean(text: str) -> str:
    """The text without tokens and passwords, known or recognised by their shape."""
    return ui.masked(_JWT.sub("***", _IN_URL.sub("***", _SECRET.sub(r"\1\2\3\4***", text))))


def _text(data: bytes | None) -> str:
    return (data or b"").decode("utf-8", "replace")


def _end_group(process: Any) -> tuple[bytes, bytes]:
    for number, wait in ((signal.SIGTERM, _GRACE), (signal.SIGKILL, 5.0)):
        deliver(process.pid, number)
        try:
            out, err = process.communicate(timeout=wait)
        except subprocess.TimeoutExpired:
            continue
        if number == signal.SIGTERM:  # the leader obeyed; a grandchild that ignores SIGTERM must go too
            deliver(process.pid, signal.SIGKILL)
        return out or b"", err or b""
    return b"", b""
