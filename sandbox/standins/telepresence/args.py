"""The commands and flags of each version of telepresence, read from its help texts and parsed as pflag does."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from pathlib import Path

_FLAG = re.compile(r"^ +(?:-(\w), )?--([\w-]+)(?: (?!  )(\S+))?(?: {2,}|$)")
# Flags that the help omits but the program accepts (recorded): command -> (long, short, takes a value).
_HIDDEN: dict[str, dict[str, list[tuple[str, str, bool]]]] = {
    "2.19.1": {
        "intercept": [("namespace", "n", True), ("local-only", "l", False)],
        "status": [("json", "j", False)],
        "list": [("watch", "w", False)],
        "": [("context", "", True), ("docker", "", False)],
    },
    "2.25.1": {"intercept": []},
    "2.31.0": {"": [("output", "", True)], "list": [("only-interceptable", "o", False)]},
}
_COUNTS: dict[str, tuple[int, int | None]] = {  # command -> minimum and maximum number of arguments
    "intercept": (1, None),
    "replace": (1, None),
    "leave": (1, 1),
    "detach": (1, 1),
    "revoke": (1, 1),
    "status": (0, 0),
    "quit": (0, 0),
    "version": (0, 0),
    "list": (0, 0),
}


class Usage(Exception):
    """A usage error with cobra's text. It is raised before any daemon is started."""


@dataclass
class Parsed:
    """A parsed command line. flags: long name -> all values; rest: the words after `--`."""

    command: str
    flags: dict[str, list[str]] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)
    rest: list[str] | None = None
    deprecated: list[str] = field(default_factory=list)  # lines for stderr

    def value(self, name: str, otherwise: str = "") -> str:
        """The last value of a flag."""
        return self.flags[name][-1] if name in self.flags else otherwise

    def values(self, name: str) -> list[str]:
        """All values of a list flag, split at commas."""
        return [part for value in self.flags.get(name, []) for part in value.split(",")]

    def on(self, name: str) -> bool:
        """Is this switch set?"""
        return self.value(name, "false") in ("true", "1", "t", "T", "TRUE", "True")


@functools.cache
def helps(version: str) -> dict[str, str]:
    """The help texts by command. `root` is the program's own."""
    text = (Path(__file__).parent / "data" / f"telepresence-{version}.txt").read_text(encoding="utf-8")
    texts: dict[str, str] = {}
    for block in text.split("#### ")[1:]:
        name, _, body = block.partition("\n")
        texts[name] = body
    return texts


@functools.cache
def flags(version: str, command: str) -> dict[str, tuple[str, bool]]:
    """The flags of a command by `--long` and `-s`: the long name, and whether it takes a value."""
    known: dict[str, tuple[str, bool]] = {}
    for line in helps(version).get(command, helps(version)["root"]).splitlines():
        match = _FLAG.match(line)
        if match:
            short, long, kind = match.groups()
            entry = (long, kind is not None)
            known[f"--{long}"] = entry
            if short:
                known[f"-{short}"] = entry
    for long, short, value in [*_HIDDEN[version].get(command, []), *_HIDDEN[version].get("", [])]:
        known.setdefault(f"--{long}", (long, value))
        if short:
            known.setdefault(f"-{short}", (long, value))
    known["--help"] = known["-h"] = ("help", False)
    return known


def parse(version: str, argv: tuple[str, ...]) -> Parsed:
    """Parse a command line. Raises Usage with the text that follows `error: `."""
    command, rest = _command(version, list(argv))
    known = flags(version, command)
    parsed = Parsed(command)
    while rest:
        word = rest.pop(0)
        if word == "--":
            parsed.rest = rest
            break
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            if name not in known:
                raise Usage(f"unknown flag: {name}")
            _set(parsed, known[name], name, value if equals else None, rest)
        elif word.startswith("-") and word != "-":
            _shorts(parsed, known, word, rest)
        else:
            parsed.arguments.append(word)
    if not parsed.flags.get("help"):
        _check_count(command, parsed.arguments)
    return parsed


def _check_count(command: str, arguments: list[str]) -> None:
    """Raise Usage for a wrong number of arguments."""
    least, most = _COUNTS.get(command, (0, None))
    count = len(arguments)
    if most == 0 and count and command not in ("list",):
        raise Usage(f'unknown command "{arguments[0]}" for "telepresence {command}"')
    if least == most == 1 and count != 1:
        raise Usage(f"accepts 1 arg(s), received {count}")
    if count < least:
        raise Usage(f"requires at least {least} arg(s), only received {count}")


def _command(version: str, words: list[str]) -> tuple[str, list[str]]:
    """Split off the command's name. Global flags may precede it."""
    known, texts = flags(version, "root"), helps(version)
    place = 0
    while place < len(words) and words[place].startswith("-") and words[place] != "--":
        name, equals, _ = words[place].partition("=")
        takes = known.get(name, ("", name in ("--output", "--format")))[1]
        place += 2 if takes and not equals else 1
    if place >= len(words) or words[place] == "--":
        return "root", words
    name = words[place]
    two = " ".join(words[place : place + 2])
    if two in texts:
        return two, words[:place] + words[place + 2 :]
    if name not in texts:
        if "--help" in words or "-h" in words:
            return "root", ["--help"]
        raise Usage(f'invalid subcommand "{name}"')
    return name, words[:place] + words[place + 1 :]


def _set(parsed: Parsed, entry: tuple[str, bool], shown: str, value: str | None, rest: list[str]) -> None:
    long, takes = entry
    if value is None:
        if not takes:
            value = "true"
        elif rest:
            value = rest.pop(0)
        else:
            raise Usage(f"flag needs an argument: {shown}")
    elif not takes and value not in ("true", "false", "1", "0", "t", "f", "T", "F", "TRUE", "FALSE", "True", "False"):
        raise Usage(
            f'invalid argument "{value}" for "{shown}" flag: strconv.ParseBool: parsing "{value}": invalid syntax'
        )
    parsed.flags.setdefault(long, []).append(value)


def _shorts(parsed: Parsed, known: dict[str, tuple[str, bool]], word: str, rest: list[str]) -> None:
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        if f"-{letter}" not in known:
            raise Usage(f"unknown shorthand flag: '{letter}' in {word}")
        entry = known[f"-{letter}"]
        if entry[1]:
            value = letters.removeprefix("=") if letters else None
            if value is None and not rest:
                raise Usage(f"flag needs an argument: '{letter}' in {word}")
            _set(parsed, entry, f"-{letter}", value, rest)
            return
        _set(parsed, entry, f"-{letter}", None, rest)
