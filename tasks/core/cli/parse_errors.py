"""Invoke's complaints about a command line, as errors of this suite.

Invoke's ParseError has no fields but the task that was being parsed, so its sentences are matched here. They are those
of Invoke 3.0.3, `invoke/parser/parser.py` and `Program.parse_cleanup`; tests/tasks/core/cli/test_program.py makes each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from invoke.exceptions import ParseError

from tasks.core.cli.names import nearest
from tasks.core.errors import Trouble
from tasks.core.repository import not_here

_UNKNOWN = re.compile(r"No idea what '(.*)' is!", re.DOTALL)
_NO_VALUE = re.compile(r"Flag <Argument: ([\w-]+).*> needed value and was not given one!")
_NO_POSITIONAL = re.compile(r"'.*' did not receive required positional arguments: '(\w+)'.*")
_NEAR = 0.6  # how alike a suggestion must be


def explained(why: ParseError, tasks: Iterable[str], elsewhere: Mapping[str, str] | None = None) -> Trouble:
    """The same complaint with a fix.

    tasks: the names of all tasks; elsewhere: name of a task or namespace -> the part of the suite that is not here
    """
    said, context = str(why), why.context
    task = str(getattr(context, "name", None) or "")
    if match := _UNKNOWN.fullmatch(said):
        word = match[1]
        if not task and (part := (elsewhere or {}).get(word.partition(".")[0])):
            return not_here(part)
        return _unknown_flag(word, task, context) if word.startswith("-") else _unknown_word(word, task, tasks)
    if match := _NO_POSITIONAL.fullmatch(said):
        return Trouble(f"{task} needs a {match[1]}", fix=f"inv {task} {match[1].upper()}; help: {_help(task)}")
    if match := _NO_VALUE.fullmatch(said):
        return Trouble(f"--{match[1].replace('_', '-')} needs a value", fix=_help(task))
    return Trouble(said, fix=_help(task))


def _unknown_flag(flag: str, task: str, context: Any) -> Trouble:
    near = nearest(flag, context.flags if task else (), 1, _NEAR)
    return _unknown(f"{task or 'inv'} has no flag {flag}", near, _help(task) if task else "inv --help")


def _unknown_word(word: str, task: str, tasks: Iterable[str]) -> Trouble:
    if task:
        what = f"{task} takes no word '{word}', and it is not a task"
    elif any(name.startswith(f"{word}.") for name in tasks):
        return Trouble(f"'{word}' is a namespace, not a task", fix=f"inv --list {word}")
    else:
        what = f"there is no task '{word}'"
    return _unknown(what, nearest(word, tasks, 1, _NEAR), _help(task))


def _unknown(what: str, near: list[str], help_command: str) -> Trouble:
    return Trouble(what, fix=f"did you mean {near[0]}? help: {help_command}" if near else help_command)


def _help(task: str) -> str:
    return f"inv --help {task}" if task else "inv --list"
