"""Faults of what git itself keeps: hidden changes, conversions, hooks, locks, leftovers, other repositories inside."""

from __future__ import annotations

from hashlib import sha256

from sandbox.legacy.archive import Entry
from sandbox.legacy.git import git
from sandbox.legacy.model import Draft, Fault, Pair

HIDDEN = {
    "assume-unchanged": "infra/kubernetes/scripts/run-migrations.sh",
    "skip-worktree": "infra/kubernetes/values/platform/agents.yaml",
}
"""Bit -> a file of core that the migration deletes."""

HIDDEN_TEXT = "# a change of a person that git status does not show\n"
MARKER = "a-hook-ran"
LFS_PATH, LFS_OBJECT = "tools/bootstrap/media/tour.mp4", b"not really a film\n"
CONVERTED = {
    "tools/bootstrap/windows/start.cmd": b"@echo off\ncall bootstrap\n",
    "tools/bootstrap/windows/messages.utf16": "größer\n".encode(),
    "tools/bootstrap/windows/version.id": b"$Id$\n",
}
LOCKS = ("packed-refs.lock", "HEAD.lock", "config.lock")
LEFTOVERS = ("remote-first.lock.4194304", "remote-first/journal.json.4194304.new", "remote-first/index.new")
_ATTRIBUTES = ".gitattributes"
_CONVERSIONS = b"*.cmd text eol=crlf\n*.utf16 text working-tree-encoding=UTF-16LE\n*.id ident\n"


def hidden_changes(pair: Pair) -> None:
    for bit, path in HIDDEN.items():
        git(pair.core, "update-index", f"--{bit}", "--", path)
        with (pair.core / path).open("a", encoding="utf-8") as file:
            file.write(HIDDEN_TEXT)


def lfs_pointers(draft: Draft) -> None:
    _add(draft.core, _ATTRIBUTES, b"*.mp4 filter=lfs diff=lfs merge=lfs -text\n")
    draft.core[LFS_PATH] = Entry(lfs_pointer())


def lfs_pointer() -> bytes:
    oid = sha256(LFS_OBJECT).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(LFS_OBJECT)}\n".encode()


def conversions(draft: Draft) -> None:
    for tree in (draft.core, draft.gitops):
        _add(tree, _ATTRIBUTES, _CONVERSIONS)
    for path, data in CONVERTED.items():
        draft.core[path] = Entry(data)


def _add(tree: dict[str, Entry], path: str, lines: bytes) -> None:
    old = tree.get(path)
    tree[path] = Entry((old.data if old else b"") + lines)


def marking_hooks(pair: Pair) -> None:
    names = [
        "reference-transaction",
        "post-index-change",
        "post-checkout",
        "pre-commit",
        "post-commit",
        "fsmonitor-watchman",
    ]
    for folder in (pair.core, pair.gitops):
        for name in names:
            hook = folder / ".git/hooks" / name
            hook.parent.mkdir(exist_ok=True)
            hook.write_text(f'#!/bin/sh\necho {name} >> "$(git rev-parse --absolute-git-dir)/{MARKER}"\n')
            hook.chmod(0o755)
        (folder / ".git" / MARKER).unlink(missing_ok=True)


def foreign_locks(pair: Pair) -> None:
    for name in LOCKS:
        (pair.core / ".git" / name).touch()


def killed_run(pair: Pair) -> None:
    for name in LEFTOVERS:
        place = pair.core / ".git" / name
        place.parent.mkdir(exist_ok=True)
        place.write_text('{"run": "half a')


def link_as_folder(pair: Pair) -> None:
    outside = pair.gitops.parent / "outside"
    outside.mkdir()
    (outside / "bootstrap.sh").write_text("# not in a repository\n")
    (pair.gitops / "bootstrap").symlink_to(outside)


def work_tree_inside(pair: Pair) -> None:
    git(pair.gitops, "worktree", "add", "--quiet", "--detach", "bootstrap")


GIT: tuple[Fault, ...] = (
    Fault(
        "hidden-changes",
        "core has changed files with an assume-unchanged and a skip-worktree bit",
        disturb=hidden_changes,
    ),
    Fault(
        "lfs-pointers", "what moves has a file of Git LFS; gitops has neither attribute nor object", write=lfs_pointers
    ),
    Fault("conversions", "attributes give files CRLF, UTF-16 and $Id$ in the work tree", write=conversions),
    Fault("marking-hooks", "hooks of both repositories record that they ran", disturb=marking_hooks),
    Fault("foreign-locks", "other git processes hold locks of core's refs and configuration", disturb=foreign_locks),
    Fault("killed-run", "half-written files of a killed migration are in core's git folder", disturb=killed_run),
    Fault(
        "link-as-folder",
        "gitops has an untracked link out of it where copies go",
        disturb=link_as_folder,
        excludes=("in-the-way",),
    ),
    Fault(
        "work-tree-inside",
        "gitops has another work tree where copies go",
        disturb=work_tree_inside,
        excludes=("in-the-way", "link-as-folder"),
    ),
)
