"""The files of the repository that a Tiltfile includes or loads. Needs no libcst."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable

from migration.edit.tiltfile.text import TiltText

_INCLUDING = re.compile(r"\b(?:include|load|load_dynamic)\(\s*(?:path\s*=\s*)?r?(['\"])([^'\"\n]+)\1")
_COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)


def included(main: TiltText, read: Callable[[str], TiltText | None]) -> tuple[TiltText, ...]:
    """The files that the Tiltfile includes or loads, and those that they include.

    read: the file at a path of the repository, None if it is not to be edited
    """
    found: dict[str, TiltText] = {}
    waiting = [main]
    while waiting:
        file = waiting.pop(0)
        for path in _paths(file):
            known = found.get(path) or read(path) or read(posixpath.join(path, "Tiltfile"))
            if known is not None and known.path not in {main.path, *found}:
                found[known.path] = known
                waiting.append(known)
    return tuple(found.values())


def _paths(file: TiltText) -> list[str]:
    """The paths of the repository that the file includes by a literal path."""
    folder = posixpath.dirname(file.path)
    named = [match[2] for match in _INCLUDING.finditer(_COMMENT.sub("", file.text)) if "://" not in match[2]]
    paths = [posixpath.normpath(posixpath.join(folder, path)) for path in named]
    return [path for path in paths if not path.startswith(("../", "/"))]
