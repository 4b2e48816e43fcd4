"""What `migrate.references` answers about a path."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from migration import cli
from tests.migration.conftest import Pair, code_of


@pytest.fixture
def who_names(capsys: pytest.CaptureFixture[str]) -> Callable[..., set[str]]:
    """The places that name a path."""

    def asked(repos: Pair, path: str) -> set[str]:
        capsys.readouterr()
        assert code_of(lambda: cli.references(repos.asked(json=True), path)) == 0
        return {row["where"] for row in json.loads(capsys.readouterr().out)["references"]}

    return asked


def test_a_glob_is_asked_for_as_a_folder_is(pair: Callable[..., Pair], who_names: Callable[..., set[str]]):
    found = who_names(pair(), "infra/kubernetes/scripts/*.sh")
    assert any(w.startswith("Makefile:") for w in found)


def test_an_absolute_path_is_one_of_core(pair: Callable[..., Pair], who_names: Callable[..., set[str]]):
    repos = pair()
    assert who_names(repos, f"{repos.core}/scripts/ci/") == who_names(repos, "scripts/ci/") != set()


@pytest.mark.parametrize("path", [".", "/elsewhere"])
def test_what_is_no_path_of_core_is_refused(pair: Callable[..., Pair], path: str):
    repos = pair()
    assert code_of(lambda: cli.references(repos.asked(), path)) == 1


@pytest.mark.slow
def test_who_names_a_path_that_is_gone_is_still_told(ready: Pair, who_names: Callable[..., set[str]]):
    assert ready.run(4) == 0
    assert not (ready.core / "infra").exists()
    assert any(w.startswith("docs/") for w in who_names(ready, "infra/kubernetes/"))
