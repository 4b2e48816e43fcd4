"""One call of a stand-in: what the client sends, what a handler answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

USER_VARIABLE = "REMOTE_SANDBOX_USER"  # whose workstation a call comes from; not set: the developer
BOX_VARIABLE = "REMOTE_SANDBOX"  # the folder of the sandbox that an environment belongs to
DEVELOPER = "developer"


class CallerGone(Exception):
    """The client process ended while its call was under way (killed, or its deadline passed)."""


@dataclass(frozen=True)
class Call:
    """A program's start as the operating system sees it. World has what a handler may do with it (wait, emit, run)."""

    tool: str
    argv: tuple[str, ...]  # without the program's name
    env: dict[str, str]
    cwd: str
    pid: int  # of the client process
    tty: bool = False  # are stdin and stdout a terminal?
    line: Any = field(default=None, compare=False, repr=False)  # the connection to the client; None: a nested call

    @property
    def user(self) -> str:
        """Whose workstation this is."""
        return self.env.get(USER_VARIABLE) or DEVELOPER

    @property
    def home(self) -> str:
        """HOME, or `/` where it is not set."""
        return self.env.get("HOME") or "/"

    def nested(self, tool: str, argv: tuple[str, ...], env: dict[str, str] | None = None) -> Call:
        """The call of another program that this one makes."""
        return replace(self, tool=tool, argv=argv, env=self.env if env is None else env, tty=False, line=None)

    def with_line(self, line: Any) -> Call:
        """The same call over this connection."""
        return replace(self, line=line)


@dataclass
class Answer:
    """What the client does: print, then exit, or go on with another program."""

    exit: int = 0
    stdout: str = ""
    stderr: str = ""
    writes: bool = False  # did it change anything (files, cluster, registry, login)
    run: list[str] = field(default_factory=list)  # argv of a real program, streams inherited
    run_env: dict[str, str] = field(default_factory=dict)  # on top of the client's own environment
    # "": the client becomes `run` (exec). Else it runs it as a child, then `ended(call, world, after, exit)` of the
    # same module answers; `started(call, world, after, pid)` is told the child's pid first, if the module has it.
    after: str = ""


Handler = Callable[[Call, Any], Answer]
