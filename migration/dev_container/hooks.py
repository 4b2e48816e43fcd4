"""The commands that a dev container runs: https://containers.dev/implementors/json_reference/#lifecycle-scripts

A command is a string for `sh -c`, a list of words, or an object whose commands run side by side.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

INSIDE = ("onCreateCommand", "updateContentCommand", "postCreateCommand", "postStartCommand", "postAttachCommand")
ALL = ("initializeCommand", *INSIDE)
CREATE = "postCreateCommand"
OURS = "remote-first"
"""The name of the suite's command in an object."""

_SETUP = re.compile(r"scripts/inv\b[\"']?\s+setup\b|\binv\s+setup\b")
_INTERPRETERS = frozenset({"bash", "sh", "zsh", "dash", "source", ".", "python", "python3"})
_BEFORE = frozenset({"sudo", "exec", "time", "nohup", "env", "command", "-E"})
_PARTS = re.compile(r"[;&|\n(){}]+")
_FOLDERS = r"\$\{containerWorkspaceFolder\}/|\$\{?PWD\}?/|/workspaces?/[\w.-]+/(?=\.devcontainer)"
_ROOTS = re.compile(rf"^(?:\./|{_FOLDERS})")
_ROOTS_ANYWHERE = re.compile(_FOLDERS)
_SCRIPT = re.compile(r"\.(?:sh|bash|zsh|py)$")


@dataclass(frozen=True)
class Command:
    """A command of a hook. name: in an object, else empty"""

    hook: str
    name: str
    words: str | list[str]

    @property
    def text(self) -> str:
        """The command as a line of a shell."""
        return self.words if isinstance(self.words, str) else shlex.join(map(str, self.words))

    @property
    def script(self) -> str:
        """What a shell runs: the text, or that of `sh -c TEXT`."""
        words = _words(self.words) if isinstance(self.words, str) else [str(word) for word in self.words]
        is_shell = len(words) == 3 and words[0] in _INTERPRETERS and re.fullmatch(r"-\w*c", words[1])
        return words[2] if is_shell else self.text

    @property
    def keys(self) -> tuple[str, ...]:
        """Its place in devcontainer.json."""
        return (self.hook, self.name) if self.name else (self.hook,)


def commands(config: Mapping[str, Any], hooks: tuple[str, ...] = ALL) -> Iterator[Command]:
    """All commands of these hooks in the order in which they run."""
    for hook in hooks:
        value = config.get(hook)
        named = value.items() if isinstance(value, dict) else [("", value)]
        for name, words in named:
            if isinstance(words, str | list) and words:
                yield Command(hook, name, words)


def scripts(command: Command) -> list[str]:
    """The files that the command runs, as paths from the root of core. What runs below another folder is not known."""
    found: list[str] = []
    for part in _PARTS.split(command.script):
        words = _words(part)
        while words and (words[0] in _BEFORE or re.match(r"\w+=", words[0])):
            words.pop(0)
        if words[:1] in (["cd"], ["pushd"]):
            break
        if words and words[0] in _INTERPRETERS:
            words = [word for word in words[1:] if not word.startswith("-")]
        path = posixpath.normpath(_ROOTS.sub("", words[0])) if words else ""
        if "/" in path and not re.search(r"^[/~]|[$*]|^\.\.", path):
            found.append(path)
    return found


def missing_scripts(config: Mapping[str, Any], exists: Callable[[str], bool]) -> list[tuple[Command, str]]:
    """The scripts that a hook names and that do not exist."""
    named = [(command, path) for command in commands(config) for path in scripts(command)]
    return [(command, path) for command, path in named if _SCRIPT.search(path) and not exists(path)]


def mentions(config: Mapping[str, Any], script: str) -> bool:
    """Does a command inside the container name this script?"""
    name = re.compile(rf"(?<![\w./-])(?:\./)?{re.escape(script)}(?![\w.-])")
    return any(name.search(_ROOTS_ANYWHERE.sub(" ", command.text)) for command in commands(config, INSIDE))


def runs_setup(config: Mapping[str, Any], script: str, read: Callable[[str], bytes | None]) -> bool:
    """Does the container run the suite's setup, by a command or by a script? script: the one of the mapping"""
    called = {path for command in commands(config, INSIDE) for path in scripts(command)}
    called |= {script} if mentions(config, script) else set()
    texts = [*(command.text for command in commands(config, INSIDE)), *(_decode(read(path)) for path in called)]
    return any(map(is_setup, texts))


def is_setup(text: str) -> bool:
    """Does this script or command, comments aside, run the suite's setup?"""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return any(_SETUP.search(line) and "--only" not in line for line in lines)


def with_setup(value: Any, script: str) -> Any:
    """The value of postCreateCommand that runs what it ran and then the suite's script.

    A list runs without a shell, an object's commands side by side.
    """
    ours = f"bash {shlex.quote(script)}"
    if isinstance(value, dict):
        return {**value, OURS: ours}
    if isinstance(value, list) and value:
        return ["bash", "-c", f'"$@" && exec {ours}', "postCreateCommand", *value]
    if not isinstance(value, str) or not value.strip():
        return ours
    if re.fullmatch(r"[\w./ =:@-]+", value) and not value.startswith("cd "):
        return f"{value.strip()} && {ours}"
    if re.search(r"[#\n\\]|<<", value):
        return f"{ours}; {value}"  # a comment would take the bracket with it
    return f"({value.strip()}) && {ours}"


def _words(part: str) -> list[str]:
    try:
        return shlex.split(part)
    except ValueError:
        return part.split()


def _decode(data: bytes | None) -> str:
    return (data or b"").decode("utf-8", "surrogateescape")
