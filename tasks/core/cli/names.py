"""Names that a person typed: the nearest known one, and whether a word can be a name at all."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from tasks.core.errors import Trouble

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9_]{0,61}[a-z0-9])?", re.IGNORECASE)


def nearest(word: str, known: Iterable[str], most: int = 3, near: float = 0.5) -> list[str]:
    """The known names most like the word, best first, at most `most`.

    near: how alike they must be, from 0 (anything) to 1 (the same).
    """
    return difflib.get_close_matches(word, list(known), n=most, cutoff=near)


def must_be_name(word: str, task: str, what: str = "service") -> str:
    """Return the word if it can be a name, else raise Trouble. Invoke passes a flag right after a task as its word."""
    if word.startswith("-"):
        raise Trouble(
            f"'{word}' is not a {what}",
            fix=f"help is `inv --help {task}`; the {what} comes first: `inv {task} NAME {word}`",
        )
    if not _LABEL.fullmatch(word):
        raise Trouble(f"'{word}' cannot be a {what}: letters, digits and '-' only, 63 at most", fix="inv tp.list")
    return word
