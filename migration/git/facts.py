"""Where a repository stands: its commit and tree, what hinders a commit, what its remotes have."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from migration.git.objects import Entry, Git, Tree, decode
from tasks.core.errors import REFUSED, Problem, Refused, ToolError, Trouble
from tasks.core.process.pipe import Piped

_OPERATIONS = {  # file in the git folder -> what is under way, and how it ends
    "MERGE_HEAD": ("a merge", "git merge --continue, or git merge --abort"),
    "rebase-merge": ("a rebase", "git rebase --continue, or git rebase --abort"),
    "rebase-apply": ("a rebase", "git rebase --continue, or git rebase --abort"),
    "CHERRY_PICK_HEAD": ("a cherry-pick", "git cherry-pick --continue, or git cherry-pick --abort"),
    "REVERT_HEAD": ("a revert", "git revert --continue, or git revert --abort"),
    "BISECT_LOG": ("a bisect", "git bisect reset"),
}
TRAILER, UNDO = "Remote-First", "UNDO"  # in each commit of the migration: its step's key; in one that takes it back
_ID = re.compile(r"[0-9a-f]{40,64}")
Search = tuple[tuple[str, ...], tuple[str, ...]]  # words, and the pathspecs that narrow it


@dataclass(frozen=True)
class Facts:
    """What is known of one repository, read once.

    name: core or gitops; folder: its work tree; git_dir: absolute; branch: full name of the ref, empty when detached
    head, head_tree: ids of HEAD and of its tree; at, tree: the commit that is planned on, and what stands in it (HEAD,
    unless a saved plan names another)
    dirty: tracked paths that differ from HEAD, in the work tree or the index
    problems: why nothing may be committed now
    """

    name: str
    folder: Path
    git_dir: Path
    branch: str
    head: str
    head_tree: str
    at: str
    tree: Tree
    dirty: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    _searches: dict[Search, Piped | set[str]] = field(default_factory=dict, compare=False, repr=False)
    _trees: dict[str, Tree] = field(default_factory=dict, compare=False, repr=False)

    @property
    def git(self) -> Git:
        """git in this repository."""
        return Git(self.folder)

    @property
    def tracked(self) -> Tree:
        """HEAD's tree, which is another than the planned one when a saved plan is gone on with."""
        return self.tree if self.head == self.at else self.tree_of(self.head)

    def remotes(self) -> list[str]:
        """The names of the remotes."""
        return list(self._remotes)

    @cached_property
    def _remotes(self) -> list[str]:
        return decode(self.git.read("remote")).split()

    def remote_urls(self) -> list[str]:
        """The URLs of the remotes."""
        found = decode(self.git.read("config", "--get-regexp", r"^remote\..*\.url$", ok=(0, 1)))
        return [line.partition(" ")[2] for line in found.splitlines()]

    def has(self, commit: str) -> bool:
        """Is this commit in the repository?"""
        try:
            self.git.read("cat-file", "-e", f"{commit}^{{commit}}")
        except ToolError:
            return False
        return True

    def unpushed(self, commit: str) -> list[str]:
        """The commits below this one that no remote branch has; empty when there is no remote."""
        if not self.remotes():
            return []
        return decode(self.git.read("rev-list", commit, "--not", "--remotes")).split()

    def pushed_edge(self, commit: str) -> list[str]:
        """The newest commits below this one that a remote branch has."""
        lines = decode(self.git.read("rev-list", "--boundary", commit, "--not", "--remotes")).split()
        return [line[1:] for line in lines if line.startswith("-")]

    def search(self, words: tuple[str, ...], where: tuple[str, ...] = ()) -> None:
        """Let git begin to look for what `holding` will be asked for; other work goes on meanwhile."""
        if (words, where) not in self._searches:
            patterns = [part for word in words for part in ("-e", word)]
            argv = ["grep", "-l", "-z", "-I", "-F", "--no-color", *patterns, self.at, "--", *where]
            self._searches[words, where] = self.git.start(*argv)

    def holding(self, words: tuple[str, ...], where: tuple[str, ...] = ()) -> set[str]:
        """The regular files of the planned commit whose text holds one of the words; git searches with all processors.

        where: pathspecs of git that narrow the search
        """
        self.search(words, where)
        found = self._searches[words, where]
        if isinstance(found, Piped):
            with found as child:
                names = decode(child.result(ok=(0, 1))).split("\0")
            found = self._searches[words, where] = {name.partition(":")[2] for name in names if name}
        return found

    def close(self) -> None:
        """End the searches that nobody asked for."""
        for child in self._searches.values():
            if isinstance(child, Piped):
                child.__exit__(None, None, None)

    def tree_of(self, commit: str) -> Tree:
        """The tree of a commit."""
        if commit not in self._trees:
            root = self.git.line("rev-parse", f"{commit}^{{tree}}")
            self._trees[commit] = Tree.parse(self.git.read("ls-tree", "-r", "-t", "-z", commit), root)
        return self._trees[commit]

    def ever(self, commits: Iterable[str], paths: list[str]) -> set[tuple[str, Entry]]:
        """What stood at these paths in the commits or in any of their ancestors. One process, whatever their number.

        What the migration itself put there and an undo took away again does not count: it is to be put there anew.
        """
        starts = sorted(set(commits))
        if not starts or not paths:
            return set()
        wanted, found, undone, key = set(paths), set(), set(), ""
        some = [f":(literal){p}" for p in paths] if len(paths) <= 200 else []
        shown_as = f"--format=%x01%(trailers:key={TRAILER},valueonly)"
        log = self.git.read(
            "log", "-m", "--root", "--raw", "--no-abbrev", "--no-renames", "-z", shown_as, *starts, "--", *some
        )
        words = iter(decode(log).split("\0"))
        for word in words:  # newest first
            head = word.strip("\n")
            if head.startswith("\x01"):
                key = head[1:].strip()
            elif head.startswith(":"):
                path, fields = next(words), head[1:].split()
                if key == UNDO:
                    undone.add(path)
                elif path in wanted and fields[1] != "000000" and not (key and path in undone):
                    found.add((path, Entry(fields[1], fields[3])))
        return found


