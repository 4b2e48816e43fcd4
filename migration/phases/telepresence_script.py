"""The team's own Telepresence script: it becomes a helper that calls the suite's tasks."""

from __future__ import annotations

import re

from migration.edit.telepresence_helper import VERBS, calls_the_suite, helper
from migration.model import Reason
from migration.simulation import Draft

_LABEL = re.compile(r"^\s*(['\"]?[a-z][a-z-]*['\"]?(?:\s*\|\s*['\"]?[a-z][a-z-]*['\"]?)*)\)")  # of a `case`


def call_suite(draft: Draft) -> None:
    """Write the helper, unless the team's script has a verb that no task of the suite does."""
    simulation, path = draft.simulation, draft.simulation.mapping.telepresence_script
    data = simulation.core.text(path) if path else None
    if data is None:
        draft.unused = "core has no script for Telepresence"
        return
    if calls_the_suite(data):
        return
    own = _other_verbs(data.decode("utf-8", "replace"))
    if own and not simulation.accepted(path):
        line, verb = own[0]
        fix = (
            f"no task of the suite does {verb}; move it to a script of its own, or accept that it goes: --accept {path}"
        )
        draft.block(path, Reason.CUSTOM, f"core:{path}:{line}", fix)
        return
    text = "call inv tp.connect, intercept, leave, tp.who, tp.status and tp.quit"
    draft.write("core", path, helper(path), text, mode="100755", destroys=path if own else "")


def _other_verbs(text: str) -> list[tuple[int, str]]:
    """Return line and name of each branch of the script that the helper does not have."""
    labels = [(number, match[1]) for number, row in enumerate(text.splitlines(), 1) if (match := _LABEL.match(row))]
    verbs = [(number, verb.strip(" '\"")) for number, names in labels for verb in names.split("|")]
    return [(number, verb) for number, verb in verbs if verb not in VERBS]
