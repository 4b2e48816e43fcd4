"""pnpm's command line: its options, and what belongs to a script."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field

from sandbox.standins.pnpm.project import PnpmError

_VALUES = frozenset(
    [
        "dir",
        "filter",
        "filter-prod",
        "reporter",
        "store-dir",
        "registry",
        "loglevel",
        "network-concurrency",
        "child-concurrency",
        "lockfile-dir",
        "modules-dir",
        "workspace-concurrency",
        "node-linker",
        "noproxy",
        "proxy",
        "https-proxy",
        "userconfig",
    ]
)

_SWITCHES = frozenset(
    [
        "frozen-lockfile",
        "offline",
        "prefer-offline",
        "ignore-scripts",
        "prod",
        "dev",
        "optional",
        "force",
        "lockfile-only",
        "lockfile",
        "silent",
        "stream",
        "recursive",
        "workspace-root",
        "shamefully-hoist",
        "fix-lockfile",
        "prefer-frozen-lockfile",
        "use-stderr",
        "aggregate-output",
        "color",
        "help",
        "version",
        "if-present",
        "parallel",
        "no-bail",
        "bail",
        "side-effects-cache",
        "strict-peer-dependencies",
        "verify-store-integrity",
        "yes",
    ]
)

_SHORT = {
    "C": "dir",
    "F": "filter",
    "P": "prod",
    "D": "dev",
    "r": "recursive",
    "w": "workspace-root",
    "s": "silent",
    "h": "help",
    "v": "version",
    "y": "yes",
}

_ALIASES = {"i": "install", "run-script": "run", "t": "test"}


@dataclass
class Parsed:
    """A parsed command line. rest: the words after the command."""

    command: str = ""
    flags: dict[str, str] = field(default_factory=dict)
    rest: list[str] = field(default_factory=list)


def parse(argv: tuple[str, ...], parsed: Parsed) -> None:
    """Parse the flags before the command, for install also after it. Words after a script's name belong to the script."""
    queue = list(argv)
    while queue:
        word = queue.pop(0)
        if not word.startswith("-") and not parsed.command:
            parsed.command = _ALIASES.get(word, word)
            if parsed.command not in ("install", "run", "exec"):
                parsed.rest, queue = queue, []
        elif not word.startswith("-"):
            parsed.rest = [word, *queue]
            break
        elif word == "--":
            parsed.rest += queue
            break
        else:
            _flag(word, queue, parsed)


def _flag(word: str, queue: list[str], parsed: Parsed) -> None:
    name, equals, value = word.lstrip("-").partition("=")
    if not word.startswith("--"):
        name = _SHORT.get(name, name)
    if name.startswith("config."):
        return
    if name in _VALUES:
        parsed.flags[name] = value if equals else (queue.pop(0) if queue else "")
    elif name in _SWITCHES:
        parsed.flags[name] = value if equals else "true"
    elif name.startswith("no-") and name[3:] in _SWITCHES:
        parsed.flags[name[3:]] = "false"
    else:
        near = difflib.get_close_matches(name, [*_VALUES, *_SWITCHES], n=1, cutoff=0.4)
        hint = f"Did you mean '{near[0]}'? " if near else ""
        raise PnpmError(
            "ERROR",
            f"Unknown option: '{name}'\n{hint}Use \"--config.unknown=value\" to force an unknown option.",
            usage=True,
        )
