"""Phase 2: let the dev container install, log in and connect by the suite, without a local cluster."""

from __future__ import annotations

import json
import shlex
from typing import Any

from migration import carried_suite
from migration.edit.devcontainer import Action, Edit, edits_for
from migration.edit.dockerfile import lacks_tools, with_tools
from migration.edit.jsonc import Jsonc, plain
from migration.git.facts import TRAILER
from migration.git.objects import Entry
from migration.model import Reason
from migration.phases.phase4 import delete_files
from migration.phases.post_create import simplify_post_create, simplify_start_scripts
from migration.simulation import Draft
from migration.step import MigrationStep
from tasks.core import origin
from tasks.core.errors import Trouble
from tasks.core.repository import DEFAULT_FOLDER, MAPPING, repository_root

_IGNORED = (".remote-dev/", ".env")
_CONTAINER = ".devcontainer/devcontainer.json"  # of the suite


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
        draft.note(f"core has another version of the suite; there: inv suite.update --from {_shown_root()}")


def _shown_root() -> str:
    return shlex.quote(str(repository_root()))


def _carry_files(draft: Draft) -> None:
    simulation = draft.simulation
    changed = {
        path: (mode, data)
        for path, (mode, data) in simulation.suite.items()
        if simulation.core.tree.get(path) != Entry(mode, simulation.core.blobs.plan(data, simulation.core.width))
    }
    ours = _written_by_us(draft, [path for path in changed if path in simulation.core.tree])
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


def _written_by_us(draft: Draft, paths: list[str]) -> set[tuple[str, Entry]]:
    """What earlier runs of this step wrote at these paths."""
    facts = draft.simulation.core.facts
    if not paths:
        return set()
    commits = facts.git.read("log", "--format=%H", f"--grep=^{TRAILER}: {draft.key}$", facts.at).decode().split()
    entries: set[tuple[str, Entry]] = set()
    for commit in commits:
        tree = facts.tree_of(commit)
        entries |= {(path, tree.files[path]) for path in paths if path in tree}
    return entries


def _ignore_local_files(draft: Draft) -> None:
    patterns = (_IGNORED[0], f"{draft.simulation.config}/settings.local.yaml", *_IGNORED[1:])
    old = draft.simulation.core.text(".gitignore") or b""
    lines = old.decode("utf-8", "surrogateescape").splitlines()
    missing = [pattern for pattern in patterns if pattern not in lines]
    if missing:
        end = b"\r\n" if b"\r\n" in old else b"\n"
        head = old if not old or old.endswith(b"\n") else old + end
        new = head + b"".join(pattern.encode() + end for pattern in missing)
        draft.write("core", ".gitignore", new, "ignore files of this workstation")


def edit_container(draft: Draft) -> None:
    """Remove the local cluster from devcontainer.json, and add what the tunnel needs."""
    path = f"{draft.simulation.mapping.dev_container.folder}/devcontainer.json"
    data = draft.simulation.core.text(path)
    if data is None:
        _block_other_containers(draft, path)
        return
    try:
        new = _edited_container(draft, path, data.decode("utf-8", "surrogateescape"))
    except Trouble as error:
        draft.block(path, Reason.CUSTOM, f"core:{path}", f"{error.what}; {error.fix}")
        return
    change = "no local cluster; device and capability for the tunnel, volumes of this workspace"
    draft.write("core", path, new.encode("utf-8", "surrogateescape"), change)


def _block_other_containers(draft: Draft, path: str) -> None:
    for other in draft.simulation.core.tree.under(".devcontainer"):
        if other.endswith("devcontainer.json"):
            fix = f"{path} does not exist, but this file does; set dev_container.folder to its folder"
            draft.block(other, Reason.CUSTOM, MAPPING, fix)


