"""Reads config/migration.yaml and checks it: every mistake is reported with its line, before anything is planned."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from migration.git import names
from migration.mapping import CLEANUP_STEPS, MOVE_STEPS, OTHER_CLEANUP, REWRITE_STEPS, Mapping, covering
from tasks.core.errors import Trouble

_INSIDE = "write it from the root, without .. and a leading /"


class Mistake(NamedTuple):
    """What is wrong at a place of the file. keys: the place, from the root of the document."""

    keys: tuple[str, ...]
    what: str
    fix: str


def read(path: Path) -> Mapping:
    """Read the mapping in this file. Raises Trouble with file, line and what is wrong."""
    from tasks.core.config.sources import convert, known_keys
    from tasks.core.yaml import strict

    document = strict.read(path)
    known_keys(document, Mapping)
    mapping: Mapping = convert(document.data, Mapping, [document])
    for mistake in _mistakes(mapping):
        raise Trouble(f"{document.where(mistake.keys)}: {mistake.what}", fix=mistake.fix)
    return mapping


def _mistakes(mapping: Mapping) -> Iterator[Mistake]:
    yield from _outside(mapping)
    yield from _moves(mapping)
    yield from _superseded(mapping)
    yield from _keys(mapping)
    yield from _doubles(mapping)
    yield from _rewrites(mapping)
    yield from _bad_patterns(mapping)
    yield from _bad_replacements(mapping)


def _outside(mapping: Mapping) -> Iterator[Mistake]:
    """Paths that lead out of the repository, or into .git."""
    for keys, path in _paths(mapping):
        if not names.is_inside(path):
            yield Mistake(keys, f"'{path}' is not a path inside the repository", _INSIDE)


def _moves(mapping: Mapping) -> Iterator[Mistake]:
    for number, move in enumerate(mapping.moves):
        if move.source.endswith("/") != move.target.endswith("/"):
            what = f"'{move.source}' -> '{move.target}': a folder moves to a folder"
            yield Mistake(("moves", str(number)), what, "end both in / or neither")


def _superseded(mapping: Mapping) -> Iterator[Mistake]:
    for number, row in enumerate(mapping.superseded):
        keys = ("superseded", str(number), "path")
        covers = covering(row.path)
        for move in mapping.moves:
            if covers(move.source):
                what = f"'{row.path}' is too wide: it covers {move.source}, which moves"
                yield Mistake(keys, what, "name what is below it")
        if not row.by.strip() or not row.reason.strip():
            yield Mistake(keys, f"'{row.path}' has no successor or no reason", "fill in `by` and `reason`")


def _keys(mapping: Mapping) -> Iterator[Mistake]:
    """Steps that the suite does not have, or that do not do this kind of work: their rows would be ignored."""
    for number, move in enumerate(mapping.moves):
        yield from _unknown_key(("moves", str(number), "step"), move.step, MOVE_STEPS)
    for number, cleanup in enumerate(mapping.cleanup):
        yield from _unknown_key(("cleanup", str(number), "step"), cleanup.step, CLEANUP_STEPS)
    for number, rewrite in enumerate(mapping.rewrites):
        yield from _unknown_key(("rewrites", str(number), "step"), rewrite.key, (REWRITE_STEPS[rewrite.repo],))


def _unknown_key(keys: tuple[str, ...], step: str, known: Sequence[str]) -> Iterator[Mistake]:
    if step not in known:
        yield Mistake(keys, f"no step '{step}' does this", f"omit `step`, or name one of {', '.join(known)}")


def _doubles(mapping: Mapping) -> Iterator[Mistake]:
    """Rows that say twice, and perhaps differently, what happens to the same path."""
    steps = [(str(n), row.step) for n, row in enumerate(mapping.cleanup) if row.step != OTHER_CLEANUP]
    yield from _repeated("cleanup", "step", steps, "join their paths in one row")
    for name, field, rows in (
        ("moves", "from", [row.source for row in mapping.moves]),
        ("superseded", "path", [row.path for row in mapping.superseded]),
        ("carries", "to", [row.target for row in mapping.carries]),
        ("kept", "path", [row.path for row in mapping.kept]),
    ):
        yield from _repeated(name, field, [(str(n), value) for n, value in enumerate(rows)], "delete one of the rows")


def _repeated(name: str, field: str, rows: list[tuple[str, str]], fix: str) -> Iterator[Mistake]:
    first: dict[str, str] = {}
    for number, value in rows:
        if first.setdefault(value, number) != number:
            yield Mistake((name, number, field), f"'{value}' has two rows in {name}", fix)


def _rewrites(mapping: Mapping) -> Iterator[Mistake]:
    for number, rewrite in enumerate(mapping.rewrites):
        if bool(rewrite.find) == bool(rewrite.pattern):
            what = "either `find` or `pattern` is expected"
            yield Mistake(("rewrites", str(number)), what, "keep one of them")


def _bad_patterns(mapping: Mapping) -> Iterator[Mistake]:
    for keys, pattern in _patterns(mapping):
        try:
            re.compile(pattern)
        except (re.error, RecursionError, OverflowError) as why:
            yield Mistake(keys, f"not a regular expression: {why}", "fix the expression")


def _bad_replacements(mapping: Mapping) -> Iterator[Mistake]:
    for number, rewrite in enumerate(mapping.rewrites):
        try:
            re.sub(rewrite.pattern, rewrite.replacement if rewrite.pattern else "", "")
        except (re.error, IndexError, RecursionError, OverflowError) as why:
            what = f"does not fit the pattern: {why}"
            yield Mistake(("rewrites", str(number), "replacement"), what, "fix the replacement")


def _paths(mapping: Mapping) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield every path that is read, written, deleted or guarded, with its keys."""
    for number, move in enumerate(mapping.moves):
        yield ("moves", str(number), "from"), move.source
        yield ("moves", str(number), "to"), move.target
    for number, carry in enumerate(mapping.carries):
        yield ("carries", str(number), "from"), carry.source
        yield ("carries", str(number), "to"), carry.target
    for number, superseded in enumerate(mapping.superseded):
        yield ("superseded", str(number), "path"), superseded.path
    for number, cleanup in enumerate(mapping.cleanup):
        yield from ((("cleanup", str(number), "paths"), area) for area in cleanup.paths)
    for number, twins in enumerate(mapping.twins):
        yield ("twins", str(number), "one"), twins.one
        yield ("twins", str(number), "other"), twins.other
    yield from ((("never",), path) for path in mapping.never if path != ".git/")
    yield from ((("docs", key), path) for key, path in mapping.docs.items())
    yield from ((("post_create", "also"), path) for path in mapping.post_create.also)
    yield ("post_create", "path"), mapping.post_create.path
    yield ("post_create", "kept_in"), mapping.post_create.kept_in
    yield ("dev_container", "folder"), mapping.dev_container.folder
    yield ("tiltfile", "path"), mapping.tiltfile.path


def _patterns(mapping: Mapping) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield every regular expression, with its keys."""
    start, container = mapping.post_create, mapping.dev_container
    yield from ((("post_create", "obsolete"), pattern) for pattern in start.obsolete)
    yield from ((("post_create", "ours"), pattern) for pattern in start.ours)
    yield from ((("dev_container", "drop_features"), pattern) for pattern in container.drop_features)
    yield from ((("dev_container", "drop_env"), pattern) for pattern in container.drop_env)
    yield ("tiltfile", "releases"), mapping.tiltfile.releases
    yield ("infrastructure", "content"), mapping.infrastructure.content
    yield from ((("rewrites", str(n), "pattern"), row.pattern) for n, row in enumerate(mapping.rewrites))
