"""What --accept waives: missing, differs, mode, unmapped and diverged of the path itself, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from migration import applications
from migration.engine import MigrationPlan
from migration.model import Consumer
from sandbox.legacy.faults_proofs import UNPUSHED_FOLDER
from sandbox.legacy.faults_written import VICTIMS
from tasks.core.errors import Trouble
from tests.migration.conftest import Pair, blocks

SYNCED = "infra/kubernetes/scripts"
CORE_URL = "https://github.com/ameideio/ameide-core.git"


def without_references(plan: MigrationPlan) -> set[tuple[str, str]]:
    """Path and reason of every block that is not about a reference."""
    return {(path, reason) for path, reason, _ in blocks(plan) if reason != "referenced"}


def deleted(plan: MigrationPlan) -> dict[str, str]:
    """Each file that the plan deletes, with what is lost."""
    return {change.path: change.destroys for r in plan.results for change in r.changes if change.kind == "delete"}


def lives(monkeypatch: pytest.MonkeyPatch, *consumers: Consumer) -> None:
    """Let the cluster answer with these consumers."""
    monkeypatch.setattr(applications, "live", lambda s: list(consumers))


@pytest.mark.parametrize("fault", ["one-byte", "mode-bit"])
def test_accept_waives_a_copy_that_differs(pair: Callable[..., Pair], fault: str):
    plan = pair(fault).plan((4,), accept=[VICTIMS[fault]])
    assert without_references(plan) == set()


@pytest.mark.parametrize("fault", ["uncommitted", "unpinned"])
@pytest.mark.parametrize("folder", [False, True])
def test_accept_does_not_waive_a_copy_that_is_not_committed_or_not_pinned(
    pair: Callable[..., Pair], fault: str, folder: bool
):
    victim = VICTIMS[fault]
    accepted = victim.rpartition("/")[0] + "/" if folder else victim
    plan = pair(fault).plan((4,), accept=[accepted])
    assert without_references(plan) == {(victim, fault)}
    assert victim not in deleted(plan)


def test_accept_does_not_waive_a_copy_that_is_not_pushed(pair: Callable[..., Pair]):
    plan = pair("unpushed", remotes=True).plan((4,), accept=[VICTIMS["unpushed"]])
    assert without_references(plan) == {(VICTIMS["unpushed"], "unpushed")}
    assert VICTIMS["unpushed"] not in deleted(plan)


def test_accept_does_not_waive_a_change_of_core_that_is_not_committed(ready: Pair):
    path = "infra/kubernetes/scripts/common.sh"
    (ready.core / path).write_text("changed\n")
    plan = ready.plan((4,), accept=["infra/"])
    assert (path, "uncommitted") in without_references(plan)
    assert path not in deleted(plan)


@pytest.mark.parametrize("accepted", [UNPUSHED_FOLDER, "scripts/ops/all.sh"])
def test_accept_of_a_folder_or_of_a_reference_to_it_is_not_a_push(pair: Callable[..., Pair], accepted: str):
    repos = pair("unpushed-folder", remotes=True)
    files = set(repos.git("core", "ls-files", UNPUSHED_FOLDER).splitlines())
    assert len(files) > 1
    plan = repos.plan((4,), accept=[accepted])
    assert {path for path, reason in without_references(plan) if reason == "unpushed"} == files
    assert not files & deleted(plan).keys()


def test_an_accepted_file_whose_copy_is_proven_is_not_lost(ready: Pair):
    path = "infra/kubernetes/scripts/common.sh"
    assert deleted(ready.plan((4,), accept=[path]))[path] == ""


def test_an_accepted_file_without_a_copy_is_lost(ready: Pair):
    ready.commit("core", "infra/kubernetes/odd/a.txt", b"a")
    assert deleted(ready.plan((4,), accept=["infra/kubernetes/odd/"]))["infra/kubernetes/odd/a.txt"] == (
        "infra/kubernetes/odd/a.txt"
    )


def test_accept_of_a_path_does_not_waive_a_reference_to_it(ready: Pair):
    path = "infra/kubernetes/odd/a.txt"
    ready.commit("core", path, b"a")
    ready.commit("core", "scripts/own/mode.sh", b"cat infra/kubernetes/odd/a.txt\n")
    plan = ready.plan((4,), accept=[path])
    assert blocks(plan, "referenced") == {(path, "referenced", "scripts/own/mode.sh:1")}
    assert path not in deleted(plan)
    assert path in deleted(ready.plan((4,), accept=[path, "scripts/own/mode.sh"]))


def test_accept_of_a_path_that_an_application_in_gitops_syncs_does_not_waive_it(pair: Callable[..., Pair]):
    repos = pair("argo-consumer")
    path = "infra/kubernetes/gitops/argocd/applications/"
    plan = repos.plan((4,), accept=[path])
    assert (path, "consumed") in without_references(plan)
    assert not [deleted_path for deleted_path in deleted(plan) if deleted_path.startswith(path)]


def test_accept_of_a_path_does_not_waive_an_application_of_core_while_the_cluster_is_unknown(
    ready: Pair, monkeypatch: pytest.MonkeyPatch
):
    body = (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: old}\nspec:\n  source:\n"
        f"    repoURL: {CORE_URL}\n    path: {SYNCED}\n"
    )
    ready.commit("core", "services/platform/old-app.yaml", body.encode())

    def unreachable(s: object) -> list[Consumer]:
        raise Trouble("the cluster was not queried")

    monkeypatch.setattr(applications, "live", unreachable)
    accept = [f"{SYNCED}/", "services/platform/old-app.yaml"]
    assert (f"{SYNCED}/", "consumed") in without_references(ready.plan((4,), accept=accept))
    lives(monkeypatch)  # now the cluster answers: nothing syncs from there
    assert without_references(ready.plan((4,), accept=accept)) == set()


@pytest.mark.parametrize("accepted", ["infra/", "infra/kubernetes/", f"{SYNCED}/common.sh"])
def test_a_live_application_is_not_waived_by_accepting_another_path(
    ready: Pair, monkeypatch: pytest.MonkeyPatch, accepted: str
):
    lives(monkeypatch, Consumer("cluster dev: Application old", CORE_URL, SYNCED))
    plan = ready.plan((4,), accept=[accepted])
    assert blocks(plan, "consumed") == {(f"{SYNCED}/", "consumed", "cluster dev: Application old")}
    assert not [path for path in deleted(plan) if path.startswith(f"{SYNCED}/")]


def test_a_live_application_is_waived_by_accepting_the_path_it_syncs_and_the_plan_says_what_is_lost(
    ready: Pair, monkeypatch: pytest.MonkeyPatch
):
    lives(monkeypatch, Consumer("cluster dev: Application old", CORE_URL, SYNCED))
    plan = ready.plan((4,), accept=[f"{SYNCED}/"])
    assert blocks(plan) == set()
    lost = {path: text for path, text in deleted(plan).items() if path.startswith(f"{SYNCED}/")}
    assert lost
    assert set(lost.values()) == {f"what cluster dev: Application old deployed from {SYNCED}/"}


def test_a_submodule_in_a_folder_to_delete_is_not_waived(pair: Callable[..., Pair]):
    path = "infra/kubernetes/policies/shared"
    plan = pair("extra-reference-submodule").plan((4,), accept=[path])
    assert (path, "custom") in without_references(plan)


@pytest.mark.parametrize("word", ["infra/nothing/", "/etc/passwd", "../x", "no-such-file"])
def test_a_word_that_matches_nothing_is_named(pair: Callable[..., Pair], word: str, capsys: pytest.CaptureFixture[str]):
    pair().plan((1,), accept=[word])
    assert f"--accept {word} matches no file of core" in capsys.readouterr().err
