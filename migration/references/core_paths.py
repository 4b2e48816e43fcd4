"""Whether a file may name a path of core at all: a quick look, before it is scanned line by line."""

from __future__ import annotations

import posixpath
import re

from migration.git.objects import Tree, decode

_TOKEN = re.compile(rb"[\w.@+*~/-]+")
_DATA = (".yaml", ".yml", ".json", ".md", ".txt", ".svg", ".csv")  # in which no path is composed from several strings
_MOST_PARTS = 3  # of a path before which a variable may be


class CorePaths:
    """The files and folders of core."""

    def __init__(self, tree: Tree) -> None:
        self._places = set(tree.files)
        for path in tree.files:
            folder = posixpath.dirname(path)
            while folder and folder not in self._places:
                self._places.add(folder)
                folder = posixpath.dirname(folder)
        self._names = {posixpath.basename(place).encode("utf-8", "surrogateescape") for place in self._places}

    def may_be_named(self, path: str, data: bytes) -> bool:
        """May this file name a path outside its own folder? Always true for code, which may compose one."""
        if not path.endswith(_DATA):
            return True
        folder = posixpath.dirname(path)
        return any(self._leads(folder, token) for token in set(_TOKEN.findall(data)) if b"/" in token)

    def _leads(self, folder: str, token: bytes) -> bool:
        text = decode(token).strip("/")
        if token.rstrip(b"/.").rpartition(b"/")[2] not in self._names:
            return token.strip(b"./") == b""  # `..` alone is a folder
        parts = text.split("/")
        ends = ["/".join(parts[start:]) for start in range(min(len(parts), _MOST_PARTS))]
        places = [text.lstrip("./"), *ends, *(f"{folder}/{end}" for end in ends)]
        if ".." in parts:
            places.append(posixpath.normpath(f"{folder}/{text}"))
        return any(place in self._places and not f"{folder}/".startswith(f"{place}/") for place in places)
