"""The migration's repeatable flags on the command line: every value counts, and none is split."""

from __future__ import annotations

import json
import subprocess

import pytest

from sandbox.legacy import make
from tests.world import ROOT, program

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return make(tmp_path_factory.mktemp("flags") / "pair", size="S", faults=("one-byte",), remotes=False)


def run(pair, *words: str) -> dict:
    where = ("--core", str(pair.core), "--gitops", str(pair.gitops), "--json")
    done = subprocess.run(
        program(*words, *where), cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    return json.loads(done.stdout)


def blocked(document: dict) -> list[str]:
    return [b["path"] for p in document["phases"] for step in p["steps"] for b in step["blocks"]]


@pytest.mark.parametrize("task", ["migrate.plan", "migrate.phase1"])
def test_only_takes_several_keys(pair, task: str):
    dry = () if task == "migrate.plan" else ("--dry-run",)
    told = run(pair, task, *dry, "--only", "INFRA-10", "--only", "INFRA-11")
    assert [step["key"] for p in told["phases"] for step in p["steps"]] == ["INFRA-10", "INFRA-11"]


def test_an_accepted_glob_accepts_only_what_it_matches(pair):
    spoiled = blocked(run(pair, "migrate.plan"))
    assert spoiled
    assert blocked(run(pair, "migrate.plan", "--accept", "nowhere/*")) == spoiled
    accepted = [word for path in spoiled for word in ("--accept", path)]
    assert blocked(run(pair, "migrate.plan", *accepted)) == []
