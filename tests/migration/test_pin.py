"""The pin: what core pins has the copies, in every phase, and the checkout of the submodule follows it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from migration import undo as undoing
from migration.model import Reason
from tasks.core.plan.outcome import State
from tests.migration.conftest import Pair, blocks, code_of

pytestmark = pytest.mark.slow
PIN = "gitops/ameide-gitops"


def in_submodule(repos: Pair, *args: str) -> str:
    argv = ["git", "-C", str(repos.core / PIN), *args]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


def pin(repos: Pair) -> str:
    return repos.git("core", "rev-parse", f"HEAD:{PIN}")


def state(repos: Pair, key: str) -> State:
    return next(result.state for result in repos.plan().results if result.key == key)


@pytest.mark.parametrize("branch", ["main", ""])
def test_the_next_commit_of_everything_keeps_the_pin(pair: Callable[..., Pair], branch: str):
    repos = pair()
    if not branch:
        in_submodule(repos, "checkout", "--quiet", "--detach")
    for number in (1, 2, 3, 4):
        assert repos.run(number) == 0
    after = pin(repos)
    assert after == repos.git("gitops", "rev-parse", "HEAD")
    (repos.core / "README.md").write_text("changed by a person\n")
    repos.git("core", "commit", "--quiet", "--all", "-m", "x")
    assert pin(repos) == after
    assert in_submodule(repos, "branch", "--show-current") == branch
    assert in_submodule(repos, "status", "--porcelain") == ""


def test_undo_checks_out_the_old_pin_again(pair: Callable[..., Pair]):
    repos = pair()
    before = pin(repos)
    assert in_submodule(repos, "rev-parse", "HEAD") == before
    for number in (1, 2):
        assert repos.run(number) == 0
    assert in_submodule(repos, "rev-parse", "HEAD") == pin(repos) != before
    assert code_of(lambda: undoing.undo(repos.core, repos.gitops, yes=True, dry=False, json=False)) == 0
    assert pin(repos) == in_submodule(repos, "rev-parse", "HEAD") == before
    assert repos.git("core", "status", "--porcelain") == ""


@pytest.mark.parametrize("work", ["another commit", "a change in the way"])
def test_somebodys_work_in_the_submodule_stays_and_the_command_is_named(
    pair: Callable[..., Pair], work: str, capsys: pytest.CaptureFixture[str]
):
    repos = pair()
    if work == "another commit":
        in_submodule(repos, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--allow-empty", "-qm", "mine")
    else:
        (repos.core / PIN / "README.md").write_text("mine\n")
    head = in_submodule(repos, "rev-parse", "HEAD")
    assert repos.run(1) == 0
    said = capsys.readouterr().err
    assert f"git -C {repos.core} submodule update --init -- {PIN}" in said
    assert in_submodule(repos, "rev-parse", "HEAD") == head
    assert work == "another commit" or (repos.core / PIN / "README.md").read_text() == "mine\n"


def test_a_submodule_that_is_not_checked_out_stays_so(pair: Callable[..., Pair], capsys: pytest.CaptureFixture[str]):
    repos = pair("submodule-not-checked-out")
    assert repos.run(1) == 0
    assert not list((repos.core / PIN).iterdir())
    assert "submodule update" not in capsys.readouterr().err


def test_a_pin_that_was_taken_back_is_not_done(ready: Pair):
    old = ready.git("core", "rev-parse", f"before-remote-first:{PIN}")
    assert ready.run(4) == 0
    assert state(ready, "RF-11") is State.DONE
    ready.git("core", "update-index", "--cacheinfo", f"160000,{old},{PIN}")
    ready.git("core", "commit", "--quiet", "-m", "x")
    assert state(ready, "RF-11") is State.PENDING
    assert ready.run(1) == 0
    assert pin(ready) == ready.git("gitops", "rev-parse", "HEAD")


def test_a_later_commit_of_gitops_needs_no_new_pin(ready: Pair):
    ready.commit("gitops", "later.yaml", b"a: 1\n")
    assert state(ready, "RF-11") is State.DONE


def test_a_gitops_that_lacks_what_core_pins_is_pulled_first(pair: Callable[..., Pair]):
    repos = pair()
    in_submodule(repos, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--allow-empty", "-qm", "a colleague's")
    repos.git("core", "commit", "--quiet", "--all", "-m", "pin the colleague's commit")
    assert (PIN, Reason.UNPINNED) in {(path, reason) for path, reason, _ in blocks(repos.plan((1,)))}
    assert repos.run(1) == 3
    assert Path(repos.core / PIN / ".git").exists()


def test_a_pin_outside_of_the_history_of_gitops_is_merged_first(pair: Callable[..., Pair]):
    repos = pair()
    repos.git("gitops", "checkout", "--quiet", "-b", "colleague")
    repos.commit("gitops", "colleague.yaml", b"a: 1\n")
    other = repos.git("gitops", "rev-parse", "HEAD")
    repos.git("gitops", "checkout", "--quiet", "main")
    repos.git("core", "update-index", "--cacheinfo", f"160000,{other},{PIN}")
    repos.git("core", "commit", "--quiet", "-m", "pin the colleague's commit")
    found = [result for result in repos.plan((1,)).results if result.key == "RF-11"]
    assert found[0].blocks[0].fix == f"git -C {repos.gitops} merge {other[:12]}"
