"""What `migrate.references` lists for a path."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from migration import cli
from tests.migration.conftest import Pair, code_of
from tests.migration.test_rivals import ONE, OTHER, change_mapping, decide, one_destination


@pytest.fixture
def who_names(capsys: pytest.CaptureFixture[str]) -> Callable[..., set[str]]:
    """The places that name a path."""

    def asked(repos: Pair, path: str) -> set[str]:
        capsys.readouterr()
        assert code_of(lambda: cli.references(repos.flags(json=True), path)) == 0
        return {row["where"] for row in json.loads(capsys.readouterr().out)["references"]}

    return asked


def test_references_takes_a_glob(pair: Callable[..., Pair], who_names: Callable[..., set[str]]):
    found = who_names(pair(), "infra/kubernetes/scripts/*.sh")
    assert any(w.startswith("Makefile:") for w in found)


def test_references_takes_an_absolute_path_in_core(pair: Callable[..., Pair], who_names: Callable[..., set[str]]):
    repos = pair()
    assert who_names(repos, f"{repos.core}/scripts/ci/") == who_names(repos, "scripts/ci/") != set()


@pytest.mark.parametrize("path", [".", "/elsewhere"])
def test_references_refuses_a_path_outside_core(pair: Callable[..., Pair], path: str):
    repos = pair()
    assert code_of(lambda: cli.references(repos.flags(), path)) == 1


@pytest.mark.slow
def test_references_to_a_deleted_path_are_still_listed(ready: Pair, who_names: Callable[..., set[str]]):
    assert ready.run(4) == 0
    assert not (ready.core / "infra").exists()
    assert any(w.startswith("docs/") for w in who_names(ready, "infra/kubernetes/"))


def test_references_lists_an_application_that_may_be_live(
    pair: Callable[..., Pair], who_names: Callable[..., set[str]]
):
    repos = pair()
    body = (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: old}\nspec:\n  source:\n"
        "    repoURL: https://github.com/ameideio/ameide-core.git\n    path: infra/bicep\n"
    )
    repos.commit("core", "services/platform/old-app.yaml", body.encode())
    assert "core:services/platform/old-app.yaml:7" in who_names(repos, "infra/bicep/")


def test_explain_names_the_twin_that_was_chosen(
    pair: Callable[..., Pair], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    change_mapping(monkeypatch, lambda mapping: one_destination(decide(mapping)))
    repos = pair("diverged-twins")
    assert code_of(lambda: cli.explain(repos.flags(), OTHER)) == 0
    said = capsys.readouterr().out
    assert f"not copied: the mapping decided for {ONE}" in said
    assert f"the mapping chose {ONE}" in said