def _edited_container(draft: Draft, path: str, text: str) -> str:
    """The text of devcontainer.json after all edits. Raises Trouble when it cannot be edited."""
    mapping = draft.simulation.mapping
    template = carried_suite.template(_CONTAINER)
    wanted = plain(template.decode(), "the suite's devcontainer.json") if template else {}
    now = plain(text, path)
    edits = edits_for(now, wanted, mapping.dev_container)
    _note_unused_script(draft, now)
    if not edits:
        return text
    document = Jsonc(text, path)
    for edit in edits:
        edit.apply(document)
        _note_replaced_volume(draft, edit)
    return document.whole()


def _note_unused_script(draft: Draft, now: dict[str, Any]) -> None:
    script = draft.simulation.mapping.post_create.path
    if script not in json.dumps(now.get("postCreateCommand", script)):
        draft.note(f"postCreateCommand does not call {script}: inv setup does not run when the container is created")


def _note_replaced_volume(draft: Draft, edit: Edit) -> None:
    if edit.action is Action.DROP and "target=" in str(edit.value):
        draft.note(f"the shared volume `{edit.value}` is replaced by a volume of this workspace")


def add_tools(draft: Draft) -> None:
    """Add telepresence, kubelogin, iptables and sshfs to the dev container's image, pinned and verified."""
    simulation, folder = draft.simulation, draft.simulation.mapping.dev_container.folder
    config = simulation.core.text(f"{folder}/devcontainer.json")
    if config is None:
        return
    try:
        build = plain(config.decode("utf-8", "surrogateescape"), "devcontainer.json").get("build", {})
    except Trouble:
        return  # DC-11 reports it
    path = f"{folder}/{build.get('dockerfile', 'Dockerfile')}"
    data = simulation.core.text(path)
    if data is None:
        fix = (
            f"build the image from a Dockerfile: add {folder}/Dockerfile and set build.dockerfile in devcontainer.json"
        )
        draft.block(path, Reason.CUSTOM, f"core:{folder}/devcontainer.json", fix)
        return
    template = carried_suite.template(".devcontainer/Dockerfile")
    text = data.decode("utf-8", "surrogateescape")
    if template is not None and lacks_tools(text):
        is_own_context = str(build.get("context", ".")) in {".", "./"}
        prefix = "" if is_own_context else f"{folder}/"
        _write_dockerfile(draft, path, *with_tools(text, template.decode(), prefix))


def _write_dockerfile(draft: Draft, path: str, text: str, copied_files: list[str]) -> None:
    draft.write(
        "core", path, text.encode("utf-8", "surrogateescape"), "install pinned tools, each verified by its checksum"
    )
    for name in copied_files:
        data = carried_suite.template(f".devcontainer/{name}")
        if data is not None:
            mode = "100755" if name.endswith(".sh") else "100644"
            place = f"{draft.simulation.mapping.dev_container.folder}/{name}"
            draft.write("core", place, data, "a file that the Dockerfile copies", mode=mode)


STEPS = (
    MigrationStep("RF-20", 2, "the suite is in core", carry_suite),
    MigrationStep("DC-10", 2, "postCreate.sh creates no local cluster", simplify_post_create),
    MigrationStep("DC-11", 2, "devcontainer.json has no local cluster, and what the tunnel needs", edit_container),
    MigrationStep("DC-12", 2, "postCreate.sh bootstraps no Argo CD", simplify_post_create),
    MigrationStep("DC-13", 2, "AKS credentials come from inv setup", simplify_post_create, needs=("RF-20",)),
    MigrationStep("DC-14", 2, "inv setup connects the tunnel", simplify_post_create, needs=("RF-20",)),
    MigrationStep(
        "DC-15", 2, "the image has telepresence, kubelogin, iptables and sshfs, pinned and verified", add_tools
    ),
    MigrationStep("RF-21", 2, "the start scripts need no local cluster", simplify_start_scripts),
    MigrationStep("DC-16", 2, "", delete_files, needs=("DC-10", "RF-21")),
)
