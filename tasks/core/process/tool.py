"""Programs whose output is read: a Tool pins what every call has, a Command is one call of it that can be shown and run.

plumbum makes the commands: `az["account", "show"]` is a value that can be extended, and `formulate` is its argv. How a
child is started, given a deadline and ended is ours (see `child`): plumbum's own `timeout=` waits for a grandchild that
holds the pipe, as az's shell wrapper does, and its error texts hold the whole command line with its secrets.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from tasks.core import strict_json
from tasks.core.errors import TimedOut, ToolError
from tasks.core.process import running
from tasks.core.process.child import DEVNULL, PIPE, Child, TimeoutExpired, start
from tasks.core.process.foreground import end_group
from tasks.core.process.output import Lines, TooMuch, clean, communicate, decoded, last_line
from tasks.core.process.processes import deliver


@dataclass(frozen=True)
class Done:
    """How a child ended."""

    exit: int
    """Its exit code; negative when a signal ended it."""

    stdout: str
    """Decoded once, invalid bytes as U+FFFD; stderr likewise."""

    stderr: str
    seconds: float

    @property
    def last_line(self) -> str:
        """The last line that says something: of stderr, else of stdout; without known noise and secrets."""
        return last_line(self.stderr) or last_line(self.stdout) or "no message"


@dataclass(frozen=True)
class Tool:
    """A program with what is pinned for every call of it."""

    name: str
    """Without a path: it is looked up on PATH when it is called."""

    fix: str = ""
    """How to get the program when it is absent."""

    base: tuple[str, ...] = ()
    """Arguments before all others, such as the context."""

    env: Mapping[str, str] = field(default_factory=dict)
    """Variables on top of the environment of this process."""

    drop: tuple[str, ...] = ()
    """Variables that the program does not get."""

    timeout: float = 60.0
    """Seconds that a call may take when it names no time of its own."""

    def __getitem__(self, args: str | tuple[str, ...]) -> Command:
        """The command with these arguments: `tool["get", "pods"]`."""
        # Not `local[name]`: that looks the program up now, and raises an AttributeError when it is absent.
        from plumbum.machines.local import LocalCommand  # 40 ms: not for `inv --list`

        return Command(self, LocalCommand(self.name)[self.base])[args]

    @property
    def environment(self) -> dict[str, str]:
        """All variables of a child."""
        return {name: value for name, value in {**os.environ, **self.env}.items() if name not in self.drop}


@dataclass(frozen=True)
class Command:
    """A tool with arguments, not started yet: what a dry run shows and what runs are the same value."""

    tool: Tool
    bound: Any = field(repr=False)
    """plumbum's command with these arguments."""

    def __getitem__(self, args: str | tuple[str, ...]) -> Command:
        """The command with more arguments."""
        return Command(self.tool, self.bound[args])

    @property
    def argv(self) -> tuple[str, ...]:
        """The program's name and all arguments, the pinned ones first."""
        return tuple(self.bound.formulate())

    @property
    def name(self) -> str:
        """What an error calls it: the program and its verbs, never an argument that may be a secret."""
        args = self.argv[1 + len(self.tool.base) :]
        return " ".join((self.tool.name, *takewhile(lambda word: not word.startswith("-"), args[:2])))

    def call(
        self,
        *,
        timeout: float | None = None,
        stdin: bytes | None = None,
        cwd: str | None = None,
        echo: Callable[[str], None] | None = None,
    ) -> Done:
        """Run to the end and return how it ended, whatever the exit code is. Raises ToolError when it cannot run.

        timeout: seconds, by default the tool's
        stdin: what the child reads; by default there is nothing to read
        echo: called with each line of stderr as it comes, for a child that a person must watch (the code of a login)
        """
        if not running.may_start():
            raise ToolError(f"{self.name}: not started, the run was interrupted", tool=self.tool.name)
        began = time.monotonic()
        lines = Lines(echo) if echo is not None else None
        try:
            child = start(
                self.argv,
                env=self.tool.environment,
                cwd=cwd,
                stdin=DEVNULL if stdin is None else PIPE,
                stderr=lines.writing if lines else PIPE,
                fix=self.tool.fix,
            )
        finally:
            if lines:
                lines.started()
        out, err = self._output(child, stdin, self.tool.timeout if timeout is None else timeout)
        if lines:
            err = lines.all()
        return Done(child.returncode, decoded(out), decoded(err), time.monotonic() - began)

    def run(self, *, timeout: float | None = None, stdin: bytes | None = None, cwd: str | None = None) -> str:
        """Run and return stdout. Raises ToolError with the tool's last line for another exit code than 0."""
        done = self.call(timeout=timeout, stdin=stdin, cwd=cwd)
        if done.exit != 0:
            raise self.failed(done)
        return done.stdout

    def json(self, *, timeout: float | None = None, cwd: str | None = None) -> Any:
        """Run and return the JSON of stdout, None for an empty one. Warnings on stderr do not matter."""
        return self.parsed(self.run(timeout=timeout, cwd=cwd))

    def parsed(self, stdout: str) -> Any:
        """The JSON that this command printed, None for nothing. Raises ToolError for anything else."""
        try:
            return strict_json.loads(stdout or "null")
        except ValueError:
            raise ToolError(f"{self.name}: the answer is not JSON", tool=self.tool.name, exit=0) from None

    def failed(self, done: Done) -> ToolError:
        """The error for this end of the command, with cause and fix where a signature knows it."""
        from tasks.core.signatures import explain

        why, fix = explain(self.tool.name, f"{done.stderr}\n{done.stdout}")
        reason = f"killed by signal {-done.exit}" if done.exit < 0 else done.last_line
        return ToolError(
            f"{self.name}: {reason}",
            tool=self.tool.name,
            exit=done.exit,
            stdout=clean(done.stdout),
            stderr=clean(done.stderr),
            why=why,
            fix=fix,
        )

    def _output(self, child: Child, stdin: bytes | None, limit: float) -> tuple[bytes, bytes]:
        """All that the child prints. At the deadline, or when this process is interrupted, its whole group is ended."""
        with running.captured(child.pid):
            try:
                return communicate(child, stdin, limit)
            except TooMuch as why:
                _end_group(child)
                raise ToolError(
                    f"{self.name}: it printed more than {why} MiB and was ended",
                    tool=self.tool.name,
                    fix=f"see what `{self.name}` prints by hand; a wrapper or a proxy may have changed it",
                ) from None
            except TimeoutExpired:
                out, err = _end_group(child)
                raise self._timed_out(limit, out, err) from None
            except BaseException:
                # Not `communicate` again: it relies on what an interrupted one may not have set yet.
                end_group(child.pid, child, running.GRACE)
                raise

    def _timed_out(self, limit: float, out: bytes, err: bytes) -> TimedOut:
        return TimedOut(
            f"{self.name}: no answer in {limit:.3g} s",
            tool=self.tool.name,
            fix=f"see whether `{self.name}` answers by hand: a VPN, a proxy or a lock may hold it up",
            stdout=clean(decoded(out)),
            stderr=clean(decoded(err)),
        )


def _end_group(child: Child) -> tuple[bytes, bytes]:
    """End the child's process group and return what it printed."""
    for number, wait in ((signal.SIGTERM, running.GRACE), (signal.SIGKILL, 5.0)):
        deliver(child.pid, number)
        try:
            out, err = child.communicate(timeout=wait)
        except TimeoutExpired:
            continue
        if number == signal.SIGTERM:  # the leader obeyed; a grandchild that ignores SIGTERM must be killed
            deliver(child.pid, signal.SIGKILL)
        return out or b"", err or b""
    return b"", b""
