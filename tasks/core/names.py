"""Names as people type them: both spellings of tasks, and the nearest of what is known."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterable
from typing import Any

from invoke.collection import Collection
from invoke.parser.context import ParserContext

from tasks.core.errors import Trouble

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9_]{0,61}[a-z0-9])?", re.IGNORECASE)
_dashed = Collection.to_contexts


def as_typed(optional: Iterable[str] = ()) -> None:
    """Let Invoke take names as people type them.

    `inv migrate.cleanup_infra` means `inv migrate.cleanup-infra`; `--list` shows one spelling. The tasks named in
    `optional` may be followed by a word or not (`inv leave`, `inv leave NAME`), which Invoke itself cannot express:
    their positional is taken as given, empty, when no word follows in argv.

    Invoke 3 transforms every name when the root collection is asked, so what its parser is given is the one seam.
    """
    lenient = set(optional)

    def to_contexts(self: Collection, *args: Any, **kwargs: Any) -> list[ParserContext]:
        contexts = _dashed(self, *args, **kwargs)
        for context in contexts:
            names = {context.name or "", *context.aliases}
            context.aliases = (*context.aliases, *sorted({n.replace("-", "_") for n in names} - names))
            if lenient & names and not _word_follows({*names, *context.aliases}):
                for argument in context.positional_args:
                    argument.value = ""
        return contexts

    Collection.to_contexts = to_contexts  # type: ignore[method-assign]


def _word_follows(names: set[str]) -> bool:
    """Does a word that is no flag follow one of these task names on the command line?"""
    words = sys.argv[1 : sys.argv.index("--") if "--" in sys.argv else None]
    place = next((i for i, word in enumerate(words) if word in names), len(words))
    return any(not word.startswith("-") for word in words[place + 1 :])


def nearest(word: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The known names most like the word, best first; empty when none is near."""
    return difflib.get_close_matches(word, list(known), n=most, cutoff=0.5)


def must_be_name(word: str, task: str, what: str = "service") -> str:
    """The word, when it can be a name. Invoke hands a flag that follows a task to its positional: that is refused here."""
    if word.startswith("-"):
        raise Trouble(
            f"'{word}' is not a {what}",
            fix=f"help is `inv --help {task}`; the {what} comes first: `inv {task} NAME {word}`",
        )
    if not _LABEL.fullmatch(word):
        raise Trouble(f"'{word}' cannot be a {what}: letters, digits and '-' only, 63 at most", fix="inv tp.list")
    return word
