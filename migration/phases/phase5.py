"""Phase 5: write the documentation, and run the trials on the target."""

from __future__ import annotations

from collections.abc import Callable

from migration import trials
from migration.edit import documents
from migration.edit.doc_sections import section_in
from migration.model import Step
from migration.simulation import Draft, World
from tasks.core.errors import Trouble

_DEFAULT_PATHS = {
    "DOC-10": "docs/dev-workflows/telepresence.md",
    "DOC-11": "README.md",
    "DOC-12": "docs/dev-workflows/troubleshooting.md",
    "DOC-13": "docs/dev-workflows/access.md",
}


def _write_section(text_of: Callable[[World], str]) -> Callable[[Draft], None]:
    """A step that writes a section of a document from the suite's own tables; the rest of the document stays."""

    def plan(draft: Draft) -> None:
        world = draft.world
        path = world.mapping.docs.get(draft.key, _DEFAULT_PATHS[draft.key])
        old = world.core.text(path) or b""
        new = section_in(old, draft.key, text_of(world))
        draft.write("core", path, new, "write the section from the suite's tables")

    return plan


def _run_trial(draft: Draft) -> None:
    """Run the trial on the target, unless there is a record of it for this commit."""
    world = draft.world
    record = trials.record_of(draft.key, world)
    if record is not None:
        draft.note(record.text())
        return
    try:
        trials.must_have_target(world.settings)
    except Trouble as error:
        draft.unknown = f"{error.what}; {error.fix}"
        return
    draft.run("core", f"{trials.told(draft.key)} and record the seconds")


STEPS = (
    Step(
        "DOC-10",
        5,
        "the Telepresence guide describes the shared cluster",
        _write_section(documents.telepresence),
        needs=("RF-20",),
    ),
    Step("DOC-11", 5, "the README describes how to start", _write_section(documents.start), needs=("RF-20",)),
    Step("DOC-12", 5, "the troubleshooting guide exists", _write_section(documents.troubleshooting), needs=("RF-20",)),
    Step("DOC-13", 5, "the access prerequisites are documented", _write_section(documents.access), needs=("RF-20",)),
    Step("VAL-10", 5, "a fresh dev container starts within its budget", _run_trial),
    Step("VAL-11", 5, "Tilt deploys to the target", _run_trial),
    Step("VAL-12", 5, "an intercept receives traffic, with proof", _run_trial),
)
