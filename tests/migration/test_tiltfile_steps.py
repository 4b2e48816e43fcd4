"""The steps on the Tiltfile: all or none, nothing that was not meant, and what is lost by name."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from migration.engine import MigrationPlan
from starlark_harness import evaluate
from tests.migration.conftest import Pair, blocks

STEPS = {"TILT-10", "TILT-11", "TILT-13", "TILT-14", "TILT-15", "TILT-16"}
PHASES = (1, 2, 3)


def line_of(repos: Pair, path: str, words: str) -> int:
    """The line of the committed file that holds these words."""
    rows = repos.git("core", "show", f"HEAD:{path}").split("\n")
    return next(number for number, row in enumerate(rows, 1) if words in row)


def text_of(plan: MigrationPlan, path: str = "Tiltfile") -> str:
    data = plan.simulation.core.text(path)
    assert data is not None
    return data.decode()


def destroyed(plan: MigrationPlan, key: str) -> str:
    result = next(result for result in plan.results if result.key == key)
    return "; ".join(change.destroys for change in result.changes if change.destroys)


def planned(repos: Pair) -> MigrationPlan:
    """A plan whose repositories can still be read."""
    from migration import cli

    return cli.planned(cli.request(repos.flags(), PHASES))


@pytest.mark.parametrize(
    ("fault", "path", "words"),
    [
        ("tiltfile-settings", "Tiltfile", "CLUSTER = {"),
        ("tiltfile-function", "Tiltfile", "return ['--kube-context='"),
        ("tiltfile-data", "tilt-settings.json", "k3d-ameide"),
        ("tiltfile-fixed-manifest", "services/tools.yaml", "image: registry.localhost"),
    ],
)
def test_what_cannot_be_edited_blocks_every_step_and_leaves_the_file(
    pair: Callable[..., Pair], fault: str, path: str, words: str
):
    repos = pair(fault)
    plan = planned(repos)
    where = f"{path}:{line_of(repos, path, words)}"
    blocking = {result.key for result in plan.results for block in result.blocks if block.where == where}
    assert blocking == STEPS
    assert text_of(plan) == repos.git("core", "show", "HEAD:Tiltfile") + "\n"
    plan.simulation.repositories.close()


def test_the_diff_of_a_refused_edit_is_shown(pair: Callable[..., Pair]):
    plan = pair("tiltfile-settings").plan(PHASES)
    notes = [note for result in plan.results if result.key == "TILT-14" for note in result.notes]
    assert any("-CLUSTER = {'context': 'k3d-ameide', 'namespace': 'ameide'}" in note for note in notes)


@pytest.mark.parametrize("fault", ["tiltfile-local-images", ""])
def test_objects_that_developers_would_overwrite_for_each_other_are_named(pair: Callable[..., Pair], fault: str):
    plan = planned(pair(fault) if fault else pair())
    notes = [note for result in plan.results if result.key == "TILT-12" for note in result.notes]
    assert ["(1 lines, such as `k8s_yaml('k8s/tools.yaml')`)" in note for note in notes] == ([True] if fault else [])
    plan.simulation.repositories.close()


def test_a_syntax_error_blocks_every_step(pair: Callable[..., Pair]):
    plan = pair("broken-tiltfile").plan(PHASES)
    assert {result.key for result in plan.results if any(b.where == "Tiltfile:45" for b in result.blocks)} == STEPS
    assert ("Tiltfile", "custom", "Tiltfile:45") in blocks(plan)


def test_what_is_removed_is_named_by_its_lines_and_resources(pair: Callable[..., Pair]):
    repos = pair("tiltfile-comments")
    plan = planned(repos)
    line = line_of(repos, "Tiltfile", "local_resource('local-pods'")
    lost = destroyed(plan, "TILT-14")
    assert f"line {line} `local_resource('local-pods'" in lost
    assert "local-pods" in lost.rpartition("resources: ")[2]
    text = text_of(plan)
    kept = [
        "# Reminds the team of the release day.",
        "local_resource('release-day', 'scripts/release-day.sh')  # on Thursdays",
        "# Counts the to-dos.",
        "local_resource('todos', 'scripts/todos.sh')",
    ]
    assert "\n".join(kept) in text
    plan.simulation.repositories.close()


def test_a_conditional_registry_is_made_unconditional(pair: Callable[..., Pair]):
    repos = pair("tiltfile-conditional-registry")
    plan = planned(repos)
    text = text_of(plan)
    assert [
        row for row in text.splitlines() if "default_registry(" in row and not row.startswith("default_registry(")
    ] == []
    assert "default_registry(REMOTE_FIRST['registry']['host'])" in text
    plan.simulation.repositories.close()


def test_local_images_keep_their_build_and_their_manifest(pair: Callable[..., Pair]):
    repos = pair("tiltfile-local-images")
    for number in PHASES:
        assert repos.run(number) == 0
    tiltfile = (repos.core / "Tiltfile").read_text()
    assert "docker_build('ameide/tools', 'packages', dockerfile_contents='FROM scratch')" in tiltfile
    assert "image: ameide/tools:dev\n" in (repos.core / "k8s/tools.yaml").read_text()
    assert evaluate(
        repos.core / "Tiltfile", context="ameide-dev-aks", env={"HOME": "/home/x"}, run=lambda *_: ""
    ).images


def test_an_included_file_is_edited_by_the_same_rules(pair: Callable[..., Pair]):
    plan = planned(pair("tiltfile-included"))
    text = text_of(plan, "tilt/checks/Tiltfile")
    wanted = "# Checks that every developer runs.\nlocal_resource('lint-charts', 'scripts/lint.sh')  # the same in CI\n"
    assert text == wanted
    assert "resources: local-nodes" in destroyed(plan, "TILT-14")
    plan.simulation.repositories.close()


def test_shared_values_lead_into_the_submodule(pair: Callable[..., Pair]):
    plan = planned(pair("tiltfile-shared-values"))
    assert "watch_file('gitops/ameide-gitops/sources/values/_shared/apps/apps-graph.yaml')" in text_of(plan)
    plan.simulation.repositories.close()


def test_what_cannot_be_evaluated_is_said_and_compared_by_syntax(pair: Callable[..., Pair]):
    repos = pair("tiltfile-unknown-function")
    plan = repos.plan(PHASES)
    line = line_of(repos, "Tiltfile", "local_git_repo")
    notes = {note for result in plan.results for note in result.notes if "could not be evaluated" in note}
    assert len(notes) == 1
    assert f"Tiltfile:{line}: " in notes.pop()
    assert [result.key for result in plan.results if result.key in STEPS and result.blocks] == []


def test_a_second_plan_after_the_phase_has_nothing_left(pair: Callable[..., Pair]):
    repos = pair("tiltfile-included")
    for number in PHASES:
        assert repos.run(number) == 0
    plan = repos.plan((3,))
    assert [change for result in plan.results for change in result.changes] == []
