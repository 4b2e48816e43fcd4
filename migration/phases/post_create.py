"""The start scripts of the dev container: which of their statements stay, and the team's file that holds these."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache

from migration.edit.shell import Statement, statements
from migration.edit.shell_choice import Chosen, Sourced, choose
from migration.edit.shell_commands import commands

Read = Callable[[str], bytes | None]
_NEVER = r"(?!)"
_TEAM_HEAD = """#!/usr/bin/env bash
# The team's own part of the dev container's start, kept from the former {name}. It is yours: edit it.
# shellcheck disable=all
set -uo pipefail
"""


def is_obsolete(script: bytes, obsolete: Sequence[str]) -> bool:
    """Does the script, comments aside, still do what went with the local cluster?"""
    text, pattern = decoded(script), "|".join(obsolete) or _NEVER
    if not re.search(pattern, text, re.MULTILINE):
        return False  # parsing a migrated script takes 0.1 s
    return any(re.search(pattern, s.without_comments) for s in statements(text))


def chosen_from(
    script: bytes,
    path: str,
    obsolete: Sequence[str],
    ours: Sequence[str],
    read: Read = lambda path: None,
) -> Chosen:
    """The statements of the script at this path, sorted by these patterns. read: returns a file of the repository."""

    brings = cache(lambda statement: _sourced(statement, path, read))
    patterns = re.compile("|".join(obsolete) or _NEVER), re.compile("|".join(ours) or _NEVER, re.MULTILINE)
    return choose(statements(decoded(script)), *patterns, brings)


def kept_file(chosen: Chosen, name: str, existing: bytes | None) -> bytes:
    """The team's file: what is kept from the script `name`, below what it holds already. Nothing for mere definitions."""
    if chosen.only_defines:
        return existing or b""
    old = decoded(existing or b"").rstrip("\r\n")
    head = f"{old}\n" if old else _TEAM_HEAD.format(name=name)
    present = {s.code for s in statements(old)}
    return encoded(head + "".join(f"{row}\n" for row in kept_rows(chosen, present)))


def kept_rows(chosen: Chosen, present: Iterable[str] = ()) -> list[str]:
    """Statements and calls in their order, without those whose code is present already."""
    rows = [(s.first, s.code, _without_shebang(s)) for s in chosen.kept]
    rows += [(line.first, line.text, line.text) for line in chosen.calls]
    return [text for _, code, text in sorted(rows, key=lambda row: row[0]) if code not in present]


def _without_shebang(statement: Statement) -> str:
    comments = statement.comments.splitlines(keepends=True)
    return "".join(line for line in comments if not line.startswith("#!")) + statement.code


def _sourced(statement: Statement, script: str, read: Read) -> Sourced:
    """What is in the files that the statement sources, and in those that they source."""
    found: dict[str, tuple[Statement, ...]] = {}
    waiting = [(statement, script)]
    while waiting:
        at, path = waiting.pop()
        for name in (command.sources for command in commands(at)):
            place, data = _file(name, path, read)
            if name and data is not None and place not in found:
                found[place] = statements(decoded(data))
                waiting += [(inner, place) for inner in found[place]]
    inside = [s for content in found.values() for s in content]
    return Sourced(
        frozenset[str]().union(*(s.defines for s in inside)),
        frozenset[str]().union(*(s.assigned for s in inside)),
        "\n".join(s.without_comments for s in inside),
    )


def _file(word: str, script: str, read: Read) -> tuple[str, bytes | None]:
    """The path and content of a sourced file; its name is what follows the last expansion in the word."""
    name = re.split(r"[)}\"']|\$\w+", word.rstrip("\"'"))[-1].strip("/")
    folder = posixpath.dirname(script)
    paths = [posixpath.normpath(path) for path in (f"{folder}/{name}", f"{folder}/../{name}", name) if name]
    return next(((path, data) for path in paths if (data := read(path)) is not None), ("", None))


def decoded(data: bytes) -> str:
    """The text of a file. Bytes that are not UTF-8 survive."""
    return data.decode("utf-8", "surrogateescape")


def encoded(text: str) -> bytes:
    """The bytes of a text from `decoded`."""
    return text.encode("utf-8", "surrogateescape")
