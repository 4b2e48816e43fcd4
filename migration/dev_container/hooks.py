"""The commands that a dev container runs: https://containers.dev/implementors/json_reference/#lifecycle-scripts

A command is a string for `sh -c`, a list of words, or an object whose commands run side by side.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import dropwhile, takewhile
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


@dataclass(frozen=True)
class Hooks:
    """The commands of a dev container. at: the folder of core in which they run, empty for the root"""

    config: Mapping[str, Any]
    at: str = ""

    def commands(self, hooks: tuple[str, ...] = ALL) -> Iterator[Command]:
        """All commands of these hooks in the order in which they run."""
        for hook in hooks:
            value = self.config.get(hook)
            named = value.items() if isinstance(value, dict) else [("", value)]
            for name, words in named:
                if isinstance(words, str | list) and words:
                    yield Command(hook, name, words)

    def scripts(self, command: Command) -> list[str]:
        """The files that the command runs, as paths from the root of core. What runs after a `cd` is not known."""
        before_cd = takewhile(
            lambda words: words[:1] not in (["cd"], ["pushd"]), map(_run, _PARTS.split(command.script))
        )
        names = [_ROOTS.sub("", words[0]) for words in before_cd if words and "/" in words[0]]
        paths = [
            posixpath.normpath(posixpath.join(self._folder_of(command), name))
            for name in names
            if not re.search(r"^[/~]|[$*]", name)
        ]
        return [path for path in paths if not path.startswith("..")]

    def _folder_of(self, command: Command) -> str:
        return "" if command.hook == "initializeCommand" else self.at  # it runs on the host

    def missing_scripts(self, exists: Callable[[str], bool]) -> list[tuple[Command, str]]:
        """The scripts that a hook names and that do not exist."""
        named = [(command, path) for command in self.commands() for path in self.scripts(command)]
        return [(command, path) for command, path in named if _SCRIPT.search(path) and not exists(path)]

    def mentions(self, script: str) -> bool:
        """Does a command inside the container name this script?"""
        name = re.compile(rf"(?<![\w./-])(?:\./)?{re.escape(self.from_here(script))}(?![\w.-])")
        return any(name.search(_ROOTS_ANYWHERE.sub(" ", command.text)) for command in self.commands(INSIDE))

    def runs_setup(self, script: str, read: Callable[[str], bytes | None]) -> bool:
        """Does the container run the suite's setup, by a command or by a script? script: the one of the mapping"""
        called = {path for command in self.commands(INSIDE) for path in self.scripts(command)}
        called |= {script} if self.mentions(script) else set()
        texts = [*(command.text for command in self.commands(INSIDE)), *(_decode(read(path)) for path in called)]
        return any(map(is_setup, texts))

    def from_here(self, path: str) -> str:
        """The path as a command names it."""
        return posixpath.relpath(path, self.at) if self.at else path


def folder_of(config: Mapping[str, Any], mounted: list[str], has_folder: Callable[[str], bool]) -> str:
    """The folder of core in which the commands run: `workspaceFolder` below the place where core is mounted.

    mounted: where Compose mounts core
    """
    workspace = str(config.get("workspaceFolder") or "").rstrip("/")
    mount = re.search(r"(?:target|dst|destination)=([^,]+)", str(config.get("workspaceMount") or ""))
    places = [mount[1]] if mount else mounted
    for root in [re.escape(place.rstrip("/")) for place in places] or ["/workspaces/[^/]+"]:
        below = re.fullmatch(f"{root}/(.+)", workspace)
        if below and has_folder(below[1]):
            return below[1]
    return ""


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


def _run(part: str) -> list[str]:
    """The words of a simple command, from the program or script that it runs."""
    words = list(dropwhile(lambda word: word in _BEFORE or re.match(r"\w+=", word), _words(part)))
    if words[:1] and words[0] in _INTERPRETERS:
        words = [word for word in words[1:] if not word.startswith("-")]
        if words and re.fullmatch(r"[\w.-]+", words[0]) and _SCRIPT.search(words[0]):
            words[0] = f"./{words[0]}"  # a file of the folder; without the interpreter it is a program on PATH
    return words


def _words(part: str) -> list[str]:
    try:
        return shlex.split(part)
    except ValueError:
        return part.split()


def _decode(data: bytes | None) -> str:
    return (data or b"").decode("utf-8", "surrogateescape")
