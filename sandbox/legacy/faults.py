"""The faults of a pair. They are implemented in faults_written.py, faults_references.py and faults_disturbed.py."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from sandbox.legacy import faults_disturbed as disturbed
from sandbox.legacy import faults_written as written
from sandbox.legacy.faults_containers import CONTAINERS
from sandbox.legacy.faults_git import GIT
from sandbox.legacy.faults_needs import NEED_FAULTS
from sandbox.legacy.faults_proofs import PROOFS
from sandbox.legacy.faults_references import REFERENCES
from sandbox.legacy.faults_scan import SCAN
from sandbox.legacy.faults_suite import SUITE
from sandbox.legacy.faults_tilt import TILT
from sandbox.legacy.faults_tiltfile import TILTFILE
from sandbox.legacy.model import Fault
from tasks.core.errors import Trouble

_WITH_COPIES = ("copied", "one-byte", "mode-bit", "moved-on", "uncommitted", "unpushed", "unpinned")
_NO_WORK_TREE = ("no-gitops", "bare-gitops")

FAULTS: tuple[Fault, ...] = (
    Fault("diverged-twins", "infra/bicep and infra/azure say different machine sizes", write=written.diverged_twins),
    Fault("two-sources", "two files of core have one destination in gitops", write=written.two_sources),
    Fault(
        "file-for-folder",
        "gitops has a file instead of the folder bootstrap/",
        write=written.file_for_folder,
        excludes=(*_WITH_COPIES, "in-the-way"),
    ),
    Fault("odd-names", "names with newline, quote, brackets, backslash and 8-bit bytes", write=written.odd_names),
    Fault("crlf", "Tiltfile, devcontainer.json, README and a config end lines with CRLF", write=written.crlf),
    Fault("bom", "the same files begin with a byte order mark", write=written.bom),
    Fault(
        "argo-consumer",
        "an Application in gitops syncs a path of core that the migration deletes",
        write=written.argo_consumer,
    ),
    *REFERENCES,
    *CONTAINERS,
    *TILT,
    *SCAN,
    *NEED_FAULTS,
    *PROOFS,
    Fault("decoys", "words and paths that only look like references", write=written.decoys),
    Fault("team-lines", "postCreate.sh has additional lines of a team", write=written.team_lines),
    Fault("broken-tiltfile", "the Tiltfile has a syntax error", write=written.broken_tiltfile),
    *TILTFILE,
    Fault("no-default-registry", "the Tiltfile never calls default_registry", write=written.no_default_registry),
    Fault("terraform", "infrastructure code that is in no table of the migration", write=written.terraform),
    Fault("copied", "phase 1 was done by hand: all copies are in gitops", write=written.copied),
    Fault("one-byte", "all copies are in gitops, one differs in one byte", write=written.one_byte),
    Fault("mode-bit", "all copies are in gitops, one lost its executable bit", write=written.mode_bit),
    Fault("moved-on", "all copies are in gitops, one was changed there later", write=written.moved_on),
    Fault(
        "uncommitted",
        "all copies are in gitops, one only in its work tree",
        write=written.elsewhere("uncommitted", "gitops_loose"),
        excludes=_NO_WORK_TREE,
    ),
    Fault(
        "unpushed",
        "all copies are in gitops, one in a commit that was not pushed",
        write=written.elsewhere("unpushed", "gitops_local"),
        needs_remotes=True,
    ),
    Fault(
        "unpinned",
        "all copies are in gitops, one in a commit that core does not pin",
        write=written.elsewhere("unpinned", "gitops_unpinned"),
        excludes=("unpushed",),
    ),
    Fault("dirty-tree", "core has a change that is not committed", disturb=disturbed.dirty_tree),
    Fault("dirty-gitops", "gitops has a staged change", disturb=disturbed.dirty_gitops, excludes=_NO_WORK_TREE),
    Fault("merge-in-progress", "core is in the middle of a merge", disturb=disturbed.merge_in_progress),
    Fault(
        "rebase-in-progress",
        "core is in the middle of a rebase",
        disturb=disturbed.rebase_in_progress,
        excludes=("merge-in-progress", "dirty-tree"),
    ),
    Fault(
        "detached-head",
        "core is on no branch",
        disturb=disturbed.detached_head,
        excludes=("merge-in-progress", "rebase-in-progress"),
    ),
    Fault("shallow", "core is a shallow clone", disturb=disturbed.shallow),
    Fault(
        "ignored-files",
        "folders that the migration deletes hold untracked files with tokens",
        disturb=disturbed.ignored_files,
    ),
    Fault("in-the-way", "gitops has an untracked file at the destination of a copy", disturb=disturbed.in_the_way),
    Fault("submodule-not-checked-out", "core's gitops submodule is empty", disturb=disturbed.submodule_not_checked_out),
    Fault(
        "submodule-elsewhere",
        "core's gitops submodule is at another commit than the pin",
        disturb=disturbed.submodule_elsewhere,
        excludes=("submodule-not-checked-out", *_NO_WORK_TREE),
    ),
    Fault("no-gitops", "there is no gitops repository", disturb=disturbed.no_gitops, excludes=("bare-gitops",)),
    Fault("bare-gitops", "the gitops repository is bare", disturb=disturbed.bare_gitops, excludes=("in-the-way",)),
    *GIT,
    *SUITE,
    Fault("index-lock", "another git process holds the lock of core's index", disturb=disturbed.index_lock),
)


def named(names: Sequence[str], remotes: bool) -> tuple[Fault, ...]:
    """Find faults by name, in the order of the table. Raises Trouble for an unknown or impossible one."""
    known = {fault.name: fault for fault in FAULTS}
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=3) or sorted(known)
            raise Trouble(f"{name!r} is not a fault", fix=f"--with {' or '.join(near)}")
        if known[name].needs_remotes and not remotes:
            raise Trouble(f"{name} needs remotes", fix="generate the pair with remotes")
        for other in known[name].excludes:
            if other in names:
                raise Trouble(f"{name} and {other} exclude each other", fix="generate a separate pair for each")
    return tuple(fault for fault in FAULTS if fault.name in names)
