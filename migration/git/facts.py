"""The state of a repository: its commit and tree, what prevents a commit, what its remotes have."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from migration.git import hidden
from migration.git.objects import Entry, Git, Tree, decode
from migration.git.pipe import Piped
from tasks.core.errors import REFUSED, Problem, Refused, ToolError, Trouble

_OPERATIONS = {  # file in the git folder -> what is in progress, and how to end it
    "MERGE_HEAD": ("a merge", "git merge --continue, or git merge --abort"),
    "rebase-merge": ("a rebase", "git rebase --continue, or git rebase --abort"),
    "rebase-apply": ("a rebase", "git rebase --continue, or git rebase --abort"),
    "CHERRY_PICK_HEAD": ("a cherry-pick", "git cherry-pick --continue, or git cherry-pick --abort"),
    "REVERT_HEAD": ("a revert", "git revert --continue, or git revert --abort"),
    "BISECT_LOG": ("a bisect", "git bisect reset"),
}
# The trailer of every commit of the migration: the key of its step, or UNDO in a commit that undoes the migration.
TRAILER, UNDO = "Remote-First", "UNDO"
TAG = "before-remote-first"  # where a repository was before the first commit of the migration
_ID = re.compile(r"[0-9a-f]{40,64}")
Search = tuple[tuple[str, ...], tuple[str, ...]]  # words, and the pathspecs that narrow the search
_MANY_PATHS = 200  # a command line takes no more; git then reads the whole history


@dataclass(frozen=True)
class Facts:
    """What is known of one repository, read once."""

    name: str
    """`core` or `gitops`."""

    folder: Path
    """The work tree."""

    git_dir: Path
    """Absolute."""

    branch: str
    """The full name of the ref; empty when HEAD is detached."""

    head: str
    head_tree: str

    at: str
    """The commit that is planned on: HEAD, unless a saved plan was made on another."""

    tree: Tree
    """The tree of `at`."""

    dirty: tuple[str, ...] = ()
    """Tracked paths that differ from HEAD in the work tree or in the index."""

    problems: tuple[Problem, ...] = ()
    """Why nothing may be committed now."""

    bits: dict[str, tuple[str, ...]] = field(default_factory=dict, compare=False, repr=False)
    """Path -> assume-unchanged, skip-worktree: `git status` does not look at these paths."""

    _searches: dict[Search, Piped | set[str]] = field(default_factory=dict, compare=False, repr=False)
    _trees: dict[str, Tree] = field(default_factory=dict, compare=False, repr=False)

    @property
    def git(self) -> Git:
        """Git in this repository."""
        return Git(self.folder)

    @property
    def tracked(self) -> Tree:
        """The tree of HEAD: another than `tree` while a saved plan is being continued."""
        return self.tree if self.head == self.at else self.tree_of(self.head)

    def hidden_changes(self, paths: Iterable[str]) -> list[Problem]:
        """Return a problem for each of these paths that a person has changed where `git status` does not look."""
        if not self.bits or _is_sparse(self.folder, self.git_dir):  # a sparse checkout is a problem of its own
            return []
        wanted = {p: entry for p in self.bits.keys() & set(paths) if (entry := self.tracked.get(p))}
        return hidden.problems(self.name, self.folder, self.bits, hidden.unlike(self.git, wanted))

    def remotes(self) -> list[str]:
        """Return the names of the remotes."""
        return list(self._remotes)

    @cached_property
    def _remotes(self) -> list[str]:
        return decode(self.git.read("remote")).split()

    def remote_urls(self) -> list[str]:
        """Return the URLs of the remotes."""
        config = decode(self.git.read("config", "--get-regexp", r"^remote\..*\.url$", ok=(0, 1)))
        return [line.partition(" ")[2] for line in config.splitlines()]

    def has(self, commit: str) -> bool:
        """Whether this commit is in the repository."""
        try:
            self.git.read("cat-file", "-e", f"{commit}^{{commit}}")
        except ToolError:
            return False
        return True

    def unpushed(self, commit: str) -> list[str]:
        """Return this commit and those of its ancestors that no remote branch has; empty without a remote."""
        if not self.remotes():
            return []
        return decode(self.git.read("rev-list", commit, "--not", "--remotes")).split()

    def pushed_edge(self, commit: str) -> list[str]:
        """Return the newest ancestors of this commit that a remote branch has."""
        lines = decode(self.git.read("rev-list", "--boundary", commit, "--not", "--remotes")).split()
        return [line[1:] for line in lines if line.startswith("-")]

    def search(self, words: tuple[str, ...], where: tuple[str, ...] = ()) -> None:
        """Start a search whose result `holding` will return, while other work goes on."""
        if (words, where) not in self._searches:
            patterns = [part for word in words for part in ("-e", word)]
            argv = ["grep", "-l", "-z", "-a", "-F", "--no-color", *patterns, self.at, "--", *where]
            self._searches[words, where] = self.git.start(*argv)

    def holding(self, words: tuple[str, ...], where: tuple[str, ...] = ()) -> set[str]:
        """Return the regular files of the planned commit with one of the words in their text.

        Git searches, with all processors, and files that .gitattributes calls binary (`-diff`) too: they may be text.

        where: pathspecs of git that narrow the search
        """
        self.search(words, where)
        result = self._searches[words, where]
        if isinstance(result, Piped):
            with result as child:
                names = decode(child.result(ok=(0, 1))).split("\0")
            result = self._searches[words, where] = {name.partition(":")[2] for name in names if name}
        return result

    def close(self) -> None:
        """End the searches whose results were never used."""
        for child in self._searches.values():
            if isinstance(child, Piped):
                child.__exit__(None, None, None)

    def tree_of(self, commit: str) -> Tree:
        """Return the tree of a commit."""
        if commit not in self._trees:
            root = self.git.line("rev-parse", f"{commit}^{{tree}}")
            self._trees[commit] = Tree.parse(self.git.read("ls-tree", "-r", "-t", "-z", commit), root)
        return self._trees[commit]

    def ever(self, commits: Iterable[str], paths: list[str]) -> set[tuple[str, Entry]]:
        """Return what was at these paths in the commits or in any of their ancestors, with one git process.

        What the migration itself put there and an undo removed does not count: it has to be put there again.
        """
        starts = sorted(set(commits))
        if not starts or not paths:
            return set()
        wanted, key = set(paths), ""
        stood: set[tuple[str, Entry]] = set()
        undone: set[str] = set()
        narrowed = [f":(literal){p}" for p in paths] if len(paths) <= _MANY_PATHS else []
        trailer = f"--format=%x01%(trailers:key={TRAILER},valueonly)"
        log = self.git.read(
            "log", "-m", "--root", "--raw", "--no-abbrev", "--no-renames", "-z", trailer, *starts, "--", *narrowed
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
                    stood.add((path, Entry(fields[1], fields[3])))
        return stood


class RepositoryReading:
    """The reading of one repository in progress: its git processes run while the other repository is read."""

    def __init__(self, name: str, folder: Path, *, at: str = "", hint: str = "") -> None:
        self.name, self.folder, self._at, self._hint = name, folder, at, hint
        if not folder.is_dir():
            raise self._not_a_repository(f"{name}: {folder} does not exist")
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
        self._bits = git.start(*hidden.LISTING).gather()

    def facts(self) -> Facts:
        """Return the facts. Raises Refused when this is not a repository that can be worked on."""
        name, folder = self.name, self.folder
        # rev-parse prints what it knows before it fails for a commit that does not exist (exit code 128).
        answer = decode(self._kind.result(ok=(0, 128))).split("\n")
        if answer[0] not in {"true", "false"}:
            if "dubious ownership" in self._kind.failed().stderr:
                fix = f"git config --global --add safe.directory {folder}"
                raise Refused(f"{name}: {folder} belongs to another user", fix=fix)
            raise self._not_a_repository(f"{name}: {folder} is not a git repository")
        if answer[0] == "true":
            raise Refused(
                f"{name}: {folder} is a bare repository", fix=f"git clone {shlex.quote(str(folder))} and name the clone"
            )
        if answer[3] or folder.resolve() == Path(answer[2]):
            raise self._not_a_repository(f"{name}: {folder} is not a git repository of its own")
        if answer[1] == "true":
            raise Refused(
                f"{name}: {folder} is a shallow clone: the former content of a file cannot be read",
                fix=f"git -C {shlex.quote(str(folder))} fetch --unshallow",
            )
        ids = [line for line in answer[4:] if _ID.fullmatch(line)]
        if len(ids) < 3:
            if self._at and len(ids) == 2:
                fix = "make a new plan: inv migrate.plan --out FILE"
                raise Refused(f"{name}: the commit {self._at[:12]} of the plan is not in {folder}", fix=fix)
            fix = f"git -C {shlex.quote(str(folder))} commit --allow-empty -m 'first commit'"
            raise Refused(f"{name}: {folder} has no commit yet", fix=fix)
        head, head_tree, root = ids
        tree = Tree.parse(self._listing.result(), root)  # first: `git status` takes longer
        branch, dirty = self._read_status(self._status.result())
        git_dir = Path(answer[2])
        problems = tuple(_problems(name, folder, git_dir, branch, dirty))
        bits = hidden.bits(self._bits.result())
        return Facts(
            name, folder, git_dir, branch, head, head_tree, self._at or head, tree, tuple(dirty), problems, bits
        )

    def close(self) -> None:
        """End the processes that still run."""
        for child in (self._kind, self._status, self._listing, self._bits):
            child.__exit__(None, None, None)

    def _not_a_repository(self, what: str) -> Trouble:
        return Refused(what, fix=self._hint or f"name another: --{self.name} PATH")

    @staticmethod
    def _read_status(data: bytes) -> tuple[str, list[str]]:
        branch, dirty = "", []
        for word in decode(data).split("\0"):
            if word.startswith("# branch.head "):
                name = word.removeprefix("# branch.head ")
                branch = "" if name == "(detached)" else f"refs/heads/{name}"
            elif word.startswith("1 "):
                fields = word.split(" ", 8)
                moved_submodule = fields[2].startswith("S") and fields[1][0] == "."
                if not moved_submodule:  # a submodule at another commit than the pin is not an uncommitted change
                    dirty.append(fields[8])
            elif word.startswith("u "):
                dirty.append(word.split(" ", 10)[10])
        return branch, dirty


def look(core: Path, gitops: Path, *, at: dict[str, str] | None = None, hint: str = "") -> tuple[Facts, Facts]:
    """Read both repositories at the same time. at: commits to plan on instead of HEAD; hint: the fix when gitops is missing."""
    at = at or {}
    looks: list[RepositoryReading] = []
    try:
        looks.append(RepositoryReading("core", core, at=at.get("core", "")))
        looks.append(RepositoryReading("gitops", gitops, at=at.get("gitops", ""), hint=hint))
        first, second = looks[0].facts(), looks[1].facts()
    finally:
        for one in looks:
            one.close()
    if first.git_dir == second.git_dir:
        raise same_repository(core)
    return first, second


def same_repository(core: Path) -> Refused:
    """The refusal of one repository for both."""
    return Refused(f"core and gitops are the same repository: {core}", fix="name another: --gitops PATH")


def _problems(name: str, folder: Path, git_dir: Path, branch: str, dirty: list[str]) -> Iterable[Problem]:
    operation = next((row for mark, row in _OPERATIONS.items() if (git_dir / mark).exists()), None)
    if operation:
        what, fix = operation
        yield _refusal(f"{name}: {what} is in progress in {folder}", f"cd {shlex.quote(str(folder))} && {fix}")
    elif not branch:
        yield _refusal(
            f"{name}: HEAD is detached in {folder}",
            f"git -C {shlex.quote(str(folder))} switch {shlex.quote(_likely_branch(git_dir))}",
        )
    if dirty:
        more = f" and {len(dirty) - 3} more" if len(dirty) > 3 else ""
        yield _refusal(
            f"{name}: uncommitted changes in {folder}: {', '.join(shown(p) for p in dirty[:3])}{more}",
            f"git -C {shlex.quote(str(folder))} commit -a, or git -C {shlex.quote(str(folder))} stash",
        )
    if _is_sparse(folder, git_dir):
        what = f"{name}: {folder} is a sparse checkout: files outside it cannot be checked"
        yield _refusal(what, f"git -C {shlex.quote(str(folder))} sparse-checkout disable")
    if not os.access(folder, os.W_OK) or not os.access(git_dir, os.W_OK):
        yield _refusal(
            f"{name}: {folder} may not be written",
            f"look at the owner: ls -ld {shlex.quote(str(folder))} {shlex.quote(str(git_dir))}",
        )


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
    """Return the path on one line: as it is, or quoted as git quotes it."""
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
