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
        return any(part in text for part in self.texts) or any(self.is_deleted(path) for path in paths_in(text))


def paths_in(text: str) -> list[str]:
    """The path-like parts of a string, such as infra/k3d/up.sh in 'bash ./infra/k3d/up.sh'."""
    return [part.removeprefix("./").rstrip(".,:") for part in re.findall(r"[\w.@*/-]*/[\w.@*/-]*", text)]
