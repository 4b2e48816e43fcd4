"""One call of a stand-in: what the client sends, what a handler answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Call:
    """A program's start as the operating system sees it. `user` is the login name, `uid` decides root."""

    tool: str
    argv: tuple[str, ...]  # without the program's name
    env: dict[str, str]
    cwd: str
    pid: int  # of the client process
    tty: bool = False
    stdin: bytes = b""  # read by the client only where the tool reads it (`--password-stdin`, `-f -`)


@dataclass
class Answer:
    """What the client does: print, then exit, or replace itself by another program."""

    exit: int = 0
    stdout: str = ""
    stderr: str = ""
    writes: bool = False  # did it change anything (files, cluster, registry, login)
    run: list[str] = field(default_factory=list)  # argv that the client runs as its child, streams inherited
    run_env: dict[str, str] = field(default_factory=dict)
    after: str = ""  # name of the call that the client makes when the child has ended; argv gets its exit code


class World(Protocol):
    """The state all stand-ins share. See world.py."""

    def __getattr__(self, name: str) -> Any: ...


Handler = Callable[[Call, Any], Answer]
