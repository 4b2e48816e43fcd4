"""`inv migrate.*` relative to git's own commands on the same repositories, from a thousand to a hundred thousand files.

Status, with everything done, is compared with `git status` in both repositories; phase 4 with `git rm -r` and a commit of
the same paths. The start of Python and Invoke is not counted. `python -m benchmarks.migration [FILES ...]`
measures at these sizes and prints JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from benchmarks import Row, of

ROOT = Path(__file__).resolve().parent.parent
SIZES = (1_000, 10_000, 20_000, 100_000)
_CHILD = """
import json, os, resource, sys, time
sys.path.insert(0, {root!r})
from migration import cli as commands
from tasks.core import ui
ui.say = ui.talk = lambda text="": None
ui.progress = lambda *args, **more: None
import invoke.collection  # so that its import is not measured
began, used = time.perf_counter(), [os.times()[n] for n in range(4)]
asked = commands.Flags({core!r}, {gitops!r}, yes=True)
code = 0
try:
    {call}
except SystemExit as left:
    code = left.code or 0
took = time.perf_counter() - began
cpu = sum(os.times()[n] - used[n] for n in range(4))  # of this process and of its children
print(json.dumps([took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, cpu, code]))
"""


class Run(NamedTuple):
    """What one command took: seconds, MB, seconds of processors including its children."""

    seconds: float
    memory: float
    cpu: float


@dataclass
class Measured:
    """Results of one pair of repositories. Times in seconds per run; memory in MB, the peak of all runs.

    at_once: phase 4 in the repository in which phase 1 has just run, relative to git
    """

    files: int
    deleted: int = 0
    phase4: list[float] = field(default_factory=list)
    removed: list[float] = field(default_factory=list)
    status: list[float] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    memory: float = 0.0
    at_once: float = 0.0

    @property
    def deletion(self) -> list[float]:
        """Phase 4 relative to git, per run."""
        return [ours / theirs for ours, theirs in zip(self.phase4, self.removed, strict=True)]

    @property
    def looking(self) -> list[float]:
        """Status relative to git, per run."""
        return [ours / theirs for ours, theirs in zip(self.status, self.asked, strict=True)]


def run(quick: bool) -> list[Row]:
    """Return the rows for each size, and the growth of the times."""
    found = [measure(size, 1 if size > 50_000 else 2 if quick else 5) for size in (SIZES[:2] if quick else SIZES)]
    rows: list[Row] = []
    for one in found:
        note = f"{one.files:,} files"
        gone = f"{note}, {one.deleted:,} deleted"  # the aims apply to many files; with few, fixed costs dominate
        rows += [
            of(
                "migrate.status with everything done, to git status",
                one.looking,
                "x",
                2.0 if one.files >= 100_000 else None,
                note,
            ),
            of("migrate.status with everything done", one.status, "s", None, note),
            of(
                "migrate.phase4, to git rm -r and commit", one.deletion, "x", 1.5 if one.files >= 20_000 else None, gone
            ),
            of(
                "migrate.phase4 right after phase 1, to git rm -r and commit",
                [one.at_once],
                "x",
                1.5 if one.files >= 20_000 else None,
                gone,
            ),
            of("migrate.phase4", one.phase4, "s", None, note),
            of("peak memory of any command", [one.memory], "MB", 300, note),
        ]
    for small, large in pairwise(found):
        more = large.files / small.files
        note = f"from {small.files:,} to {large.files:,} files"
        rows += [
            of(
                "growth of status, to that of the files", [min(large.status) / min(small.status) / more], "x", 1.2, note
            ),
            of(
                "growth of phase 4, to that of the files",
                [min(large.phase4) / min(small.phase4) / more],
                "x",
                1.2,
                note,
            ),
        ]
    return rows


def measure(files: int, runs: int) -> Measured:
    """Run phases 1 to 3 once, then phase 4 and git alternately on fresh copies, then status and git alternately."""
    with migrated(files, (1, 2, 3)) as (folder, core, gitops, count):
        found = Measured(count)
        gone: list[str] = []  # the same in every run
        for turn in range(runs):
            ours, plain = _copy(folder, "ours"), _copy(folder, "plain")
            for work in ("ours", "plain") if turn % 2 == 0 else ("plain", "ours"):
                if work == "ours":
                    before = git(ours / core, "rev-parse", "HEAD").strip()
                    seconds, memory, _ = suite(ours / core, ours / gitops, "commands.phase(asked, 4)")
                    found.phase4.append(seconds)
                    found.memory = max(found.memory, memory)
                    names = git(ours / core, "diff", "--name-only", "-z", "--diff-filter=D", before, "HEAD")
                    gone = [p for p in names.split("\0") if p]
                    found.deleted = len(gone)
                else:
                    found.removed.append(timed(partial(remove, plain / core, gone)))
            shutil.rmtree(plain.parent)
            if turn < runs - 1:
                shutil.rmtree(ours.parent)
        found.at_once = _at_once(folder, core, gitops, gone)
        suite(ours / core, ours / gitops, "commands.phase(asked, 5)")
        places = (ours / core, ours / gitops)
        for _ in range(runs + 1):
            for place in places:
                git(place, "status")
            seconds, memory, _ = suite(*places, "commands.status(asked)")
            found.memory = max(found.memory, memory)
            found.status.append(seconds)
            found.asked.append(timed(lambda: [git(p, "status") for p in places]))
    return found


def _at_once(folder: Path, core: str, gitops: str, gone: list[str]) -> float:
    """Phase 4 in the very repository that the phases before it wrote, relative to git in a copy of it."""
    plain = _copy(folder, "plain")
    removed = timed(partial(remove, plain / core, gone))
    shutil.rmtree(plain.parent)
    return suite(folder / "pair" / core, folder / "pair" / gitops, "commands.phase(asked, 4)").seconds / removed


@contextmanager
def migrated(files: int, phases: tuple[int, ...]) -> Iterator[tuple[Path, str, str, int]]:
    """Yield a pair with these phases applied, in a temporary folder: the folder, both names, the number of files."""
    from sandbox.legacy.pair import make

    folder = Path(tempfile.mkdtemp(prefix="migration-bench-"))
    before = os.environ.get("REMOTE_DEV_STATE")
    os.environ["REMOTE_DEV_STATE"] = str(folder / "state")
    try:
        pair = make(folder / "pair", files, (), False)
        for number in phases:
            suite(pair.core, pair.gitops, f"commands.phase(asked, {number})")
        yield folder, pair.core.name, pair.gitops.name, pair.files
    finally:
        if before is None:
            del os.environ["REMOTE_DEV_STATE"]
        else:
            os.environ["REMOTE_DEV_STATE"] = before
        shutil.rmtree(folder, ignore_errors=True)


def _copy(folder: Path, name: str) -> Path:
    """Copy the pair and refresh the indexes of the copies."""
    place = folder / name / "pair"
    shutil.copytree(folder / "pair", place, symlinks=True)
    for repository in place.iterdir():
        if (repository / ".git").exists():
            git(repository, "status")
    return place


def suite(core: Path, gitops: Path, call: str) -> Run:
    """Run one command of the suite in a new Python, whose start does not count. Raises when it is blocked."""
    code = _CHILD.format(root=str(ROOT), core=str(core), gitops=str(gitops), call=call)
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(f"{call} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    seconds, memory, cpu, left = json.loads(done.stdout.splitlines()[-1])
    if left == 3:
        raise RuntimeError(f"{call} was refused")
    return Run(float(seconds), float(memory), float(cpu))


def timed(work: Callable[[], object]) -> float:
    """Return the seconds of the call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def remove(folder: Path, paths: list[str]) -> None:
    """Delete the paths with `git rm -r` and commit, as a person would do it."""
    whole = tuple(f for f in ("infra/", "tools/bootstrap/") if any(p.startswith(f) for p in paths))
    there = [p for p in paths if not p.startswith(whole)]
    git(folder, "rm", "-r", "-q", "--", *whole, *there)
    git(folder, "commit", "-q", "-m", "Delete")


def git(folder: Path, *args: str) -> str:
    """Run git; return its stdout."""
    return subprocess.run(["git", "-C", str(folder), *args], check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    for asked_size in [int(a) for a in sys.argv[1:]] or SIZES:
        print(json.dumps(vars(measure(asked_size, 3)), indent=2))
