"""The stand-in for helm: charts, releases with their objects, and the ingress."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandbox.standins.helm.releases import Releases
from tests.sandbox.workstation import CallResult, Workstation

CONFIG_MAP = """apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-x
  namespace: {{ .Release.Namespace }}
data:
  image: {{ .Values.image.repository }}:{{ .Values.image.tag }}
  must: {{ required "set .Values.must" .Values.must | quote }}
"""
WEB = """apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Values.name }}"}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: "{{ .Release.Name }}"}}
  template:
    metadata: {labels: {app: "{{ .Release.Name }}"}}
    spec:
      containers:
        - name: web
          image: "web:{{ .Values.tag }}"
          ports: [{name: http, containerPort: 3001}]
          envFrom: [{configMapRef: {name: "{{ .Values.name }}-env"}}]
---
apiVersion: v1
kind: Service
metadata: {name: "{{ .Values.name }}"}
spec:
  selector: {app: "{{ .Release.Name }}"}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Values.name }}-env"}
data: {GREETING: "{{ .Values.greeting }}"}
---
{{- if .Values.host }}
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: "{{ .Values.name }}"}
spec:
  hostnames: ["{{ .Values.host }}"]
  rules: [{backendRefs: [{name: "{{ .Values.name }}", port: 80}]}]
{{- end }}
"""


def chart(folder: Path, name: str, template: str, values: str, **meta: Any) -> Path:
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text(json.dumps({"apiVersion": "v2", "name": name, "version": "0.1.0", **meta}))
    (folder / "values.yaml").write_text(values)
    (folder / "templates" / "cm.yaml").write_text(template)
    return folder


@pytest.fixture
def workstation(tmp_path: Path) -> Workstation:
    made = Workstation(tmp_path).credentials()
    chart(made.home / "c", "www", CONFIG_MAP, "image: {repository: www, tag: latest}\n")
    chart(made.home / "web", "web", WEB, 'name: web-tilt\nreplicas: 1\ntag: "1"\ngreeting: hi\nhost: web.example.com\n')
    return made


@pytest.fixture
def helm(workstation: Workstation) -> Callable[..., CallResult]:
    def run(*argv: str) -> CallResult:
        return workstation("helm", *argv)

    return run


def deploy(helm: Callable[..., CallResult], name: str = "web-tilt", *more: str) -> CallResult:
    return helm("upgrade", "--install", name, "./web", "-n", "ameide", *more)


@pytest.mark.parametrize(
    ("argv", "exit", "out", "err"),
    [
        ("version --short", 0, "v3.22.0\n", ""),
        ("version --template {{json.}}", 1, "", 'Error: template: _:1: function "json" not defined\n'),
        (
            "template apps-www-tilt ./c --namespace ameide-dev --set must=1",
            0,
            "---\n# Source: www/templates/cm.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: apps-www-tilt-x\n"
            '  namespace: ameide-dev\ndata:\n  image: www:latest\n  must: "1"\n',
            "",
        ),
        ("template x ./nope", 1, "", 'Error: path "./nope" not found\n'),
        ("template x bitnami/redis", 1, "", "Error: repo bitnami not found\n"),
        ("template x ./c -f none.yaml", 1, "", "Error: open none.yaml: no such file or directory\n"),
        ("template x ./c --set must", 1, "", 'Error: failed parsing --set data: key "must" has no value\n'),
        (
            "template apps-www-tilt ./c",
            1,
            "",
            "Error: execution error at (www/templates/cm.yaml:8:11): set .Values.must\n\nUse --debug flag to render out invalid "
            "YAML\n",
        ),
        (
            f"template {'a' * 60} ./c --set must=1",
            1,
            "",
            f'Error: release name "{"a" * 60}": invalid release name, must match regex '
            r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$ and the length must not be longer than 53"
            "\n",
        ),
        (
            "list --kube-context nope -o json",
            1,
            "",
            'Error: Kubernetes cluster unreachable: context "nope" does not exist\n',
        ),
        ("list -o json", 0, "[]\n", ""),
        ("list --nope", 1, "", "Error: unknown flag: --nope\n"),
        ("status x -n ameide", 1, "", "Error: release: not found\n"),
        ("uninstall x -n ameide", 1, "", "Error: uninstall: Release not loaded: x: release: not found\n"),
        ("uninstall x -n ameide --ignore-not-found", 0, 'release "x" uninstalled\n', ""),
        ("upgrade x ./web -n ameide", 1, "", 'Error: UPGRADE FAILED: "x" has no deployed releases\n'),
        (
            "upgrade --install x ./web -n none",
            1,
            "",
            'Error: create: failed to create: namespaces "none" not found\n',
        ),
    ],
)
def test_exit_code_and_output(helm: Callable[..., CallResult], argv: str, exit: int, out: str, err: str):
    words = [word.replace("json.", "json .") for word in argv.split()]
    done = helm(*words)
    assert (done.exit, done.out, done.err) == (exit, out, err)


def test_broken_values_and_missing_dependencies(workstation: Workstation, helm: Callable[..., CallResult]):
    (workstation.home / "v.yaml").write_text("a: }\n")
    done = helm("template", "x", "./c", "-f", "v.yaml")
    assert done.err.startswith("Error: failed to parse v.yaml: error converting YAML to JSON: yaml: line 1: ")
    chart(workstation.home / "d", "d", "", "", dependencies=[{"name": "common", "version": "1", "repository": "x"}])
    assert "found in Chart.yaml, but missing in charts/ directory: common\n" in helm("template", "x", "./d").err


def test_values_are_merged_in_layers(workstation: Workstation, helm: Callable[..., CallResult]):
    (workstation.home / "v.yaml").write_text("image: {tag: file}\nmust: file\n")
    layers = (
        "-f",
        "v.yaml",
        "--set",
        "image.repository=set",
        "--set-string",
        "must=12",
        "--set-json",
        "image.other=[1]",
    )
    out = helm("template", "x", "./c", *layers).out
    assert "image: set:file\n" in out
    assert 'must: "12"\n' in out


def test_subcharts_get_their_values_and_can_be_disabled(workstation: Workstation, helm: Callable[..., CallResult]):
    folder = chart(
        workstation.home / "p", "p", "", "sub: {on: true, word: from-parent}\nglobal: {g: 1}\n",
        dependencies=[{"name": "sub", "version": "1", "condition": "sub.on"}],
    )  # fmt: skip
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: s}\ndata: {w: {{ .Values.word }}, g: {{ .Values.global.g | quote }}}\n"
    chart(folder / "charts" / "sub", "sub", text, "word: own\n")
    assert 'data: {w: from-parent, g: "1"}' in helm("template", "x", "./p").out
    assert helm("template", "x", "./p", "--set", "sub.on=false").out == ""


@pytest.mark.parametrize(
    "argv", ["list", "upgrade --install r ./web --dry-run=client", "uninstall r --ignore-not-found"]
)
def test_release_commands_need_the_cluster(workstation: Workstation, helm: Callable[..., CallResult], argv: str):
    workstation.set_fault("api-refused")
    done = helm(*argv.split())
    assert (done.exit, done.out) == (1, "")
    assert done.err.startswith('Error: Kubernetes cluster unreachable: Get "https://ameide-dev-aks-dns-')
    assert done.err.endswith(
        '/version": dial tcp ameide-dev-aks-dns-0a1b2c3d.hcp.westeurope.azmk8s.io:443: connect: connection refused\n'
    )
    assert helm("template", "x", "./c", "--set", "must=1").exit == 0


def test_the_plugins_error_precedes_helms_own(workstation: Workstation, helm: Callable[..., CallResult]):
    workstation.az("logout")
    done = helm("list")
    assert "AzureCLICredential: ERROR: Please run 'az login'" in done.err
    assert "getting credentials: exec: executable kubelogin failed with exit code 1" in done.err


class TestReleases:
    def test_the_first_upgrade_installs_a_release_that_the_ingress_serves(
        self, workstation: Workstation, helm: Callable[..., CallResult]
    ):
        done = deploy(helm)
        assert done.out.startswith(
            'Release "web-tilt" does not exist. Installing it now.\nNAME: web-tilt\nLAST DEPLOYED: '
        )
        assert "STATUS: deployed\nREVISION: 1\n" in done.out
        workload = workstation.world.cluster.workload("ameide", "web-tilt", "Deployment")
        assert workload is not None
        assert (workload.service, workload.hosts, workload.env["GREETING"]) == ("web-tilt", ["web.example.com"], "hi")
        assert [(p.name, p.port, p.container) for p in workload.ports] == [("http", 80, 3001)]
        assert len(workload.pods) == 1

    def test_kubectl_shows_its_secret(self, workstation: Workstation, helm: Callable[..., CallResult]):
        deploy(helm)
        done = workstation(
            "kubectl", "get", "secrets", "-n", "ameide", "-l", "owner=helm,status=deployed", "-o", "name"
        )
        assert done.out == "secret/sh.helm.release.v1.web-tilt.v1\n"
        shown = json.loads(workstation("kubectl", "get", "deployment", "web-tilt", "-n", "ameide", "-o", "json").out)
        assert shown["metadata"]["annotations"]["meta.helm.sh/release-name"] == "web-tilt"
        assert shown["status"]["replicas"] == 1
        pods = json.loads(workstation("kubectl", "get", "pods", "-n", "ameide", "-l", "app=web-tilt", "-o", "json").out)
        assert len(pods["items"]) == 1

    def test_an_upgrade_supersedes_the_previous_revision(
        self, workstation: Workstation, helm: Callable[..., CallResult]
    ):
        deploy(helm)
        done = deploy(helm, "web-tilt", "--set", "replicas=3", "--set", "host=")
        assert done.out.startswith('Release "web-tilt" has been upgraded. Happy Helming!\n')
        history = Releases(workstation.world.cluster).history("ameide", "web-tilt")
        assert [(h.revision, h.status) for h in history] == [(1, "superseded"), (2, "deployed")]
        workload = workstation.world.cluster.workload("ameide", "web-tilt")
        assert workload is not None
        assert (workload.replicas, workload.hosts) == (3, [])
        assert ("HTTPRoute", "ameide", "web-tilt") not in workstation.world.cluster.objects

    def test_a_foreign_object_is_refused_and_nothing_is_written(
        self, workstation: Workstation, helm: Callable[..., CallResult]
    ):
        baseline = workstation.world.cluster.workloads[0].name
        before = list(workstation.world.cluster.objects)
        done = deploy(helm, "mine", "--set", f"name={baseline}")
        assert (done.exit, done.writes) == (1, False)
        assert done.err.startswith(
            f'Error: Unable to continue with install: Service "{baseline}" in namespace "ameide" exists and cannot be imported '
            "into the current release: invalid ownership metadata; label validation error: missing key "
            '"app.kubernetes.io/managed-by": must be set to "Helm"; annotation validation error: missing key '
            '"meta.helm.sh/release-name": must be set to "mine"'
        )
        assert list(workstation.world.cluster.objects) == before
        deploy(helm)
        other = deploy(helm, "mine")
        assert other.err.startswith("Error: Unable to continue with install: ")
        assert 'key "meta.helm.sh/release-name" must equal "mine": current value is "web-tilt"' in other.err

    def test_an_upgrade_that_was_killed_midway_stays_pending(
        self, workstation: Workstation, helm: Callable[..., CallResult]
    ):
        deploy(helm)
        workstation.set_fault("release-stuck")
        deploy(helm)
        done = deploy(helm)
        said = "Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress\n"
        assert (done.exit, done.err) == (1, said)
        assert helm("list", "-n", "ameide", "-q").out == ""
        assert helm("list", "-n", "ameide", "-q", "--pending").out == "web-tilt\n"
        assert helm("uninstall", "web-tilt", "-n", "ameide").exit == 0
        assert deploy(helm).exit == 0

    def test_an_uninstall_restores_the_cluster(self, workstation: Workstation, helm: Callable[..., CallResult]):
        names = [w.name for w in workstation.world.cluster.workloads]
        objects = set(workstation.world.cluster.objects)
        deploy(helm)
        deploy(helm, "web-tilt", "--set", "host=")
        assert helm("uninstall", "web-tilt", "-n", "ameide").out == 'release "web-tilt" uninstalled\n'
        assert [w.name for w in workstation.world.cluster.workloads] == names
        assert set(workstation.world.cluster.objects) == objects