class Look:
    """The reading of one repository, under way: its git processes run while another repository is asked."""

    def __init__(self, name: str, folder: Path, *, at: str = "", hint: str = "") -> None:
        self.name, self.folder, self._at, self._hint = name, folder, at, hint
        if not folder.is_dir():
            raise self._no_repository(f"{name}: {folder} is not there")
        git = Git(folder)
        self._kind = git.start(
            "rev-parse",
            "--is-bare-repository",
            "--is-shallow-repository",
            "--absolute-git-dir",
            "--show-cdup",
            *("HEAD^{commit}", "HEAD^{tree}", f"{at or 'HEAD'}^{{tree}}"),
        )
        self._status = git.start(
            "status", "--porcelain=v2", "-z", "--branch", "-uno", "--no-renames", "--ignore-submodules=dirty"
        )
        self._listing = git.start("ls-tree", "-r", "-t", "-z", at or "HEAD").gather()

    def facts(self) -> Facts:
        """What was found. Raises Refused when this is no repository that can be worked on."""
        name, folder = self.name, self.folder
        # It tells what it knows before it fails for a commit that is not there (128).
        answer = decode(self._kind.result(ok=(0, 128))).split("\n")
        if answer[0] not in {"true", "false"}:
            if "dubious ownership" in self._kind.failed().stderr:
                fix = f"git config --global --add safe.directory {folder}"
                raise Refused(f"{name}: {folder} belongs to another user", fix=fix)
            raise self._no_repository(f"{name}: {folder} is not a git repository")
        if answer[0] == "true":
            raise Refused(f"{name}: {folder} is a bare repository", fix=f"git clone {folder} and name the clone")
        if answer[3] or folder.resolve() == Path(answer[2]):
            raise self._no_repository(f"{name}: {folder} is not a git repository of its own")
        if answer[1] == "true":
            raise Refused(
                f"{name}: {folder} is a shallow clone: what a file was before cannot be looked up",
                fix=f"git -C {folder} fetch --unshallow",
            )
        ids = [line for line in answer[4:] if _ID.fullmatch(line)]
        if len(ids) < 3:
            if self._at and len(ids) == 2:
                fix = "make a new plan: inv migrate.plan --out FILE"
                raise Refused(f"{name}: the commit {self._at[:12]} of the plan is not in {folder}", fix=fix)
            fix = f"git -C {folder} commit --allow-empty -m 'first commit'"
            raise Refused(f"{name}: {folder} has no commit yet", fix=fix)
        head, head_tree, root = ids
        tree = Tree.parse(self._listing.result(), root)  # first: git's look at the work tree takes longer
        branch, dirty = self._read_status(self._status.result())
        git_dir = Path(answer[2])
        problems = tuple(_problems(name, folder, git_dir, branch, dirty))
        return Facts(name, folder, git_dir, branch, head, head_tree, self._at or head, tree, tuple(dirty), problems)

    def close(self) -> None:
        """End what still runs."""
        for child in (self._kind, self._status, self._listing):
            child.__exit__(None, None, None)

    def _no_repository(self, what: str) -> Trouble:
        return Refused(what, fix=self._hint or f"name another: --{self.name} PATH")

    @staticmethod
    def _read_status(data: bytes) -> tuple[str, list[str]]:
        branch, dirty = "", []
        for word in decode(data).split("\0"):
            if word.startswith("# branch.head "):
                found = word.removeprefix("# branch.head ")
                branch = "" if found == "(detached)" else f"refs/heads/{found}"
            elif word.startswith("1 "):
                fields = word.split(" ", 8)
                moved_submodule = fields[2].startswith("S") and fields[1][0] == "."
                if not moved_submodule:  # another commit than the pin: that is no dirt
                    dirty.append(fields[8])
            elif word.startswith("u "):
                dirty.append(word.split(" ", 10)[10])
        return branch, dirty


