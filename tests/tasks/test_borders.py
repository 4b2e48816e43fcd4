"""Every border with damaged data: what people, programs and the cluster write ends in a result or in a sentence.

CI tries some inputs; `inv bench --only borders` tries 10,000 at each border.
"""

from __future__ import annotations

import copy
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.checks import argo, guard, preflight, workload
from tasks.checks.argo import rules
from tasks.checks.cluster import component, manager
from tasks.checks.devcontainer import files as container_files
from tasks.core import strict_json
from tasks.core.config import catalogue
from tasks.core.config.settings import Component, Settings, load
from tasks.core.errors import ToolError, Trouble
from tasks.core.process.tool import Command, Done
from tasks.core.state import cached_status, journal, store, timing
from tasks.flows.intercept import environment, notice, team
from tasks.flows.setup import cli as setup_cli
from tasks.flows.setup import registry
from tasks.flows.status import timing_report
from tasks.flows.tilt import collisions
from tasks.tools import az, base, capabilities, docker, helm, kubectl, telepresence, tilt, versions
from tasks.tools import kubeconfig as kc
from tasks.tools.az import cluster as az_cluster
from tasks.tools.kubeconfig import merge
from tests.made import settings as made
from tests.tasks.flows.fakes import cluster_service

EXAMPLES = int(os.environ.get("BORDER_EXAMPLES", "30"))
ROOT = Path(__file__).resolve().parents[2]
S = made()
SERVICE = catalogue.read(ROOT / "config/services.yaml").services[0]

