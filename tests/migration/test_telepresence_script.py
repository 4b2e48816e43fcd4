"""The team's own Telepresence script, which becomes a helper that calls the suite."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from migration.edit.telepresence_helper import VERBS, calls_the_suite, helper
from tests.migration.conftest import Pair, blocks

SCRIPT = "tools/dev/telepresence.sh"


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Run the helper beside a scripts/inv that shows how it is called."""
    place = tmp_path / "core" / SCRIPT
    inv = tmp_path / "core/scripts/inv"
    for file, data in ((place, helper(SCRIPT)), (inv, b'#!/bin/sh\necho "$REMOTE_DEV_CLUSTER__CONTEXT" "$@"\n')):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        file.chmod(0o755)

    def run(*words: str) -> tuple[int, str]:
        done = subprocess.run(
            [place, *words], cwd=tmp_path, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=60
        )
        return done.returncode, done.stdout.strip() or done.stderr

    return run


@pytest.mark.parametrize(
    ("words", "called"),
    [
        (("connect",), "tp.connect"),
        (("connect", "--context", "dev", "--namespace", "team"), "dev tp.connect"),
        (("intercept", "www", "--port", "3001:http"), "intercept www --port 3001:http"),
        (("intercept", "www", "--", "run", "--context", "x"), "intercept www -- run --context x"),
        (("leave", "www"), "leave www"),
        (("leave",), "leave"),
        (("list",), "tp.who"),
        (("status",), "tp.status"),
        (("quit",), "tp.quit"),
    ],
)
def test_each_verb_calls_its_task(script: Callable[..., tuple[int, str]], words: tuple[str, ...], called: str):
    assert script(*words) == (0, called)


def test_other_words_are_a_usage_error(script: Callable[..., tuple[int, str]]):
    for words in ((), ("nothing",), ("connect", "--context")):
        assert script(*words)[0] == 64
    assert script("help")[0] == 0
    assert all(verb in script("help")[1] for verb in VERBS - {"help", "disconnect"})


def test_the_script_stays_and_calls_the_suite(finished: Pair):
    assert calls_the_suite((finished.core / SCRIPT).read_bytes())
    assert os.access(finished.core / SCRIPT, os.X_OK)
    assert f"`{SCRIPT} VERB`" in (finished.core / "docs/dev-workflows/telepresence.md").read_text()
    assert "RF-23: the Telepresence script calls the suite" in finished.subjects("core")


def test_a_verb_that_no_task_does_blocks_with_its_line(pair: Callable[..., Pair]):
    repos = pair("telepresence-verb")
    lines = (repos.core / SCRIPT).read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "gather)" in text)
    assert blocks(repos.plan((2,))) >= {(SCRIPT, "custom", f"core:{SCRIPT}:{line}")}
    assert not [b for b in blocks(repos.plan((2,), accept=[SCRIPT])) if b[0] == SCRIPT]


def test_a_helper_that_the_team_has_changed_stays(pair: Callable[..., Pair]):
    repos = pair()
    repos.commit("core", SCRIPT, helper(SCRIPT) + b"# ours\n", 0o755)
    (step,) = [result for result in repos.plan((2,)).results if result.key == "RF-23"]
    assert (step.changes, step.blocks) == ((), ())
