"""What the suite relies on in Helm."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.core.config.settings import Settings
from tasks.core.errors import ToolError
from tasks.core.plan.change import perform
from tasks.core.signatures import explain
from tasks.tools import api_server, helm, versions
from tests.contracts.kubeconfigs import config, fetched, frozen
from tests.contracts.programs import Program

TOOL = "helm"
pytestmark = pytest.mark.contract


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    """A chart of one object with a required value."""
    place = tmp_path / "chart"
    (place / "templates").mkdir(parents=True)
    (place / "Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 0.1.0\n")
    (place / "values.yaml").write_text("kept: yes-it-is\n")
    (place / "templates/cm.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}\n  namespace: {{ .Release.Namespace }}\n"
        'data:\n  must: {{ required "set .Values.must" .Values.must | quote }}\n  kept: {{ .Values.kept | quote }}\n'
    )
    return place


@pytest.fixture
def cluster(program: Program, suite: Settings) -> None:
    """A cluster that accepts releases."""
    program.only_real_with("KUBECONFIG", "CONTEXT", "NAMESPACE")
    frozen(suite, Path(program.cluster["KUBECONFIG"]).read_text() if program.is_real else fetched(program, suite))


@pytest.fixture
def refused(program: Program, suite: Settings) -> None:
    """A kubeconfig for a closed port."""
    frozen(suite, config("https://127.0.0.1:1", "t", suite.cluster.context))


def test_its_version_is_read(program: Program, suite: Settings):
    done = program.call("version", "--short")
    assert done.exit == 0
    assert done.out.startswith("v")
    found = versions.installed(suite, TOOL)
    assert found is not None
    assert done.out.startswith(f"v{found.version}")


def test_a_chart_is_rendered_without_a_cluster(program: Program, suite: Settings, refused: None, chart: Path):
    values = chart.parent / "more.yaml"
    values.write_text("must: from-a-file\n")
    made = helm.render(suite, "web-tilt", chart, [values], ["kept=by-set"])
    assert [(o["kind"], o["metadata"]["name"], o["data"]) for o in made] == [
        ("ConfigMap", "web-tilt", {"must": "from-a-file", "kept": "by-set"})
    ]
    assert made[0]["metadata"]["namespace"] == suite.cluster.namespace


def test_a_missing_value_is_reported(program: Program, suite: Settings, refused: None, chart: Path):
    done = program.call("template", "web-tilt", str(chart))
    assert (done.exit, done.out) == (1, "")
    assert "set .Values.must" in done.err
    with pytest.raises(ToolError):
        helm.render(suite, "web-tilt", chart, [])


def test_a_server_that_refuses_is_reported(program: Program, suite: Settings, refused: None):
    with pytest.raises(ToolError) as why:
        helm.tool(suite)["list"].run()
    assert "Kubernetes cluster unreachable" in why.value.what
    assert explain(TOOL, why.value.output)[1]
    with pytest.raises(api_server.Unreachable, match="refuses connections"):
        helm.releases(suite, "ada")


def test_an_unknown_context_is_reported(program: Program, suite: Settings, refused: None):
    done = program.call("list", "--kube-context", "nope", "--output", "json")
    assert (done.exit, done.out) == (1, "")
    assert 'context "nope" does not exist' in done.err


def test_a_release_is_created_labelled_listed_and_deleted(
    program: Program, suite: Settings, cluster: None, chart: Path
):
    name = "contract-tilt"
    perform(helm.upgrade(suite, name, chart, [], ["must=1"], holder="ada"))
    mine = {r.name: r for r in helm.releases(suite, "ada")}[name]
    assert (mine.status, mine.mine, mine.stuck) == ("deployed", True, False)
    assert not {r.name: r for r in helm.releases(suite, "bob")}[name].mine
    assert helm.holder_of(suite, name) == "ada"
    perform(helm.upgrade(suite, name, chart, [], ["must=2"], holder="ada"))
    assert {r.name: r for r in helm.releases(suite, "ada")}[name].revision == 2
    assert "uid" in helm.applied(suite, name)
    perform(helm.uninstall(suite, name))
    perform(helm.uninstall(suite, name))
    assert name not in {r.name for r in helm.releases(suite, "ada")}
