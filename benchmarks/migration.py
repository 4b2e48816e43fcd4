"""The migration's speed, as ratios to git's own in one run: `python -m benchmarks.migration [FILES ...]`.

status:   everything done, against `git status` in the same repositories; Invoke's start taken off both
phase 4:  all deletions, against `git rm -r` and a commit of the same paths
growth:   the same with a tenth and a hundredth of the files; memory at the largest
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import Row

ROOT = Path(__file__).resolve().parent.parent
_CHILD = """
import json, resource, sys, time
sys.path.insert(0, {root!r})
from tasks.steps.migration import commands
from tasks.core import ui
ui.say = ui.talk = lambda text="": None
ui.progress = lambda *args, **more: None
import invoke.collection  # what Invoke itself costs is not measured
began = time.perf_counter()
asked = commands.Asked({core!r}, {gitops!r}, yes=True)
try:
    {call}
except SystemExit:
    pass
took = time.perf_counter() - began
print(json.dumps([took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def main(sizes: list[int]) -> dict[str, Any]:
    """Measure at these numbers of files; the last is the largest."""
    rows = [measure(size) for size in sizes]
    return {"migration": rows}


def run(quick: bool) -> list[Row]:
    """For `inv bench`: the ratios at each size; what is aimed at holds for the sizes that the aims name."""
    rows = []
    for size in (1000,) if quick else (1000, 10_000, 20_000, 100_000):
        found = measure(size)
        at = f"at {found['files']:,} files"
        git_s, commit_s = f"git {found['git_status_s']} s", f"git {found['git_rm_commit_s']} s"
        rows += [
            Row(f"status to git status {at}", found["status_ratio"], "x", 2.0 if size >= 100_000 else None, note=git_s),
            Row(
                f"phase 4 to git rm and commit {at}",
                found["phase4_ratio"],
                "x",
                1.5 if size == 20_000 else None,
                note=commit_s,
            ),
            Row(f"memory {at}", found["memory_mb"], "MB", 300 if size >= 100_000 else None),
        ]
    return rows


def measure(files: int) -> dict[str, Any]:
    """One pair of this size: phases 1 to 3, then phase 4 and status against git."""
    from tasks.sandbox.legacy.pair import make

    folder = Path(tempfile.mkdtemp(prefix="migration-bench-"))
    try:
        os.environ["REMOTE_DEV_STATE"] = str(folder / "state")
        pair = make(folder / "pair", files, (), False)
        for number in (1, 2, 3):
            suite(pair.core, pair.gitops, f"commands.phase(asked, {number})")
        shutil.copytree(folder / "pair", folder / "plain", symlinks=True)
        ours, memory4 = suite(pair.core, pair.gitops, "commands.phase(asked, 4)")
        gone = git(pair.core, "diff", "--name-only", "-z", "--diff-filter=D", "before-remote-first", "HEAD").split("\0")
        plain = folder / "plain" / pair.core.name
        git(plain, "status")
        theirs = timed(lambda: remove(plain, [p for p in gone if p and (plain / p).exists()]))
        suite(pair.core, pair.gitops, "commands.phase(asked, 5)")
        suite(pair.core, pair.gitops, "commands.status(asked)")
        for repo in (pair.core, pair.gitops):
            git(repo, "status")
        status, memory = best(lambda: suite(pair.core, pair.gitops, "commands.status(asked)"))
        git_status = min(timed(lambda: [git(r, "status") for r in (pair.core, pair.gitops)]) for _ in range(5))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return {
        "files": pair.files,
        "deleted": len(gone),
        "status_s": round(status, 3),
        "git_status_s": round(git_status, 3),
        "status_ratio": round(status / git_status, 2),
        "phase4_s": round(ours, 3),
        "git_rm_commit_s": round(theirs, 3),
        "phase4_ratio": round(ours / theirs, 2),
        "memory_mb": round(max(memory, memory4)),
    }


def suite(core: Path, gitops: Path, call: str) -> tuple[float, float]:
    """Run one command of the suite in a fresh Python; seconds without its start, and MB."""
    code = _CHILD.format(root=str(ROOT), core=str(core), gitops=str(gitops), call=call)
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT)
    seconds, memory = json.loads(done.stdout.splitlines()[-1])
    return float(seconds), float(memory)


def best(work: Callable[[], tuple[float, float]], runs: int = 5) -> tuple[float, float]:
    """The fastest of some runs."""
    return min(work() for _ in range(runs))


def timed(work: Callable[[], object]) -> float:
    """Seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def remove(folder: Path, paths: list[str]) -> None:
    """`git rm -r` of the folders that go whole, and a commit, as a person would do it."""
    whole = tuple(f for f in ("infra/", "tools/bootstrap/") if any(p.startswith(f) for p in paths))
    git(folder, "rm", "-r", "-q", "--", *whole, *(p for p in paths if not p.startswith(whole)))
    git(folder, "commit", "-q", "-m", "gone")


def git(folder: Path, *args: str) -> str:
    """Run git, its stdout."""
    return subprocess.run(["git", "-C", str(folder), *args], check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    print(json.dumps(main([int(a) for a in sys.argv[1:]] or [1000, 10_000, 100_000]), indent=2))
    print(f"memory of the measuring process: {resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024:.0f} MB")
