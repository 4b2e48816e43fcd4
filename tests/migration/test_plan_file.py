"""Saved plans: which files are refused, and what applying a plan again does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from migration import cli, plan_file
from tasks.core.errors import Trouble
from tests.migration.conftest import Pair, code_of

GOOD: dict[str, Any] = {
    "schema": 1,
    "replay": {
        "core": "c", "gitops": "g", "keys": ["INFRA-10"], "accept": [], "history": "none", "idents": {},
        "at": {"core": "1" * 40, "gitops": "2" * 40}, "commits": {"core": [], "gitops": []},
    },
}  # fmt: skip


def with_replay(**more: object) -> str:
    return json.dumps({**GOOD, "replay": GOOD["replay"] | more})


def test_a_saved_plan_is_read(tmp_path: Path):
    (tmp_path / "p").write_text(json.dumps(GOOD))
    assert plan_file.read(tmp_path / "p")[0].keys == ("INFRA-10",)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (json.dumps(GOOD)[:60], 1),
        ("", 1),
        ("\0\1\2", 1),
        ("[" * 100_000, 1),
        ("[1]", 1),
        (json.dumps({"schema": 1}), 1),
        (json.dumps(GOOD | {"schema": 2}), 3),
        (with_replay(at={}), 1),
        (with_replay(at={"core": "1" * 40}), 1),
        (with_replay(commits={}), 1),
        (with_replay(keys=["XX-99"]), 3),
        (with_replay(history="bogus"), 3),
        (with_replay(idents={"core": ["one"]}), 1),
    ],
)
def test_a_file_that_is_not_a_plan_is_refused_with_a_fix(tmp_path: Path, text: str, code: int):
    (tmp_path / "p").write_text(text)
    with pytest.raises(Trouble) as why:
        plan_file.read(tmp_path / "p")
    assert why.value.code == code
    assert "migrate.plan --out" in why.value.fix


@pytest.mark.slow
def test_applying_a_plan_again_asks_nothing_and_reports_it_as_done(
    pair: Callable[..., Pair], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    repos, file = pair(), str(tmp_path / "plan.json")
    assert code_of(lambda: cli.plan(repos.flags(json=True), file)) == 0
    assert code_of(lambda: cli.apply_file(repos.flags(check=True, json=True), file)) == 2
    assert code_of(lambda: cli.apply_file(repos.flags(yes=True), file)) == 0
    (repos.core / "README.md").write_text("a person's, not committed\n")
    for flags in ({"check": True}, {"dry": True}, {}):  # no yes, a dirty tree: there is nothing to hinder
        capsys.readouterr()
        assert code_of(lambda flags=flags: cli.apply_file(repos.flags(json=True, **flags), file)) == 0  # type: ignore[misc]
        out = capsys.readouterr().out
        states = {s["state"] for p in json.loads(out)["phases"] for s in p["steps"]}
        assert states <= {"done", "unknown"}


@pytest.mark.slow
def test_an_applied_plan_is_done_even_when_today_s_plan_would_differ(
    pair: Callable[..., Pair], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    repos, file = pair(), tmp_path / "plan.json"
    assert code_of(lambda: cli.plan(repos.flags(), str(file))) == 0
    assert code_of(lambda: cli.apply_file(repos.flags(yes=True), str(file))) == 0
    document = json.loads(file.read_text())
    document["replay"]["idents"] = {n: ["A <a@b> 1 +0000"] * 2 for n in ("core", "gitops")}
    file.write_text(json.dumps(document))
    capsys.readouterr()
    assert code_of(lambda: cli.apply_file(repos.flags(yes=True, json=True), str(file))) == 0
    assert json.loads(capsys.readouterr().out)["core"]["head"] == repos.git("core", "rev-parse", "HEAD")


@pytest.mark.slow
def test_diffs_are_in_the_json_and_shown_before_a_phase_runs(
    pair: Callable[..., Pair], capsys: pytest.CaptureFixture[str]
):
    repos = pair()
    assert code_of(lambda: cli.phase(repos.flags(dry=True, json=True, diff=True), 1)) == 0
    assert "+++ b/core/README.md" in json.loads(capsys.readouterr().out)["diff"]
    assert repos.run(1, diff=True) == 0
    assert "+++ b/core/README.md" in capsys.readouterr().err


def test_accepting_a_folder_without_its_slash_is_refused(pair: Callable[..., Pair]):
    with pytest.raises(Trouble, match="--accept infra/kubernetes/"):
        pair().plan((4,), accept=["infra/kubernetes"])
