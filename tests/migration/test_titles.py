"""The title of a step says what holds after it, also where a part is blocked: it becomes the subject of a commit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from migration import cli
from migration.engine import MigrationPlan
from migration.model import StepResult
from tests.migration.conftest import Pair, code_of


def step(plan: MigrationPlan, key: str) -> StepResult:
    return next(result for result in plan.results if result.key == key)


def test_a_partial_deletion_counts_what_is_deleted_and_what_stays(ready: Pair):
    ready.commit("core", "scripts/own/run.sh", b"exec infra/bicep/managed-application/package.sh\n")
    before = ready.git("core", "ls-files", "infra/bicep/").splitlines()
    assert ready.run(4) == 3
    left = ready.git("core", "ls-files", "infra/bicep/").splitlines()
    assert 0 < len(left) < len(before)
    subjects = ready.subjects("core")
    stays = "stays" if len(left) == 1 else "stay"
    assert (
        f"CLEAN-13: infra/bicep/: {len(before) - len(left)} of {len(before)} files deleted, {len(left)} {stays}"
        in subjects
    )
    assert "CLEAN-10: infra/kubernetes/ does not exist" in subjects


def test_a_row_with_a_title_of_its_own_does_not_claim_it_too_early(ready: Pair):
    ready.commit("core", "scripts/own/mode.sh", b"exec tools/dev/devcontainer-mode.sh\n")
    title = step(ready.plan((4,)), "RF-42").title
    assert "gone" not in title
    assert "files deleted" in title


def test_a_partial_copy_counts_what_is_in_gitops(pair: Callable[..., Pair]):
    repos = pair("destination-taken")
    count = len(repos.git("core", "ls-files", "infra/kubernetes/scripts/", "infra/kubernetes/policies/").splitlines())
    title = f"infra/kubernetes/scripts/ and infra/kubernetes/policies/: {count - 1} of {count} files are in gitops"
    assert step(repos.plan((1,)), "INFRA-10").title == title


def test_a_step_with_a_blocked_path_names_it(pair: Callable[..., Pair]):
    title = step(pair("broken-tiltfile").plan((3,)), "TILT-11").title
    assert title.endswith(", except Tiltfile")


@pytest.mark.slow
def test_the_titles_of_a_saved_plan_are_those_of_its_commits(pair: Callable[..., Pair], tmp_path: Path):
    repos, file = pair("argo-consumer"), str(tmp_path / "plan.json")
    assert code_of(lambda: cli.plan(repos.flags(), file)) == 3
    plan = repos.plan()
    planned = [f"{commit.key}: {step(plan, commit.key).title}" for commit in plan.commits if commit.repo == "core"]
    assert code_of(lambda: cli.apply_file(repos.flags(yes=True), file)) == 3
    assert repos.subjects("core")[: len(planned)] == planned[::-1]
    assert any("files deleted" in title for title in planned)


def test_a_step_without_a_row_or_a_file_has_nothing_to_do(pair: Callable[..., Pair]):
    repos = pair()
    for folder in ("infra/bicep", "infra/azure"):
        repos.git("core", "rm", "-rq", folder)
    repos.git("core", "commit", "--quiet", "-m", "there is no Bicep")
    found = {result.key: result.unused for result in repos.plan((1, 4)).results if result.unused}
    assert found["CLEAN-13"] == found["INFRA-13"] == "core has none of its paths"
    assert found["RF-12"] == "the mapping has no row for it"
    assert "CLEAN-10" not in found


@pytest.mark.slow
def test_a_step_that_is_done_is_not_unused(finished: Pair):
    unused = {result.key for result in finished.plan((1, 4)).results if result.unused}
    assert unused <= {"RF-12", "RF-43"}