def look(core: Path, gitops: Path, *, at: dict[str, str] | None = None, hint: str = "") -> tuple[Facts, Facts]:
    """Read both repositories at once. `at` plans on these commits instead of HEAD; `hint` mends a missing gitops."""
    at = at or {}
    looks: list[Look] = []
    try:
        looks.append(Look("core", core, at=at.get("core", "")))
        looks.append(Look("gitops", gitops, at=at.get("gitops", ""), hint=hint))
        first, second = looks[0].facts(), looks[1].facts()
    finally:
        for one in looks:
            one.close()
    if first.git_dir == second.git_dir:
        raise Refused(f"core and gitops are the same repository: {core}", fix="name another: --gitops PATH")
    return first, second


def _problems(name: str, folder: Path, git_dir: Path, branch: str, dirty: list[str]) -> Iterable[Problem]:
    operation = next((row for mark, row in _OPERATIONS.items() if (git_dir / mark).exists()), None)
    if operation:
        what, fix = operation
        yield _refusal(f"{name}: {what} is in progress in {folder}", f"cd {folder} && {fix}")
    elif not branch:
        yield _refusal(f"{name}: HEAD is detached in {folder}", f"git -C {folder} switch {_likely_branch(git_dir)}")
    if dirty:
        more = f" and {len(dirty) - 3} more" if len(dirty) > 3 else ""
        yield _refusal(
            f"{name}: uncommitted changes in {folder}: {', '.join(shown(p) for p in dirty[:3])}{more}",
            f"git -C {folder} commit -a, or git -C {folder} stash",
        )
    if _is_sparse(folder, git_dir):
        what = f"{name}: {folder} is a sparse checkout: files outside it cannot be checked"
        yield _refusal(what, f"git -C {folder} sparse-checkout disable")
    if not os.access(folder, os.W_OK) or not os.access(git_dir, os.W_OK):
        yield _refusal(f"{name}: {folder} may not be written", f"look at the owner: ls -ld {folder} {git_dir}")


def _refusal(what: str, fix: str) -> Problem:
    return Problem(what, fix=fix, code=REFUSED)


def _is_sparse(folder: Path, git_dir: Path) -> bool:
    if not (git_dir / "info/sparse-checkout").exists():
        return False
    return Git(folder).line("config", "--type=bool", "--get", "core.sparseCheckout", ok=(0, 1)) == "true"


def _likely_branch(git_dir: Path) -> str:
    try:
        text = (git_dir / "refs/remotes/origin/HEAD").read_text()
        return text.strip().removeprefix("ref: refs/remotes/origin/")
    except OSError:
        heads = git_dir / "refs" / "heads"
        names = sorted(p.name for p in heads.iterdir()) if heads.is_dir() else []
        return names[0] if len(names) == 1 else "main"


def shown(path: str) -> str:
    """The path as a line can hold it: as it is, or quoted as git quotes it."""
    raw = path.encode("utf-8", "surrogateescape")
    plain = all(c >= 32 and c not in (34, 92, 127) for c in raw)
    try:
        raw.decode()
    except UnicodeDecodeError:
        plain = False
    if plain:
        return path
    special = {9: "\\t", 10: "\\n", 13: "\\r", 34: '\\"', 92: "\\\\"}
    return '"' + "".join(special.get(c) or (chr(c) if 32 <= c < 127 else f"\\{c:03o}") for c in raw) + '"'
