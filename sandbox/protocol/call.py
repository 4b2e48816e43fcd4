"""One call of a stand-in: what the client sends and what the handler returns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

USER_VARIABLE = "REMOTE_SANDBOX_USER"  # the user whose workstation a call comes from (default: developer)
LOGIN_VARIABLE = (
    "REMOTE_SANDBOX_LOGIN"  # the user who enters the code or the password of `az login` (default: that user)
)
BOX_VARIABLE = "REMOTE_SANDBOX"  # the folder of the sandbox that an environment belongs to
DEVELOPER = "developer"


class CallerGone(Exception):
    """The client process ended during its call: it was killed, or its deadline passed."""


@dataclass(frozen=True)
class Call:
    """The start of a program as the operating system sees it. World has the methods that act on a call: wait, emit, run."""

    tool: str
    argv: tuple[str, ...]  # without the program's name
    env: dict[str, str]
    cwd: str
    pid: int  # of the client process
    tty: bool = False  # are stdin and stdout a terminal?
    line: Any = field(default=None, compare=False, repr=False)  # the connection to the client; None for a nested call

    @property
    def user(self) -> str:
        """The user whose workstation the call comes from."""
        return self.env.get(USER_VARIABLE) or DEVELOPER

    @property
    def home(self) -> str:
        """HOME; `/` if it is not set."""
        return self.env.get("HOME") or "/"

    def nested(self, tool: str, argv: tuple[str, ...], env: dict[str, str] | None = None) -> Call:
        """A call of another program that this program makes."""
        return replace(self, tool=tool, argv=argv, env=self.env if env is None else env, tty=False, line=None)

    def with_line(self, line: Any) -> Call:
        """The same call over this connection."""
        return replace(self, line=line)


@dataclass
class Answer:
    """What the client does next: print and exit, or run another program."""

    exit: int = 0
    stdout: str = ""
    stderr: str = ""
    writes: bool = False  # whether the call changed anything: files, cluster, registry, login
    run: list[str] = field(default_factory=list)  # argv of a real program, streams inherited
    run_env: dict[str, str] = field(default_factory=dict)  # on top of the client's own environment
    # If empty, the client replaces itself by `run` (exec). Otherwise it runs it as a child; then the module's
    # `ended(call, world, after, exit)` answers. An optional `started(call, world, after, pid)` receives the child's pid.
    after: str = ""


Handler = Callable[[Call, Any], Answer]
