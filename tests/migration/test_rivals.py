"""Files of core that compete: twins, and two files with one destination. A decision holds to the end."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from migration import mapping_file
from migration.engine import MigrationPlan
from migration.mapping import Mapping
from sandbox.legacy.faults_proofs import TAKEN
from tasks.core.plan.outcome import State
from tests.migration.conftest import Pair, blocks

ONE = "infra/bicep/managed-application/modules/aks.bicep"
OTHER = "infra/azure/managed-application/modules/aks.bicep"
NAME = "modules/aks.bicep"
FIRST, SECOND = "tools/bootstrap/configs/dev.yaml", "infra/environments/dev/bootstrap.yaml"
PLACE = "bootstrap/configs/dev.yaml"


def change_mapping(monkeypatch: pytest.MonkeyPatch, change: Callable[[Mapping], Mapping]) -> None:
    """Let every run read the suite's mapping with this change."""
    read = mapping_file.read
    monkeypatch.setattr(mapping_file, "read", lambda path: change(read(path)))


def decide(mapping: Mapping) -> Mapping:
    return replace(mapping, twins=[replace(row, decided=[NAME]) for row in mapping.twins])


def one_destination(mapping: Mapping) -> Mapping:
    """Let both folders of the twins go to one folder of gitops."""
    moves = [
        replace(row, target="bicep/managed-application/") if row.source == "infra/azure/managed-application/" else row
        for row in mapping.moves
    ]
    return replace(mapping, moves=moves)


def deleted(plan: MigrationPlan) -> dict[str, str]:
    return {change.path: change.destroys for r in plan.results for change in r.changes if change.kind == "delete"}


def everything_done(plan: MigrationPlan) -> bool:
    return {result.state for result in plan.results if result.phase in (1, 4)} == {State.DONE}


def test_a_file_of_gitops_with_other_content_differs(pair: Callable[..., Pair]):
    repos = pair("destination-taken")
    assert blocks(repos.plan((1,))) == {(TAKEN, "differs", "gitops:scripts/common.sh")}
    assert blocks(repos.plan((1,), accept=[TAKEN])) == set()


def test_undecided_twins_both_stay(pair: Callable[..., Pair]):
    repos = pair("diverged-twins")
    assert {repos.run(number) for number in (1, 4)} == {3}
    assert (repos.core / ONE).exists()
    assert (repos.core / OTHER).exists()
    found = blocks(repos.plan(), "diverged")
    assert {(ONE, "diverged", OTHER), (OTHER, "diverged", ONE)} == found


@pytest.mark.slow
@pytest.mark.parametrize("shared", [False, True])
def test_decided_twins_stay_decided_to_the_end(
    pair: Callable[..., Pair], monkeypatch: pytest.MonkeyPatch, shared: bool
):
    change_mapping(monkeypatch, (lambda m: one_destination(decide(m))) if shared else decide)
    repos = pair("diverged-twins")
    one = repos.git("core", "rev-parse", f"HEAD:{ONE}")
    other = repos.git("core", "rev-parse", f"HEAD:{OTHER}")
    for number in (1, 2, 3):
        assert repos.run(number) == 0
    assert repos.git("gitops", "rev-parse", "HEAD:bicep/managed-application/modules/aks.bicep") == one
    if not shared:
        assert repos.git("gitops", "rev-parse", "HEAD:azure/managed-application/modules/aks.bicep") == other
    for key in ("CLEAN-13", "CLEAN-14"):
        assert repos.run(4, only=["RF-40", key]) == 0
        between = repos.plan((1, 4))
        assert blocks(between) == set()
        assert {r.state for r in between.results if r.phase == 1} == {State.DONE}
    assert not (repos.core / ONE).exists()
    assert not (repos.core / OTHER).exists()
    assert repos.run(4) == 0
    assert everything_done(repos.plan())


def test_the_twin_that_was_not_chosen_is_not_deleted_before_the_other_is_in_gitops(
    pair: Callable[..., Pair], monkeypatch: pytest.MonkeyPatch
):
    change_mapping(monkeypatch, lambda m: one_destination(decide(m)))
    repos = pair("diverged-twins")
    repos.commit("gitops", "bicep/managed-application/modules/aks.bicep", b"// of gitops\n")
    found = {(path, reason) for path, reason, _ in blocks(repos.plan())}
    assert {(ONE, "differs"), (OTHER, "differs")} <= found


def test_twins_with_one_destination_are_blocked_until_one_is_chosen(
    pair: Callable[..., Pair], monkeypatch: pytest.MonkeyPatch
):
    change_mapping(monkeypatch, one_destination)
    found = blocks(pair("diverged-twins").plan((1,)))
    assert found == {(ONE, "diverged", OTHER), (OTHER, "diverged", ONE)}


@pytest.mark.slow
@pytest.mark.parametrize(("lost", "kept"), [(FIRST, SECOND), (SECOND, FIRST)])
def test_accept_chooses_between_two_sources_of_one_destination(pair: Callable[..., Pair], lost: str, kept: str):
    repos = pair("two-sources")
    blob = repos.git("core", "rev-parse", f"HEAD:{kept}")
    for number in (1, 2, 3):
        assert repos.run(number, accept=[lost]) == 0
    assert (
        repos.git("gitops", "log", "--format=", "--raw", "--no-abbrev", "--", PLACE).splitlines()[-1].split()[3] == blob
    )
    plan = repos.plan((4,), accept=[lost])
    assert deleted(plan)[lost] == lost
    assert deleted(plan)[kept] == ""
    assert repos.run(4, accept=[lost]) == 0
    assert everything_done(repos.plan())
