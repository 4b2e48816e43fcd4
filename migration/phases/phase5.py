"""Phase 5: written down for people, and proven on the target."""

from __future__ import annotations

from collections.abc import Callable

from migration import trials
from migration.edit import documents
from migration.edit.doc_sections import section_in
from migration.simulation import Draft, Simulation
from migration.step import MigrationStep
from tasks.core.errors import Trouble

_PLACES = {
    "DOC-10": "docs/dev-workflows/telepresence.md",
    "DOC-11": "README.md",
    "DOC-12": "docs/dev-workflows/troubleshooting.md",
    "DOC-13": "docs/dev-workflows/access.md",
}


def _documented(text_of: Callable[[Simulation], str]) -> Callable[[Draft], None]:
    """A section between marks says what the suite's own tables say; all around it is left alone."""

    def plan(draft: Draft) -> None:
        simulation = draft.simulation
        path = simulation.mapping.docs.get(draft.key, _PLACES[draft.key])
        old = simulation.core.text(path) or b""
        new = section_in(old, draft.key, text_of(simulation))
        draft.write("core", path, new, "a section between marks, from the suite's tables")

    return plan


def _proven(draft: Draft) -> None:
    """It was run for real on the target, for this commit."""
    simulation = draft.simulation
    record = trials.record_of(draft.key, simulation)
    if record is not None:
        draft.note(record.text())
        return
    try:
        trials.must_have_target(simulation.settings)
    except Trouble as why:
        draft.unknown = why.problem
        return
    draft.run("core", f"{trials.described(draft.key)} and keep the seconds")


STEPS = (
    MigrationStep(
        "DOC-10",
        5,
        "the Telepresence guide says how it is done now",
        _documented(documents.telepresence),
        needs=("RF-20",),
    ),
    MigrationStep("DOC-11", 5, "the README says how to start", _documented(documents.start), needs=("RF-20",)),
    MigrationStep(
        "DOC-12", 5, "there is a troubleshooting guide", _documented(documents.troubleshooting), needs=("RF-20",)
    ),
    MigrationStep(
        "DOC-13", 5, "the prerequisites of access are written down", _documented(documents.access), needs=("RF-20",)
    ),
    MigrationStep("VAL-10", 5, "a fresh dev container starts, in its budget", _proven),
    MigrationStep("VAL-11", 5, "Tilt deploys to the target", _proven),
    MigrationStep("VAL-12", 5, "an intercept routes, with proof", _proven),
)
