"""Names as people type them: both spellings of tasks, and the nearest of what is known."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Iterable
from itertools import pairwise
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
            _no_flag_is_empty({*names, *context.aliases}, context)
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


def _no_flag_is_empty(names: set[str], context: ParserContext) -> None:
    """Invoke takes `--only` with nothing behind it for no --only at all, and `inv tilt.up --only` would deploy everything."""
    words = [*sys.argv[1 : sys.argv.index("--") if "--" in sys.argv else None], "-"]
    place = next((i for i, word in enumerate(words) if word in names), len(words))
    repeatable = {flag for flag, argument in context.flags.items() if argument.kind is list}
    for word, after in pairwise(words[place:]):
        if word in repeatable and after.startswith("-"):
            raise Trouble(f"{word} needs a value", fix=f"inv --help {context.name}")


def not_understood(said: str, context: Any, contexts: Any) -> Trouble:
    """Invoke's own words about a command line, as an error of ours.

    said: what its parser says; context: the task that it was reading, if any; contexts: all tasks, by their names.
    """
    task = str(getattr(context, "name", None) or "")
    lead = f"inv --help {task}" if task else "inv --list"
    found = re.fullmatch(r"No idea what '(.*)' is!", said, re.DOTALL)
    if found is None:
        value = re.fullmatch(r"Flag <Argument: ([\w-]+).*> needed value and was not given one!", said)
        missing = re.fullmatch(r"'.*' did not receive required positional arguments: '(\w+)'.*", said)
        if missing:
            return Trouble(f"{task} needs a {missing[1]}", fix=f"inv {task} {missing[1].upper()}; help: {lead}")
        return Trouble(f"--{value[1].replace('_', '-')} needs a value" if value else said, fix=lead)
    word = found[1]
    if word.startswith("-"):
        near = nearest(word, context.flags if task else (), 1, 0.6)
        what = f"{task or 'inv'} has no flag {word}"
        lead = lead if task else "inv --help"
    else:
        near = nearest(word, contexts, 1, 0.6)
        what = f"there is no task '{word}'" if not task else f"{task} takes no word '{word}', and it is no task"
        if not task and any(name.startswith(f"{word}.") for name in contexts):
            return Trouble(f"'{word}' is a namespace and no task", fix=f"inv --list {word}")
    return Trouble(what, fix=f"did you mean {near[0]}? help: {lead}" if near else lead)


def nearest(word: str, known: Iterable[str], most: int = 3, near: float = 0.5) -> list[str]:
    """The known names most like the word, best first; empty when none is near (1 is the same, 0 nothing like it)."""
    return difflib.get_close_matches(word, list(known), n=most, cutoff=near)


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
