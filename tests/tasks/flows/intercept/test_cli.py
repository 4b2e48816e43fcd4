"""`inv tp.list`, `tp.env`, `tp.verify` and `tp.who`, with Telepresence and the cluster replaced."""

from __future__ import annotations

import getpass
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks.core import ports
from tasks.core.config.catalogue import Service, catalogue
from tasks.core.errors import FAILED, Problem, Refused, Trouble
from tasks.core.ports import Owner
from tasks.core.state import journal
from tasks.flows.intercept import cli, notice, proof, team
from tasks.flows.intercept.notice import Notice
from tasks.flows.intercept.proof import Answer, AnsweredBy, Via, Way
from tasks.tools import base, kubectl, telepresence
from tasks.tools.telepresence import Held, Workload
from tests.tasks.flows import fakes
from tests.tasks.flows.fakes import NOT_CONNECTED, Workstation

HELD = Held(
    "www-ameide-ada",
    "www-ameide",
    disposition="ACTIVE",
    client="ada@box",
    local_port=4000,
    remote_port="http",
    headers={"x-user": "ada"},
    environment={"B": "2\n3", "A": "ä"},
)
LISTED = [
    Workload("www-ameide", "Deployment", True, held=(HELD,)),
    Workload("graph", "Deployment", True),
    Workload("redis", "StatefulSet", False),
    Workload("apps-agents", "Deployment", False, "no port"),
]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Workstation:
    workstation = fakes.workstation(monkeypatch, telepresence__slot="ada", telepresence__header="x-user")
    workstation.objects = fakes.cluster_service("www-ameide")

    def workloads(s: object) -> list[Workload]:
        workstation.ask("list")
        return LISTED

    monkeypatch.setattr(telepresence, "workloads", workloads)
    monkeypatch.setattr(ports, "owner", lambda port: Owner(7, "node") if port == 4000 else None)
    return workstation


def service(name: str = "www-ameide") -> Service:
    return catalogue().named(name)


