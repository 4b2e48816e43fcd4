"""Phase 5: write the documentation, and run the trials on the target."""

from __future__ import annotations

from collections.abc import Callable

from migration import trials
from migration.edit import documents
from migration.edit.doc_sections import section_in
from migration.simulation import Draft, Simulation
from migration.step import MigrationStep
from tasks.core.errors import Trouble

_DEFAULT_PATHS = {
    "DOC-10": "docs/dev-workflows/telepresence.md",
    "DOC-11": "README.md",
    "DOC-12": "docs/dev-workflows/troubleshooting.md",
    "DOC-13": "docs/dev-workflows/access.md",
}


def _write_section(text_of: Callable[[Simulation], str]) -> Callable[[Draft], None]:
    """A step that writes a section of a document from the suite's own tables; the rest of the document stays."""

    def plan(draft: Draft) -> None:
        simulation = draft.simulation
        path = simulation.mapping.docs.get(draft.key, _DEFAULT_PATHS[draft.key])
        old = simulation.core.text(path) or b""
        new = section_in(old, draft.key, text_of(simulation))
        draft.write("core", path, new, "write the section from the suite's tables")

    return plan


def _run_trial(draft: Draft) -> None:
    """Run the trial on the target, unless there is a record of it for this commit."""
    simulation = draft.simulation
    record = trials.record_of(draft.key, simulation)
    if record is not None:
        draft.note(record.text())
        return
    try:
        trials.must_have_target(simulation.settings)
    except Trouble as error:
        draft.unknown = error.problem
        return
    draft.run("core", f"{trials.described(draft.key)} and record the seconds")


STEPS = (
    MigrationStep(
        "DOC-10",
        5,
        "the Telepresence guide describes the shared cluster",
        _write_section(documents.telepresence),
        needs=("RF-20",),
    ),
    MigrationStep("DOC-11", 5, "the README describes how to start", _write_section(documents.start), needs=("RF-20",)),
    MigrationStep(
        "DOC-12", 5, "the troubleshooting guide exists", _write_section(documents.troubleshooting), needs=("RF-20",)
    ),
    MigrationStep(
        "DOC-13", 5, "the access prerequisites are documented", _write_section(documents.access), needs=("RF-20",)
    ),
    MigrationStep("VAL-10", 5, "a fresh dev container starts within its budget", _run_trial),
    MigrationStep("VAL-11", 5, "Tilt deploys to the target", _run_trial),
    MigrationStep("VAL-12", 5, "an intercept receives traffic, with proof", _run_trial),
)
