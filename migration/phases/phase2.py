"""Phase 2: let the dev container install, log in and connect by the suite, without a local cluster."""

from __future__ import annotations

import shlex

from migration.git.objects import Entry
from migration.model import Reason
from migration.phases.container_tools import add_tools
from migration.phases.dev_container import edit_container
from migration.phases.old_start import describe_start
from migration.phases.phase4 import delete_files
from migration.phases.start_scripts import run_setup, simplify_post_create, simplify_start_scripts
from migration.phases.telepresence_script import call_suite
from migration.phases.written_files import written_by_us
from migration.simulation import Draft
from migration.step import MigrationStep
from tasks.core import origin
from tasks.core.repository import DEFAULT_FOLDER, repository_root

_IGNORED = (".remote-dev/", ".env", "__pycache__/")


def carry_suite(draft: Draft) -> None:
    """Copy the suite into core: task files, settings, the starter with its lock, what the Tiltfile loads."""
    if not draft.simulation.suite:
        return
    if origin.MANIFEST in draft.simulation.core.tree:
        _note_other_version(draft)
    else:
        _carry_files(draft)
    _ignore_local_files(draft)
    if draft.blocks:  # half a suite would not run
        draft.barred = True
        draft.note("nothing is copied before the files in its place are moved, or accepted as lost")


def _note_other_version(draft: Draft) -> None:
    """What was carried once is the business of suite.update: it knows what the team edited and deleted since."""
    carried, now = (draft.simulation.core.text(origin.MANIFEST) or b"", draft.simulation.suite[origin.MANIFEST][1])
    if origin.read(carried).files != origin.read(now).files:
        here = shlex.quote(str(repository_root()))
        draft.note(f"core has another version of the suite; there: inv suite.update --from {here}")


def _carry_files(draft: Draft) -> None:
    simulation = draft.simulation
    changed = {
        path: (mode, data)
        for path, (mode, data) in simulation.suite.items()
        if simulation.core.tree.get(path) != Entry(mode, simulation.core.blobs.plan(data, simulation.core.width))
    }
    ours = written_by_us(draft, [path for path in changed if path in simulation.core.tree])
    for path, (mode, data) in changed.items():
        _carry_file(draft, path, mode, data, ours)
    if simulation.config != DEFAULT_FOLDER:
        draft.note(f"the settings are in {simulation.config}: config/ has other files; config= in scripts/inv says so")


def _carry_file(draft: Draft, path: str, mode: str, data: bytes, ours: set[tuple[str, Entry]]) -> None:
    """Copy a file of the suite; one of the team's in its place is replaced only if the user accepts that."""
    existing = draft.simulation.core.tree.get(path)
    if existing is not None and path.startswith(f"{draft.simulation.config}/"):
        return  # the team's own values
    if existing is None or (path, existing) in ours:
        draft.write("core", path, data, "a file of the suite", mode=mode)
    elif draft.simulation.accepted(path):
        draft.write("core", path, data, "a file of the suite", mode=mode, destroys=path)
    else:
        place = shlex.quote(path)
        fix = f"this file is yours: git mv {place} elsewhere, or accept that it is replaced: --accept {place}; docs/suite.md"
        draft.block(path, Reason.CUSTOM, f"core:{path}", fix)


def _ignore_local_files(draft: Draft) -> None:
    patterns = (_IGNORED[0], f"{draft.simulation.config}/settings.local.yaml", *_IGNORED[1:])
    old = draft.simulation.core.text(".gitignore") or b""
    lines = {line.strip().rstrip("/") for line in old.decode("utf-8", "surrogateescape").splitlines()}
    missing = [pattern for pattern in patterns if pattern.rstrip("/") not in lines]
    if missing:
        end = b"\r\n" if b"\r\n" in old else b"\n"
        head = old if not old or old.endswith(b"\n") else old + end
        new = head + b"".join(pattern.encode() + end for pattern in missing)
        draft.write("core", ".gitignore", new, "ignore files of this workstation")


STEPS = (
    MigrationStep("RF-20", 2, "the suite is in core", carry_suite),
    MigrationStep("DC-10", 2, "postCreate.sh creates no local cluster", simplify_post_create),
    MigrationStep(
        "DC-11",
        2,
        "devcontainer.json has no local cluster, and what the tunnel needs",
        edit_container,
        needs=("DC-10",),
    ),
    MigrationStep("DC-12", 2, "postCreate.sh bootstraps no Argo CD", simplify_post_create),
    MigrationStep("DC-13", 2, "AKS credentials come from inv setup", run_setup, needs=("RF-20",)),
    MigrationStep("DC-14", 2, "inv setup connects the tunnel", run_setup, needs=("RF-20",)),
    MigrationStep(
        "DC-15", 2, "the image has telepresence, kubelogin, iptables and sshfs, pinned and verified", add_tools
    ),
    MigrationStep("RF-21", 2, "the start scripts need no local cluster", simplify_start_scripts),
    MigrationStep(
        "RF-22", 2, "the documents describe the start without a local cluster", describe_start, needs=("RF-20",)
    ),
    MigrationStep("RF-23", 2, "the Telepresence script calls the suite", call_suite, needs=("RF-20",)),
    MigrationStep("DC-16", 2, "", delete_files, needs=("DC-10", "RF-21")),
)
