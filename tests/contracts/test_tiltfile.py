"""The repository's Tiltfile in Tilt itself, on the sample with all services: the same results as in the harness."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.contracts.kubeconfigs import config
from tests.contracts.programs import Done, Program
from tests.tiltfile.conftest import CONTEXT, KNOWN, SUBMODULE, make_core

TOOL = "tilt"
pytestmark = pytest.mark.contract
RELEASES = [service.release for service in KNOWN.services]


@pytest.fixture
def core(program: Program, tmp_path: Path) -> Path:
    """The sample, and a kubeconfig whose context has a closed port."""
    program.kubeconfig(config("https://127.0.0.1:1", "t", CONTEXT))
    return make_core(tmp_path / "pair")


def result(program: Program, core: Path, *args: str, context: str = CONTEXT) -> Done:
    return program.call("alpha", "tiltfile-result", "--context", context, "--", *args, cwd=core)


def test_all_releases_are_declared(program: Program, core: Path):
    done = result(program, core)
    assert done.exit == 0, done.err
    found = done.json
    assert [name for name in found["EnabledManifests"] if name.endswith("-tilt")] == RELEASES
    assert found["DefaultRegistry"]["host"]
    deploys = [m for m in found["Manifests"] if m["Name"] in RELEASES]
    assert len(deploys) == len(RELEASES)
    for manifest in deploys:
        assert manifest["ImageTargets"]
        assert manifest["DeployTarget"]["timeout"] == "5m0s"
        assert manifest["DeployTarget"]["applyCmd"]["args"][-2] == "tasks.flows.tilt.deploy"


@pytest.mark.parametrize(
    "args", [(f"--only={RELEASES[0]},{RELEASES[3]}",), (f"--only={RELEASES[0]}", "--only", RELEASES[3], "--only=")]
)
def test_only_takes_commas_and_repeats(program: Program, core: Path, args: tuple[str, ...]):
    assert result(program, core, *args).json["EnabledManifests"] == [RELEASES[0], RELEASES[3]]


def test_an_intercept_is_a_resource_that_serves(program: Program, core: Path):
    found = result(program, core, "--intercept=graph").json
    assert found["EnabledManifests"] == ["intercept-graph"]
    manifest = next(m for m in found["Manifests"] if m["Name"] == "intercept-graph")
    assert manifest["DeployTarget"]["ServeCmd"]["Argv"][-2:] == ["intercept", "graph"]


@pytest.mark.parametrize(
    ("args", "context", "said"),
    [
        (("--only=grahp",), CONTEXT, "did you mean apps-graph-tilt?"),
        (("--nope",), CONTEXT, "unknown flag: --nope"),
        ((), "no-such-context", "no Kubernetes context"),
    ],
)
def test_invalid_settings_are_errors_of_the_tiltfile(
    program: Program, core: Path, args: tuple[str, ...], context: str, said: str
):
    done = result(program, core, *args, context=context)
    assert (done.exit, done.out) == (5, "")
    assert said in done.err


def test_another_context_is_refused(program: Program, core: Path):
    program.kubeconfig(config("https://127.0.0.1:1", "t", "kind-kind"))
    done = result(program, core, context="kind-kind")
    assert done.exit == 5
    assert "refused: the context is 'kind-kind'" in done.err


def test_an_absent_submodule_is_one_error_with_its_command(program: Program, core: Path):
    shutil.rmtree(core / SUBMODULE)
    done = result(program, core)
    assert done.exit == 5
    assert done.err.count(f"git submodule update --init {SUBMODULE}") == 1
