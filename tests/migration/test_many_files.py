"""Phase 1 with more copied files than any pipe between git and the suite holds."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from migration import undo as undoing
from tests.migration.conftest import Pair, code_of

pytestmark = pytest.mark.slow
COUNT = 20_000


@pytest.mark.timeout(3600)  # a busy disk deletes some hundred files a second
def test_phase_1_copies_20000_files_and_undo_restores(pair: Callable[..., Pair]):
    repos = pair()
    for number in range(COUNT):
        place = repos.core / f"infra/kubernetes/scripts/many/{number // 200}/{number}.yaml"
        if number % 200 == 0:
            place.parent.mkdir(parents=True)
        place.write_text(f"kind: ConfigMap\nmetadata:\n  name: c{number}\n")
    repos.git("core", "add", "--all", "infra")
    repos.git("core", "commit", "--quiet", "--message", "many files")
    before = [repos.tree(name) for name in ("core", "gitops")]
    assert repos.run(1) == 0
    assert len(repos.git("gitops", "ls-files", "--", "scripts/many").splitlines()) == COUNT
    assert repos.git("gitops", "rev-parse", "HEAD:scripts/many") == repos.git(
        "core", "rev-parse", "HEAD:infra/kubernetes/scripts/many"
    )
    assert repos.git("gitops", "status", "--porcelain") == ""
    assert code_of(lambda: undoing.undo(repos.core, repos.gitops, yes=True, dry=False, json=False)) == 0
    assert [repos.tree(name) for name in ("core", "gitops")] == before
