"""az's parser: groups, commands, options, its errors (exit code 2) and its help."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Any

_REFERENCE = "\nhttps://aka.ms/cli_ref\nRead more about the command in reference docs"
_FORMATS = ("json", "jsonc", "yaml", "yamlc", "table", "tsv", "none")
_GLOBAL = (
    "--debug? --help/-h? --only-show-errors? --output/-o --query --verbose? --acquire-policy-token? --change-reference"
)


class AzError(Exception):
    """An error of az. text: what follows `ERROR: `; exit: 1 failed, 2 parser, 3 not found."""

    def __init__(self, text: str, exit: int = 1) -> None:
        super().__init__(text)
        self.text, self.exit = text, exit


@dataclass(frozen=True)
class Option:
    """One option. names: long names first; kind: value, flag or many."""

    names: tuple[str, ...]
    kind: str = "value"
    required: bool = False

    @property
    def key(self) -> str:
        return self.names[0].lstrip("-").replace("-", "_")


@dataclass(frozen=True)
class Command:
    """A command's help line, its options, and the example its help ends with."""

    summary: str
    options: tuple[Option, ...]
    example: str = ""


@dataclass(frozen=True)
class Parsed:
    """A parsed command line. values: by the first long name; absent options are None, flags False, lists []."""

    path: str
    values: dict[str, Any]
    help: str = ""

    def __getitem__(self, key: str) -> Any:
        return self.values[key]


def options(text: str, *, subscription: bool = True) -> tuple[Option, ...]:
    """Parse a line of options such as `--name/-n! --admin/-a? --ids+`: `!` required, `?` a flag, `+` many values."""
    known = [_option(word) for word in f"{text} {_GLOBAL}".split()]
    return tuple([*known, Option(("--subscription",))] if subscription else known)


def _option(word: str) -> Option:
    kind = {"?": "flag", "+": "many"}.get(word[-1], "value")
    return Option(tuple(word.rstrip("?+!").split("/")), kind, word.endswith("!"))


def parse(argv: tuple[str, ...], commands: dict[str, Command]) -> Parsed:
    """The command and its values. Raises AzError with exit code 2 and az's own text for an unknown command or option."""
    words: list[str] = []
    for word in argv:
        if word.startswith("-") or " ".join(words) in commands:
            break
        words.append(word)
    path = " ".join(words)
    group = [name for name in commands if name.startswith(f"{path} ") or not path]
    if path not in commands:
        if group and (len(words) == len(argv) or argv[len(words)] in ("--help", "-h")):
            return Parsed(path, {}, help=_group_help(path, commands))
        raise AzError(f"'{_unknown(words, commands)}' is misspelled or not recognized by the system.\n{_REFERENCE}", 2)
    return _command(path, commands[path], argv[len(words) :])


def _command(path: str, command: Command, rest: tuple[str, ...]) -> Parsed:
    values: dict[str, Any] = {o.key: {"flag": False, "many": []}.get(o.kind) for o in command.options}
    if "--help" in rest or "-h" in rest:
        return Parsed(path, values, help=_help(path, command))
    unknown = _read_values(command, list(rest), values)
    missing = ["/".join(o.names) for o in command.options if o.required and values[o.key] is None]
    if missing:
        raise _refusal(f"the following arguments are required: {', '.join(missing)}", command)
    if unknown:
        raise _refusal(f"unrecognized arguments: {' '.join(unknown)}", command)
    _check_output(path, values["output"])
    return Parsed(path, values)


def _read_values(command: Command, queue: list[str], values: dict[str, Any]) -> list[str]:
    """Set the values of the options in the queue. Returns the words that are not options."""
    names = {name: option for option in command.options for name in option.names}
    unknown: list[str] = []
    while queue:
        word = queue.pop(0)
        name = word.partition("=")[0]
        option = names.get(name) or (_short(word, names) if re.match(r"-[a-zA-Z]", word) else None)
        if option is None:
            unknown.append(word)
        elif option.kind == "flag":
            values[option.key] = True
        elif option.kind == "many":
            while queue and not queue[0].startswith("-"):
                values[option.key].append(queue.pop(0))
        else:
            values[option.key] = _value(word, name in names, queue, option, command)
    return unknown


def _value(word: str, is_full_name: bool, queue: list[str], option: Option, command: Command) -> str:
    """The value of an option: `--name=value`, `-ovalue`, or the next word of the queue."""
    _, equals, joined = word.partition("=")
    if equals and is_full_name:
        return joined
    if not is_full_name:
        return word[2:].removeprefix("=")
    if not queue or (queue[0].startswith("-") and queue[0] != "-"):
        raise _refusal(f"argument {'/'.join(option.names)}: expected one argument", command)
    return queue.pop(0)


def _short(word: str, names: dict[str, Option]) -> Option | None:
    """The option of `-ojson` or `-p=secret`."""
    option = names.get(word[:2])
    return option if option and option.kind == "value" and len(word) > 2 else None


def _check_output(path: str, output: str | None) -> None:
    if output is not None and output not in _FORMATS:
        text = f"az {path}: '{output}' is not a valid value for '--output'. Allowed values: {', '.join(_FORMATS)}."
        near = difflib.get_close_matches(output, _FORMATS, n=1, cutoff=0.6)
        hint = f"\nDid you mean '{near[0]}' ?\n" if near else "\n"
        raise AzError(f"{text}{hint}{_REFERENCE}", 2)


def _refusal(text: str, command: Command) -> AzError:
    example = f"\nExamples from command's help:\n{command.example}\n{command.summary}\n" if command.example else ""
    return AzError(f"{text}\n{example}{_REFERENCE}", 2)


def _unknown(words: list[str], commands: dict[str, Command]) -> str:
    known = ""
    for word in words:
        if not any(name.startswith(f"{known}{word} ") for name in commands):
            return word
        known += f"{word} "
    return words[-1] if words else ""


def _group_help(path: str, commands: dict[str, Command]) -> str:
    start = f"{path} " if path else ""
    below = {name.removeprefix(start).split()[0] for name in commands if name.startswith(start)}
    lines = [
        f"    {name:<30} : {commands[start + name].summary if start + name in commands else 'Group.'}"
        for name in sorted(below)
    ]
    return f"\nGroup\n    az {path}\n\nCommands:\n" + "\n".join(lines) + "\n\n"


def _help(path: str, command: Command) -> str:
    lines = [f"    {' '.join(option.names)}{' [Required]' if option.required else ''} :" for option in command.options]
    return f"\nCommand\n    az {path} : {command.summary}\n\nArguments\n" + "\n".join(lines) + "\n\n"
