"""`inv migrate.plan` and `inv migrate.status` on a tree of 30,000 files of many kinds: Go, YAML, vendored code, definitions.

The plan of all phases is measured by its processor time, git included; status, with everything done, relative to
`git status` in both repositories.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import Row, mixed_tree, of
from benchmarks.migration import git, suite, timed

FILES = 30_000
_PAIR = 1_000  # files of the pair that the tree is added to


def run(quick: bool) -> list[Row]:
    """Return the rows."""
    files = 5_000 if quick else FILES
    with mixed_pair(files) as (core, gitops):
        count = len(git(core, "ls-files").splitlines()) + len(git(gitops, "ls-files").splitlines())
        note = f"{count:,} files of many kinds"
        saved = str(core.parent.parent / "plan.json")
        plan = suite(core, gitops, f"commands.plan(asked, {saved!r})")
        suite(core, gitops, f"commands.apply_file(asked, {saved!r})")
        ratios, memory = [], plan.memory
        for _ in range(2 if quick else 5):
            theirs = timed(lambda: [git(place, "status") for place in (core, gitops)])
            status = suite(core, gitops, "commands.status(asked)")
            ratios.append(status.seconds / theirs)
            memory = max(memory, status.memory)
    return [
        of("migrate.plan of all phases, processor time", [plan.cpu], "s", 10, note),
        of("migrate.plan of all phases", [plan.seconds], "s", None, note),
        of("migrate.status with everything done, to git status", ratios, "x", 5, note),
        of("peak memory of plan and status", [memory], "MB", 300, note),
    ]


@contextmanager
def mixed_pair(files: int) -> Iterator[tuple[Path, Path]]:
    """Yield core and gitops of a pair with this many files, in a temporary folder."""
    from sandbox.legacy.pair import make

    folder = Path(tempfile.mkdtemp(prefix="migration-bench-"))
    before = os.environ.get("REMOTE_DEV_STATE")
    os.environ["REMOTE_DEV_STATE"] = str(folder / "state")
    try:
        pair = make(folder / "pair", _PAIR, (), False)
        mixed_tree.grow(pair.core, files - _PAIR)
        git(pair.core, "add", "--all", ".")
        git(pair.core, "commit", "--quiet", "-m", "Add code of many kinds")
        yield pair.core, pair.gitops
    finally:
        if before is None:
            del os.environ["REMOTE_DEV_STATE"]
        else:
            os.environ["REMOTE_DEV_STATE"] = before
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    for row in run(quick=False):
        print(row.document())
