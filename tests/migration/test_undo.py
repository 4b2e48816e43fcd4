"""Undo: later work of people is neither lost nor undone."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import pytest

from migration import undo as undoing
from tests.migration.conftest import Pair, code_of

pytestmark = pytest.mark.slow
NAMES = ("core", "gitops")


def undo(repos: Pair, *, yes: bool = True, dry: bool = False, json: bool = False) -> int:
    return code_of(lambda: undoing.undo(repos.core, repos.gitops, yes=yes, dry=dry, json=json))


def trees(repos: Pair) -> list[str]:
    return [repos.tree(name) for name in NAMES]


def tagged(repos: Pair) -> list[str]:
    return [repos.git(name, "rev-parse", "before-remote-first^{tree}") for name in NAMES]


@pytest.mark.parametrize("place", ["infra/kubernetes/scripts/common.sh", "infra"])
def test_an_untracked_file_in_the_way_of_a_restored_one_is_not_lost(
    ready: Pair, place: str, capsys: pytest.CaptureFixture[str]
):
    assert ready.run(4) == 0
    (ready.core / place).parent.mkdir(parents=True, exist_ok=True)
    (ready.core / place).write_text("a person's\n")
    before = trees(ready)
    capsys.readouterr()
    assert undo(ready, dry=True, json=True) == 3
    (core, gitops) = json.loads(capsys.readouterr().out)["repositories"]
    assert place in core["problems"][0]["what"]
    assert gitops["problems"] == []
    assert undo(ready) == 3
    assert f"move it away: {ready.core / place}" in capsys.readouterr().err
    assert (ready.core / place).read_text() == "a person's\n"
    assert trees(ready) == before
    (ready.core / place).unlink()
    assert undo(ready) == 0
    assert trees(ready) == tagged(ready)


def test_a_dry_run_of_undo_shows_what_prevents_it(ready: Pair, capsys: pytest.CaptureFixture[str]):
    (ready.gitops / "README.md").write_text("not committed\n")
    assert undo(ready, dry=True) == 3
    assert "uncommitted changes" in capsys.readouterr().out


def test_undoing_twice_changes_nothing_more(ready: Pair):
    assert undo(ready) == 0
    heads = [ready.git(n, "rev-parse", "HEAD") for n in NAMES]
    assert undo(ready) == 0
    assert [ready.git(n, "rev-parse", "HEAD") for n in NAMES] == heads


def test_work_after_an_undo_survives_the_next_undo(pair: Callable[..., Pair]):
    repos = pair()
    assert repos.run(1) == 0
    assert undo(repos) == 0
    repos.commit("core", "README.md", b"Rewritten meanwhile.\n")
    before = trees(repos)
    assert repos.run(1) == 0
    assert undo(repos) == 0
    assert trees(repos) == before


def test_after_a_pushed_undo_the_copies_are_made_again(pair: Callable[..., Pair]):
    repos = pair(remotes=True)
    before = trees(repos)
    assert repos.run(1, push=True) == 0
    migrated = repos.tree("gitops")
    repos.git("core", "push", "--quiet", "origin", "HEAD")
    assert undo(repos) == 0
    assert trees(repos) == before
    assert repos.run(1, push=True) == 0
    assert repos.tree("gitops") == migrated  # what only an undone migration had there did not "move on"


def branch_off(repos: Pair) -> None:
    for name in NAMES:
        repos.git(name, "switch", "--quiet", "-c", "migration")
    assert repos.run(1) == 0
    for name in NAMES:
        repos.git(name, "switch", "--quiet", "main")


def test_a_merged_migration_is_undone_and_other_work_stays(pair: Callable[..., Pair]):
    repos = pair()
    branch_off(repos)
    for name in NAMES:
        repos.commit(name, "own.txt", b"own\n")
    beside = trees(repos)
    for name in NAMES:
        repos.git(name, "merge", "--quiet", "--no-ff", "-m", "Merge", "migration")
    assert undo(repos) == 0
    assert trees(repos) == beside


def test_a_squashed_migration_is_undone_by_its_trailers(pair: Callable[..., Pair]):
    repos = pair()
    before = trees(repos)
    branch_off(repos)
    for name in NAMES:
        repos.git(name, "merge", "--quiet", "--squash", "migration")
        repos.git(name, "commit", "--quiet", "--no-edit")
    assert undo(repos) == 0
    assert trees(repos) == before


def test_a_migration_without_trailers_is_not_reported_as_undone(
    pair: Callable[..., Pair], capsys: pytest.CaptureFixture[str]
):
    repos = pair()
    branch_off(repos)
    for name in NAMES:
        repos.git(name, "merge", "--quiet", "--squash", "migration")
        repos.git(name, "commit", "--quiet", "-m", "in my own words")
    capsys.readouterr()
    assert undo(repos) == 0
    said = capsys.readouterr().out
    assert "is as it was" not in said
    assert "were they squashed?" in said


def test_a_lost_tag_is_refused_with_the_command_that_restores_it(ready: Pair, capsys: pytest.CaptureFixture[str]):
    start = tagged(ready)[0]
    ready.git("core", "tag", "-d", "before-remote-first")
    capsys.readouterr()
    assert undo(ready) == 3
    (fix,) = [line for line in capsys.readouterr().err.splitlines() if "fix: git" in line]
    subprocess.run(fix.partition("fix: ")[2].split(), check=True)
    assert undo(ready) == 0
    assert ready.tree("core") == start


def test_undo_ignores_the_grafted_history(pair: Callable[..., Pair]):
    repos = pair()
    before = trees(repos)
    assert repos.run(1, history="keep") == 0
    assert undo(repos) == 0
    assert trees(repos) == before
