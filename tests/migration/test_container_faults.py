"""Phase 2 on the pair with each fault of its dev container."""

from __future__ import annotations

from collections.abc import Callable

import json5
import pytest

from migration.engine import MigrationPlan
from migration.model import StepResult
from tasks.core.plan.outcome import State
from tests.migration.conftest import Pair

MAIN = ".devcontainer/devcontainer.json"
TEAM = ".devcontainer/postCreate.team.sh"

pytestmark = pytest.mark.slow


def step(plan: MigrationPlan, key: str) -> StepResult:
    return next(result for result in plan.results if result.key == key)


def written(plan: MigrationPlan, path: str) -> str:
    return (plan.simulation.core.text(path) or b"").decode()


def fixes(plan: MigrationPlan, key: str) -> str:
    return "\n".join(f"{block.where} {block.fix}" for block in step(plan, key).blocks)


def test_without_a_dev_container_there_is_nothing_to_do(pair: Callable[..., Pair]):
    plan = pair("no-dev-container").plan((2,))
    assert all(step(plan, f"DC-{number}").unused for number in range(10, 16))


def test_two_dev_containers_are_a_decision(pair: Callable[..., Pair]):
    assert "set dev_container.folder to .devcontainer/web" in fixes(pair("named-containers").plan((2,)), "DC-11")


def test_an_image_is_built_with_the_tools_for_its_user(pair: Callable[..., Pair]):
    plan = pair("image-container").plan((2,))
    text = written(plan, ".devcontainer/remote-first.Dockerfile")
    assert text.startswith("FROM mcr.microsoft.com/devcontainers/typescript-node:22\n")
    assert "/home/node/.azure" in text
    assert json5.loads(written(plan, MAIN))["remoteUser"] == "node"


def test_a_service_of_compose_gets_tools_and_device(pair: Callable[..., Pair]):
    plan = pair("compose-container").plan((2,))
    assert json5.loads(written(plan, MAIN))["dockerComposeFile"] == ["workspace.yml", "docker-compose.remote-first.yml"]
    assert "TELEPRESENCE_VERSION" in written(plan, ".devcontainer/Dockerfile")


@pytest.mark.parametrize(
    ("fault", "words"),
    [("root-container", "its user is root"), ("gone-script", ".devcontainer/gone.sh, which does not")],
)
def test_what_a_person_has_to_decide_blocks(pair: Callable[..., Pair], fault: str, words: str):
    assert words in fixes(pair(fault).plan((2,)), "DC-11")


def test_other_commands_lose_the_local_cluster_and_run_the_setup(pair: Callable[..., Pair]):
    plan = pair("other-hooks").plan((2,))
    assert json5.loads(written(plan, MAIN))["postCreateCommand"] == {
        "packages": ["npm", "ci"],
        "remote-first": "bash .devcontainer/postCreate.sh",
    }
    assert written(plan, "dev/start.sh") == "#!/bin/sh -e\nmake hooks\n"
    assert {step(plan, f"DC-{number}").state for number in (13, 14)} == {State.DONE}


def test_a_plain_script_runs_unchanged(pair: Callable[..., Pair]):
    assert written(pair("plain-script").plan((2,)), TEAM) == "#!/bin/bash\nset -e\npnpm install # all of it\n"


def test_a_file_with_a_function_that_a_kept_line_calls_stays(pair: Callable[..., Pair]):
    repos = pair("sourced-function")
    plan = repos.plan((2, 4))
    assert "lib/helm.sh" in written(plan, TEAM)
    assert "\nhelm_require_v3\n" in written(plan, TEAM)
    assert "helm_require_v3()" in written(plan, ".devcontainer/lib/helm.sh")


def test_a_line_below_a_here_document_is_kept_or_named(pair: Callable[..., Pair]):
    plan = pair("here-document").plan((2,))
    assert "make team-thing" in written(plan, TEAM) or "make team-thing" in fixes(plan, "DC-10")


def test_the_documents_say_which_start_counts(pair: Callable[..., Pair]):
    plan = pair().plan((2,))
    assert "inv setup" in written(plan, ".devcontainer/README.md")
    named = {note.partition(":")[0] for note in step(plan, "RF-22").notes}
    assert {".devcontainer/README.md", "README.md"} <= named