def document(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_list_names_the_service_of_each_workload(here: Workstation, capsys: pytest.CaptureFixture[str]):
    cli.list_(json=True)
    listed = document(capsys)["workloads"]
    assert [(row["name"], row["service"], row["agent"], row["reason"]) for row in listed] == [
        ("www-ameide", "www-ameide", True, ""),
        ("graph", "graph", True, ""),
        ("redis", "", False, ""),
        ("apps-agents", "agents", False, "no port"),
    ]
    assert listed[0]["kind"] == "Deployment"
    assert [row["intercepts"] for row in listed] == [
        [{"name": "www-ameide-ada", "mode": "x-user: ada", "local_port": 4000, "disposition": "ACTIVE"}], [], [], [],
    ]  # fmt: skip
    cli.list_(json=False)
    assert [line.split(maxsplit=2)[2] for line in capsys.readouterr().out.splitlines()] == [
        "intercepted: x-user: ada", "agent installed", "no agent yet", "no port",
    ]  # fmt: skip


def test_an_empty_list_says_so(here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(telepresence, "workloads", lambda s: [])
    cli.list_(json=False)
    assert capsys.readouterr().out == "nothing can be intercepted in team\n"
    monkeypatch.setattr(telepresence, "workloads", lambda s: LISTED)
    cli.list_(json=False)
    assert "nothing" not in capsys.readouterr().out


@pytest.mark.parametrize("task", [lambda: cli.list_(json=True), lambda: env()])
def test_without_a_session_telepresence_is_not_asked_to_list(here: Workstation, task: Any):
    here.session = NOT_CONNECTED
    here.failing = {"list": Trouble("asked")}
    with pytest.raises(Trouble) as failed:
        task()
    assert failed.value.problem == Problem("no session: not connected", fix="inv tp.connect")


def env(name: str = "www-ameide", **how: Any) -> None:
    cli.env(service(name), **{"env_file": "", "overwrite": False, "names": False, "json": False, **how})


def test_the_environment_is_shown_sorted_with_its_values_or_names(
    here: Workstation, capsys: pytest.CaptureFixture[str]
):
    env()
    assert capsys.readouterr().out == 'A="ä"\nB="2\\n3"\n'
    env(names=True)
    assert capsys.readouterr().out == "A\nB\n"
    env(json=True)
    assert document(capsys) == {"schema": 1, "environment": {"A": "ä", "B": "2\n3"}}
    env(names=True, json=True)
    assert document(capsys) == {"schema": 1, "names": ["A", "B"]}


def test_the_environment_is_written_once(here: Workstation, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "pod.json"
    env(env_file=str(file), json=True)
    assert document(capsys) == {"schema": 1, "file": str(file), "names": ["A", "B"], "omitted": []}
    assert json.loads(file.read_text()) == HELD.environment
    assert file.stat().st_mode & 0o777 == 0o600
    here.failing = {"list": Trouble("asked")}
    with pytest.raises(Refused):
        env(env_file=str(file))
    here.failing = {}
    env(env_file=str(file), overwrite=True)
    assert capsys.readouterr().out == f"2 variables written to {file} (mode 0600)\n"
    lines = tmp_path / "pod.env"
    env(env_file=str(lines))
    said = capsys.readouterr()
    assert said.out == f"1 variables written to {lines} (mode 0600)\n"
    assert f"{lines} does not have B (not read alike by python-dotenv, a shell and docker)" in said.err
    assert f": --env-file {file} would have all variables" in said.err


def test_a_service_that_is_not_intercepted_has_no_environment(here: Workstation):
    with pytest.raises(Trouble) as failed:
        env("graph")
    assert failed.value.fix == "inv intercept graph --no-run"


def test_a_version_that_does_not_give_the_environment_is_named(here: Workstation, monkeypatch: pytest.MonkeyPatch):
    silent = Workload("www-ameide", "Deployment", True, held=(replace(HELD, environment={}),))
    monkeypatch.setattr(telepresence, "workloads", lambda s: [silent])
    with pytest.raises(Trouble) as failed:
        env()
    assert failed.value.fix == "inv intercept www-ameide --no-run --env-file FILE"


def answers(monkeypatch: pytest.MonkeyPatch, *who: AnsweredBy, listens: bool = False) -> list[tuple[Any, ...]]:
    """Let the requests be answered in this order. Returns what was asked: way, port, headers, listener."""
    asked: list[tuple[Any, ...]] = []

    def ask(s: object, way: Way, port: int, headers: dict[str, str], listener: object) -> Answer:
        asked.append((way.via, port, headers, listener))
        return Answer(who[len(asked) - 1], way.via, 5.0, way.url, headers, "curl", status=200)

    @contextmanager
    def listening(port: int) -> Iterator[str | None]:
        yield f"listener on {port}" if listens else None

    monkeypatch.setattr(proof, "ask", ask)
    monkeypatch.setattr(proof, "listening", listening)
    return asked


def verify(name: str = "www-ameide", *, via: str = "", json: bool = True) -> int:
    try:
        cli.verify(service(name), via=via, json=json)
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_an_intercepted_service_is_asked_with_the_headers_of_the_intercept(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    asked = answers(monkeypatch, AnsweredBy.LOCAL)
    assert verify() == 0
    assert asked == [(Via.INGRESS, 4000, {"x-user": "ada"}, None)]
    assert document(capsys)["answered_by"] == "local"


def test_a_way_that_is_unclear_is_followed_by_the_next(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    asked = answers(monkeypatch, AnsweredBy.UNKNOWN, AnsweredBy.BASELINE)
    assert verify() == FAILED
    assert [way for way, *_ in asked] == [Via.INGRESS, Via.SERVICE]
    found = document(capsys)
    assert (found["answered_by"], found["via"]) == ("baseline", "service")
    assert ":80/" in found["url"]
    asked = answers(monkeypatch, AnsweredBy.NOBODY)
    assert verify(via="service") == FAILED
    assert [way for way, *_ in asked] == [Via.SERVICE]


def test_without_an_intercept_of_ours_a_local_answer_is_unclear(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    here.session = NOT_CONNECTED
    asked = answers(monkeypatch, AnsweredBy.LOCAL)
    assert verify() == FAILED
    assert asked == [(Via.INGRESS, 3000, {"x-user": "ada"}, None)]
    assert document(capsys)["answered_by"] == "unknown"


def test_without_a_slot_and_an_intercept_the_request_has_no_header(monkeypatch: pytest.MonkeyPatch, here: Workstation):
    slotless = fakes.workstation(monkeypatch, telepresence__slot="")
    slotless.session = NOT_CONNECTED
    slotless.objects = here.objects
    asked = answers(monkeypatch, AnsweredBy.BASELINE)
    assert verify() == FAILED
    assert asked[0][2] == {}


@pytest.mark.parametrize(
    ("who", "listens", "line"),
    [
        (AnsweredBy.LOCAL, False, "the local process answers (ingress, 5 ms)"),
        (AnsweredBy.LOCAL, True, "requests arrive here; nothing listens on port 4000 yet (ingress, 5 ms)"),
        (AnsweredBy.BASELINE, True, "the baseline answers (ingress, 5 ms)"),
        (AnsweredBy.NOBODY, False, "nobody answers (ingress, 5 ms)"),
    ],
)
def test_people_see_who_answers(
    here: Workstation,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    who: AnsweredBy,
    listens: bool,
    line: str,
):
    answers(monkeypatch, who, listens=listens)
    assert verify(json=False) == (0 if who is AnsweredBy.LOCAL else FAILED)
    assert capsys.readouterr().out.splitlines() == [line, "  curl"]


def test_people_see_how_to_intercept_what_is_not_intercepted(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    here.session = NOT_CONNECTED
    answers(monkeypatch, AnsweredBy.BASELINE)
    verify(json=False)
    assert capsys.readouterr().out.splitlines()[-1].endswith("inv intercept www-ameide")


def pod(name: str, labels: dict[str, str], *containers: str, init: str = "") -> dict[str, Any]:
    spec = {"containers": [{"name": each} for each in containers], "initContainers": [{"name": init}]}
    return {"kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}


COLLEAGUE = Notice("graph", "graph-bob", "bob@box", 0.0, "all traffic")
MINE = Notice("www-ameide", "www-ameide-ada", "ada@box", 0.0, "x-user: ada", mine=True)


def test_who_joins_telepresence_the_journal_the_machine_and_the_cluster(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    entry = journal.record("intercept", name="www-ameide-ada")
    monkeypatch.setattr(notice, "read", lambda s: [COLLEAGUE, MINE])
    here.objects = [
        pod("www-ameide-5d-x", {"telepresence.io/workloadName": "www-ameide"}, "www", "traffic-agent"),
        pod("graph-5d-x", {"app.kubernetes.io/name": "graph"}, "graph", init="traffic-agent"),
        pod("my-redis-5d-x", {}, "redis", "traffic-agent"),
        pod("plain-5d-x", {}, "plain"),
    ]
    cli.who(json=True)
    found = document(capsys)
    assert found["intercepts"] == [
        {"workload": "www-ameide", "name": "www-ameide-ada", "client": "ada@box", "mode": "x-user: ada",
         "local_port": 4000, "pid": entry.pid, "since": entry.made, "listens": "pid 7 (node)"}
    ]  # fmt: skip
    assert found["agents"] == ["graph", "my-redis", "www-ameide"]
    assert [note["client"] for note in found["team"]] == ["bob@box"]
    cli.who(json=False)
    own, title, colleague, idle = capsys.readouterr().out.splitlines()
    assert own.split() == ["www-ameide", "x-user:", "ada", "ada@box", "port", "4000", "pid", "7", "(node)"]
    assert title.startswith("colleagues")
    assert colleague.split()[:4] == ["graph", "all", "traffic", "bob@box"]
    assert idle.endswith(": graph, my-redis")


def test_an_intercept_whose_session_is_gone_is_named(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """The traffic manager goes on holding it, and requests hang until the client is back."""
    file = str(base.frozen_kubeconfig(here.settings))
    journal.record("intercept", name="www-ameide-ada", workload="www-ameide", kubeconfig=file)
    journal.record("intercept", name="elsewhere", workload="graph", kubeconfig="/another/kubeconfig")
    here.objects = []
    monkeypatch.setattr(notice, "read", lambda s: [])
    cli.who(json=False)
    assert "warning" not in capsys.readouterr().err
    here.session = NOT_CONNECTED
    cli.who(json=False)
    (warning,) = capsys.readouterr().err.splitlines()
    assert warning.startswith("warning: www-ameide-ada was made here, but the session that held it is gone")
    assert team.lost(here.settings, "graph") == []


def test_who_without_a_session_still_shows_the_colleagues(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    here.session = NOT_CONNECTED
    here.objects = []
    monkeypatch.setattr(notice, "read", lambda s: [])
    cli.who(json=False)
    assert capsys.readouterr().out == "this workstation intercepts nothing\n"


def test_an_intercept_that_is_not_in_the_journal_has_no_run(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(ports, "owner", lambda port: None)
    monkeypatch.setattr(notice, "read", lambda s: [])
    cli.who(json=True)
    (own,) = document(capsys)["intercepts"]
    assert (own["pid"], own["since"], own["listens"]) == (0, 0, "")


@pytest.fixture
def store(here: Workstation, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """The ConfigMaps of the namespace, by name."""
    maps: dict[str, dict[str, Any]] = {}

    def put(s: object, manifest: dict[str, Any], *, timeout: float) -> Any:
        assert timeout == 8.0
        return here.change("put", lambda: maps.update({manifest["metadata"]["name"]: manifest}))

    def delete(s: object, kind: str, name: str, *, destroys: str, timeout: float) -> Any:
        assert (kind, destroys, timeout) == ("configmap", "", 8.0)
        return here.change("delete", lambda: maps.pop(name, None))

    def get(s: object, kinds: str, *, selector: str) -> list[dict[str, Any]]:
        here.ask("get")
        wanted = dict(term.split("=") for term in selector.split(","))
        return [m for m in maps.values() if wanted.items() <= m["metadata"]["labels"].items()]

    monkeypatch.setattr(kubectl, "put", put)
    monkeypatch.setattr(kubectl, "delete", delete)
    monkeypatch.setattr(kubectl, "get", get)
    monkeypatch.setattr(notice, "_user", lambda: "ada")
    monkeypatch.setattr(socket, "gethostname", lambda: "box")
    return maps


def test_a_notice_is_written_read_and_deleted(here: Workstation, store: dict[str, dict[str, Any]]):
    s = here.settings
    before = time.time()
    notice.put(s, "www-ameide", "www-ada", {"x-user": "ada"}).join()
    notice.put(s, "graph", "graph-ada", {}).join()
    (manifest, _) = store.values()
    assert (manifest["kind"], manifest["metadata"]["namespace"]) == ("ConfigMap", "team")
    (note,) = notice.read(s, "www-ameide")
    assert note == Notice("www-ameide", "www-ada", "ada@box", note.since, "x-user: ada", {"x-user": "ada"}, mine=True)
    assert before <= note.since <= time.time()
    assert note.age == "0 s ago"
    assert [n.name for n in notice.read(s)] == ["www-ada", "graph-ada"]
    notice.remove(s, "www-ada").join()
    assert [n.name for n in notice.read(s)] == ["graph-ada"]


def test_the_client_of_a_notice_is_the_one_that_telepresence_shows(here: Workstation, store: dict[str, dict[str, Any]]):
    here.session = replace(here.session, intercepts=(("graph", "x@y"), ("www-ada", "ada@laptop")))
    notice.put(here.settings, "www-ameide", "www-ada", {}).join()
    (note,) = notice.read(here.settings)
    assert note.client == "ada@laptop"


def test_a_notice_names_the_developer_where_the_client_does_not(
    here: Workstation, store: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
):
    here.session = replace(here.session, intercepts=(("www-ada", "vscode@dev-0a1b"),))
    monkeypatch.setenv("GITHUB_USER", "ada")
    notice.put(here.settings, "www-ameide", "www-ada", {}).join()
    (note,) = notice.read(here.settings)
    assert (note.client, note.holder) == ("vscode@dev-0a1b", "ada (vscode@dev-0a1b)")
    assert replace(note, client="ada@laptop").holder == "ada@laptop"


def test_a_notice_of_an_earlier_version_names_no_headers(here: Workstation, store: dict[str, dict[str, Any]]):
    notice.put(here.settings, "www-ameide", "www-ada", {}).join()
    (manifest,) = store.values()
    fields = json.loads(manifest["data"]["notice"])
    del fields["headers"]
    manifest["data"]["notice"] = json.dumps(fields)
    assert [note.headers for note in notice.read(here.settings)] == [None]


def test_a_notice_of_another_machine_is_not_mine(
    here: Workstation, store: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
):
    notice.put(here.settings, "www-ameide", "www-ada", {}).join()
    monkeypatch.setattr(socket, "gethostname", lambda: "laptop")
    assert [note.mine for note in notice.read(here.settings)] == [False]
    notice.remove(here.settings, "www-ada").join()
    assert len(store) == 1


def test_a_notice_that_is_not_ours_to_understand_is_skipped(here: Workstation, store: dict[str, dict[str, Any]]):
    notice.put(here.settings, "www-ameide", "www-ada", {}).join()
    labels = dict(next(iter(store.values()))["metadata"]["labels"])
    whole = '{"workload": "w", "name": "n", "client": "c", "mode": "all traffic", "since": NaN}'
    broken = {"b": {"notice": "no JSON"}, "c": {"notice": "[]"}, "d": {"notice": "{}"}, "e": {"notice": whole}}
    for name, data in {"a": None, **broken}.items():
        store[name] = {"metadata": {"name": name, "labels": labels}, "data": data}
    assert [note.name for note in notice.read(here.settings)] == ["www-ada"]


def test_an_intercept_works_without_the_right_to_write_notices(here: Workstation, store: dict[str, dict[str, Any]]):
    denied = Trouble("configmaps is forbidden")
    here.failing = {"put": denied, "delete": denied, "get": denied}
    notice.put(here.settings, "www-ameide", "www-ada", {}).join()
    notice.remove(here.settings, "www-ada").join()
    assert notice.read(here.settings) == []
    assert store == {}


@pytest.mark.parametrize("error", [KeyError("uid"), OSError("no passwd")])
def test_a_user_without_an_entry_in_passwd_is_unknown(monkeypatch: pytest.MonkeyPatch, error: Exception):
    def no_entry() -> str:
        raise error

    monkeypatch.setattr(getpass, "getuser", no_entry)
    assert notice._user() == "unknown"