NASTY = [
    "", "\0", "\ud800", "\x1b[2J", "-1", "1e999", "NaN", "../..", "a\nb", "[" * 3000, "{}", "'", "%s", "0x", "١", "~",
    "!!bool x", "*a", "&a", "https://[::1", "http://a:b", "://", "1" * 5000,
]  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(NASTY) | st.text(max_size=5)
JUNK = st.recursive(
    SCALARS, lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=3), x, max_size=3), max_leaves=5
)


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value in the document."""
    yield at
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in children:
        yield from places(below, (*at, key))


def put(document: Any, at: tuple[Any, ...], value: Any) -> Any:
    """Return the document with this value at the path."""
    if not at:
        return value
    inner = document
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return document


@st.composite
def damaged(draw: st.DrawFn, sample: Any) -> Any:
    """The sample with one to three of its values replaced by something else."""
    document = copy.deepcopy(sample)
    for _ in range(draw(st.integers(1, 3))):
        document = put(document, draw(st.sampled_from(list(places(document)))), draw(JUNK))
    return document


@st.composite
def text(draw: st.DrawFn, sample: Any, dump: Callable[[Any], str]) -> str:
    """The damaged sample as text; of some the text itself is damaged."""
    try:
        whole = dump(draw(damaged(sample)))
    except (yaml.YAMLError, ValueError, UnicodeError):
        whole = dump(sample)
    if draw(st.integers(0, 3)):
        return whole
    start = draw(st.integers(0, len(whole)))
    end = draw(st.integers(start, min(len(whole), start + 20)))
    return (
        whole[:start]
        + draw(st.sampled_from(NASTY) | st.text("[]{}:,-#&*!|>'\"%@` \n\t\0\\ab1", max_size=8))
        + whole[end:]
    )


def as_yaml(document: Any) -> str:
    return str(yaml.safe_dump(document, allow_unicode=True))


def meta(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "namespace": "team", "labels": {"app": name}, "annotations": {"a": "b"}, **more}


def objects() -> dict[str, Any]:
    """One object of each kind that the suite reads, as a list of kubectl."""
    service = SERVICE.name
    others: list[dict[str, Any]] = [
        {
            "kind": "Pod",
            "metadata": meta(
                "traffic-manager-1", ownerReferences=[{"kind": "ReplicaSet", "name": "x", "controller": True}]
            ),
            "spec": {
                "containers": [
                    {
                        "name": "traffic-agent",
                        "image": "a:2.31.0",
                        "env": [{"name": "AGENT_INJECT_POLICY", "value": "x"}],
                    }
                ]
            },
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]},
        },
        {
            "kind": "ConfigMap",
            "metadata": meta("argocd-cm"),
            "data": {
                "notice": json.dumps({"workload": "w", "name": "n", "client": "c", "since": 1.5, "mode": "all"}),
                "resource.customizations.ignoreDifferences.all": "jsonPointers: [/spec]\n",
            },
        },
        {
            "kind": "Application",
            "metadata": meta(service, ownerReferences=[{"kind": "ApplicationSet", "name": "set"}]),
            "spec": {
                "source": {"repoURL": "u", "path": "p"},
                "sources": [{"chart": "c"}],
                "syncPolicy": {"automated": {"selfHeal": True}, "syncOptions": ["RespectIgnoreDifferences=true"]},
                "ignoreDifferences": [
                    {"group": "apps", "kind": "*", "jsonPointers": ["/spec/template"], "jqPathExpressions": [".a"]}
                ],
            },
            "status": {
                "resources": [{"kind": "Deployment", "name": service, "namespace": "team", "status": "OutOfSync"}]
            },
        },
        {"kind": "ResourceQuota", "metadata": meta("q"), "status": {"hard": {"pods": "5"}, "used": {"pods": "5"}}},
        {"kind": "Secret", "metadata": meta("sh.helm.release.v1", labels={"held-by": "ada", "version": "3"})},
    ]
    return {
        "kind": "List",
        "metadata": {"name": "team"},
        "items": [*cluster_service(SERVICE.name), *others],
        "groups": [{"name": "argoproj.io"}],
    }


def ask_kubectl(s: Settings) -> None:
    """Ask all that is asked of the cluster, and say what is made of the answers."""
    found = kubectl.get(s, "all")
    kubectl.namespace_labels(s, "team")
    kubectl.api_groups(s)
    notice.read(s)
    helm.holder_of(s, "web")
    team._workloads_with_agent(s)
    state = argo.Argo(tuple(found), rules.common(kubectl.get(s, "configmap", name="argocd-cm")[0].get("data") or {}))
    list(component(s, Component(name="x", workload="*"), lambda: frozenset()))
    list(manager.check_manager(s))
    located = workload.locate(found, SERVICE.workload_names, "team")
    list(preflight.obstacles(located, workload.choose(located, ""), "WhenEnabled"))
    [(f.text, f.fix) for f in argo.findings(s, located, state)]


STATUS = {
    "user_daemon": {
        "running": True, "status": "Connected", "mapped_namespaces": ["team"],
        "intercepts": [{"name": "w", "client": "c"}], "replacements": [{"name": "w"}],
    },
    "root_daemon": {"running": True, "subnets": ["10.0.0.0/8"]},
    "traffic_manager": {"version": "v2.31.0"},
    "connections": [{"user_daemon": {"running": True}, "root_daemon": {}}],
}  # fmt: skip
INFO = {
    "id": "i", "name": "w", "disposition": 1, "target_port": 80, "environment": {"A": "b"}, "headers": {"x": "y"},
    "spec": {"name": "w", "agent": "w", "client": "c", "target_port": 3000, "header_filters": {"x": "y"}},
}  # fmt: skip
LISTED = [{"name": "w", "workload_resource_type": "Deployment", "intercept_infos": [INFO], "replacements": [INFO]}]
SHOWN = {
    "powerState": {"code": "Running"},
    "tags": {"a": "b"},
    "agentPoolProfiles": [
        {"name": "p", "count": 1, "minCount": 1, "maxCount": 2, "enableAutoScaling": True, "powerState": {"code": "x"}}
    ],
}
RESOURCES = {
    "EnabledManifests": ["web"],
    "items": [
        {
            "metadata": {"name": "web"},
            "status": {
                "conditions": [{"type": "Ready", "status": "True"}],
                "buildHistory": [{"error": "x"}],
                "triggerMode": 2,
                "updateStatus": "none",
                "disableStatus": {"state": "Enabled"},
                "waiting": {"reason": "x"},
                "localResourceInfo": {"pid": 1},
                "k8sResourceInfo": {"podName": "web-1", "podStatus": "Running"},
            },
        }
    ],
}


def ask_telepresence(s: Settings) -> None:
    telepresence.status(s)


def list_workloads(s: Settings) -> None:
    telepresence.workloads(s)


def intercept(s: Settings) -> None:
    wanted = telepresence.Wanted("w", "w", 3000, "http")
    held = telepresence.intercept(s, wanted).run()
    environment.build(held.environment, SERVICE.dev, kubeconfig="k", port=3000)


def ask_tilt(s: Settings) -> None:
    tilt.resources(s, 10350)
    tilt.declared(s, ROOT / "Tiltfile", [], {})


@dataclass(frozen=True)
class Program:
    """A program's answer to every question."""

    sample: Any
    ask: Callable[[Settings], object]
    dump: Callable[[Any], str] = json.dumps


