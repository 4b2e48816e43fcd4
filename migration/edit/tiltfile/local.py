"""How a text shows that it belongs to the local cluster. Needs no libcst."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class LocalCluster:
    """texts: such as a registry's host; is_deleted: does the migration delete this path?"""

    texts: tuple[str, ...]
    is_deleted: Callable[[str], bool]

    def is_named_in(self, text: str) -> bool:
        """Does the text name the local cluster or a deleted path?"""
        return self.has_text(text) or any(self.is_deleted(path) for path in paths_in(text))

    def has_text(self, text: str) -> bool:
        """Does the text have a word of the local cluster in it?"""
        return any(part in text for part in self.texts)


def paths_in(text: str) -> list[str]:
    """The path-like parts of a string, such as infra/k3d/up.sh in 'bash ./infra/k3d/up.sh'."""
    return [part.removeprefix("./").rstrip(".,:") for part in re.findall(r"[\w.@*/-]*/[\w.@*/-]*", text)]