HELM_OBJECTS = [
    {
        "kind": "HTTPRoute",
        "metadata": {"name": "r", "labels": {"a": "b"}, "annotations": {}},
        "spec": {"hostnames": ["h"], "host": "h"},
    },
    {"kind": "Ingress", "metadata": {"name": "i", "namespace": "team"}, "spec": {"rules": [{"host": "h"}]}},
]


def rendered(s: Settings) -> None:
    found = helm.render(s, "web", Path("chart"), [])
    collisions.collisions(s, SERVICE, found, found)


PROGRAMS = {
    "kubectl": Program(objects(), ask_kubectl),
    "telepresence status": Program(STATUS, ask_telepresence),
    "telepresence list": Program(LISTED, list_workloads),
    "telepresence intercept": Program(INFO, intercept),
    "az aks show": Program(SHOWN, az_cluster.show),
    "az acr": Program("registry", az_cluster.registry_login),
    "az token": Program(1_700_000_000, az.token_expiry),
    "helm list": Program(
        [{"name": "web", "status": "deployed", "revision": 1, "updated": "x"}], lambda s: helm.releases(s, "ada")
    ),
    "helm template": Program(
        HELM_OBJECTS, rendered, lambda d: "---\n".join(map(as_yaml, d if isinstance(d, list) else [d]))
    ),
    "tilt": Program(RESOURCES, ask_tilt),
}


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The text that every program prints."""
    said = [""]
    monkeypatch.setattr(Command, "call", lambda self, **how: Done(0, said[0], "", 0.0))
    monkeypatch.setattr(capabilities, "flags", lambda tool, *command: frozenset({"output"}))
    monkeypatch.setattr(capabilities, "commands", lambda tool: frozenset())
    monkeypatch.setattr(telepresence, "version", lambda s: "2.31.0")
    monkeypatch.setattr(kubectl, "can_i", lambda s, verb, resource, **how: True)
    return said


def examples(strategy: Any) -> Callable[[Any], Any]:
    """Try the test with these inputs; the same ones in CI, others in each benchmark."""
    few = settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=EXAMPLES < 100,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    return lambda test: few(given(strategy)(test))


def ends_in_a_sentence(work: Callable[[], object]) -> None:
    """Do it. Only a Trouble with a text may be raised; anything else fails the test."""
    trouble = Trouble("it worked")
    try:
        work()
    except Trouble as why:
        trouble = why
    assert trouble.what
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", str(trouble.message))


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_undamaged_answer_is_read(name: str, answer: list[str]):
    program = PROGRAMS[name]
    answer[0] = program.dump(program.sample)
    if name == "telepresence status":  # it holds both forms: several daemons and one
        answer[0] = json.dumps({k: v for k, v in STATUS.items() if k != "connections"})
    program.ask(S)


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_answer_of_a_program(name: str, answer: list[str]):
    program = PROGRAMS[name]

    @examples(text(program.sample, program.dump))
    def check(said: str) -> None:
        answer[0] = said.encode("utf-8", "surrogatepass").decode("utf-8", "replace")  # as output.decoded
        ends_in_a_sentence(lambda: program.ask(S))

    check()


USERS_FILE = {
    "current-context": "dev",
    "clusters": [
        {
            "name": "c",
            "cluster": {"server": "https://dev.example", "tls-server-name": "x", "certificate-authority": "/x"},
        }
    ],
    "contexts": [{"name": "dev", "context": {"cluster": "c", "user": "u", "namespace": "n"}}],
    "users": [{"name": "u", "user": {"exec": {"command": "kubelogin", "args": ["get-token", "--login", "x"]}}}],
}
NEW = kc.parse(as_yaml(USERS_FILE).replace("/x", "").replace("dev.example", "new.example"), "test").context("dev")


def use_kubeconfig(path: Path) -> None:
    context = kc.load([path]).context("dev")
    if context is None:
        return
    text = kc.rendered(kc.through_az(S, context))
    guard.check_names(S, server=context.server)
    guard._assessed(S, kc.parse(text, "frozen").context("dev"), "")


def merge_into(path: Path) -> None:
    assert NEW is not None
    change = merge.merge(NEW, text="x")
    if change is not None:
        change.run()
        assert merge.same(kc.load().context("dev"), NEW)


def entry(path: Path) -> None:
    for found in journal.entries():
        _ = found.owner_lives
        journal.update(found, more=1)
        journal.forget(found)


def status(path: Path) -> None:
    cached_status.main([])
    cached_status.main(["--json"])


def settings_of(path: Path) -> None:
    load(path.parent.parent, {})


def dotenv_of(path: Path) -> None:
    load(path.parent, {})


def look_at_container(path: Path) -> None:
    container_files.look(S, path.parent)


def time_report(path: Path) -> None:
    timing.kept("setup")
    timing_report.show(timing_report.rows(S))


ENTRY = {"id": "process-1-a", "kind": "process", "made": 1.0, "pid": 1, "start": 2.0, "data": {"name": "x"}}
FACT = {"section": "target", "name": "n", "value": "v", "state": "bad", "fix": "f", "at": 1.0}
CONFIG = ROOT / "config"
IN_HOME = "~/"


@dataclass(frozen=True)
class Kind:
    """A file that somebody else may write. where: below the test's folder, the state folder (`state/`) or the home."""

    where: str
    sample: Any
    read: Callable[[Path], object]
    dump: Callable[[Any], str] = json.dumps


def yaml_of(name: str) -> Any:
    return yaml.safe_load((CONFIG / name).read_text())


def lines(document: Any) -> str:
    pairs = document.items() if isinstance(document, dict) else ()
    return "".join(
        f"{name}={json.dumps(value) if isinstance(value, dict | list) else value}\n" for name, value in pairs
    )


DOTENV = {
    "REMOTE_DEV_TILT__PORT": 1000,
    "REMOTE_DEV_GUARD__PRODUCTION": {"servers": ["x"]},
    "REMOTE_DEV_CLUSTER__COMPONENTS": [{"name": "x"}],
    "OTHER": '"a\\nb"',
}
DEV_CONTAINER = {
    "build": {"dockerfile": "Dockerfile", "args": {}},
    "runArgs": ["--device=/dev/net/tun", "--hostname=x"],
    "mounts": ["source=a,target=b,type=volume", {"source": "a"}],
    "capAdd": ["NET_ADMIN"],
    "forwardPorts": [10350],
    "features": {"ghcr.io/x:1": {"version": "1"}},
    "remoteUser": "vscode",
    "postCreateCommand": ["a", "b"],
}
FILES = {
    "the user's kubeconfig": Kind("~/.kube/config", USERS_FILE, use_kubeconfig, as_yaml),
    "a kubeconfig to merge into": Kind("~/.kube/config", USERS_FILE, merge_into, as_yaml),
    "settings.local.yaml": Kind("repo/config/settings.local.yaml", yaml_of("settings.yaml"), settings_of, as_yaml),
    ".env": Kind("repo/.env", DOTENV, dotenv_of, lines),
    "services.yaml": Kind("services.yaml", yaml_of("services.yaml"), catalogue.read, as_yaml),
    "a journal entry": Kind("state/journal/process-1-a.json", ENTRY, entry),
    "times": Kind("state/timings.jsonl", {"what": "setup", "seconds": 1.0, "at": 1.0, "cold": True}, time_report),
    "the cached status": Kind("state/status.json", {"schema": 1, "facts": [FACT]}, status),
    "the last setup": Kind("state/setup.json", {"login": {"state": "done", "note": "", "fix": "", "at": 1}}, lambda p: setup_cli.last()),
    "the last registry login": Kind("state/registry.json", {"host": "Dev.azurecr.io", "at": 1.0}, lambda p: registry._last_login(S)),
    "known versions": Kind("state/versions/az.json", {"identity": "x", "version": "1"}, lambda p: versions._kept("az")),
    "known flags": Kind("state/capabilities/x.json", {"status": "--output"}, capabilities._known),
    "az's profile": Kind("~/.azure/azureProfile.json", {"subscriptions": [{"id": "s", "isDefault": True, "user": {"name": "a"}}]}, lambda p: az.account(S)),
    "docker's logins": Kind("~/.docker/config.json", {"auths": {"Dev.azurecr.io": {"auth": "YTpi"}}, "credHelpers": {"x": "y"}}, lambda p: docker.login("Dev.azurecr.io")),
    "devcontainer.json": Kind(".devcontainer/devcontainer.json", DEV_CONTAINER, look_at_container),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    kind = FILES[name]
    home = Path(os.environ["HOME"])
    path = home / kind.where.removeprefix(IN_HOME) if kind.where.startswith(IN_HOME) else tmp_path / kind.where
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    (tmp_path / "repo/config").mkdir(parents=True, exist_ok=True)
    (tmp_path / "repo/config/settings.yaml").write_bytes((CONFIG / "settings.yaml").read_bytes())
    monkeypatch.setattr(kubectl, "namespace_labels", lambda s, namespace, kubeconfig="": {})

    @examples(text(kind.sample, kind.dump))
    def check(content: str) -> None:
        path.write_bytes(content.encode("utf-8", "surrogatepass"))
        ends_in_a_sentence(lambda: kind.read(path))

    check()


@examples(
    st.dictionaries(
        st.sampled_from(
            [
                f"REMOTE_DEV_{n}"
                for n in (
                    "TILT__PORT",
                    "GUARD",
                    "GUARD__PRODUCTION__LABELS__X",
                    "CLUSTER__CONTEXT",
                    "TOOLS__AZ__VERSION",
                    "DEADLINES__AZ",
                    "X",
                    "",
                    "__",
                    "REPOSITORIES__CORE",
                )
            ]
        ),
        st.sampled_from(NASTY) | st.text(max_size=8) | JUNK.map(str),
        max_size=4,
    )
)
def test_variables_of_the_environment(variables: dict[str, str]):
    ends_in_a_sentence(lambda: load(ROOT, variables))


@examples(JUNK | st.text())
def test_json_is_a_value_or_a_value_error(value: Any):
    try:
        strict_json.loads(value if isinstance(value, str) else json.dumps(value))
    except ValueError:
        return


@examples(st.text("[]{}:,-#&*!|>'\"%@` \n\t\\ab1.", max_size=60))
def test_yaml_of_any_characters(content: str):
    ends_in_a_sentence(lambda: kc.parse(content, "test"))


def test_the_state_folder_is_that_of_the_test():
    assert "pytest" in str(store.folder())
    assert str(base.frozen_kubeconfig(S)).startswith(str(store.folder()))
    assert issubclass(ToolError, Trouble)
