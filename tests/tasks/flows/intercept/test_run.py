"""`inv intercept` from the plan to the leaving, with the programs and the cluster replaced."""

from __future__ import annotations

import json
import signal
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from tasks.checks import argo
from tasks.checks.argo import Argo
from tasks.core import ports
from tasks.core.config.catalogue import Service, catalogue
from tasks.core.config.settings import Settings
from tasks.core.errors import REFUSED, Problem, Refused, ToolError, Trouble
from tasks.core.plan.change import Change
from tasks.core.process import foreground, processes
from tasks.core.process.foreground import Interrupted
from tasks.core.state import journal, timing
from tasks.flows.intercept import cli, establish, leave, login, notice, plan, proof
from tasks.flows.intercept.plan import Mode
from tasks.flows.intercept.proof import Answer, AnsweredBy, Via
from tasks.flows.intercept.request import Request
from tasks.flows.intercept.watch import Watch
from tasks.flows.session import tunnel
from tasks.tools import telepresence
from tasks.tools.telepresence import Conflict, Held
from tests.tasks.flows import fakes
from tests.tasks.flows.fakes import HERE, NOT_CONNECTED, Workstation

LOCAL = Answer(AnsweredBy.LOCAL, Via.INGRESS, 12.34, "https://www/", {}, "curl https://www/", 200)


def prepared(monkeypatch: pytest.MonkeyPatch, **changed: str) -> Workstation:
    here = fakes.workstation(monkeypatch, **changed)
    here.objects = fakes.cluster_service("www-ameide")
    here.answers = [LOCAL]  # type: ignore[attr-defined]
    here.ran = {}  # type: ignore[attr-defined]

    def until_local(*args: object, **more: object) -> Answer:
        answer: Answer = here.answers[0]  # type: ignore[attr-defined]
        return answer

    def foreground_run(argv: list[str], *, started: Any, **how: Any) -> int:
        here.did.append("run")
        here.ran.update(how, argv=argv, entry=journal.entries("intercept")[0])  # type: ignore[attr-defined]
        started(4242)
        here.ran.update(entry=journal.entries("intercept")[0])  # type: ignore[attr-defined]
        here.ask("run")
        return 7

    monkeypatch.setattr(argo, "read", lambda s: Argo())
    monkeypatch.setattr(argo, "findings", lambda s, service, state: [])
    monkeypatch.setattr(login, "validity", lambda s: "")
    monkeypatch.setattr(tunnel, "must_carry", lambda s: None)
    monkeypatch.setattr(proof, "until_local", until_local)
    monkeypatch.setattr(proof, "listening", lambda port: nullcontext(object()))
    monkeypatch.setattr(ports, "owner", lambda port: None)
    monkeypatch.setattr(foreground, "run", foreground_run)
    monkeypatch.setattr(Watch, "start", lambda self, session: None)
    monkeypatch.setattr(leave, "until", lambda question, **how: question())
    return here


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Workstation:
    return prepared(monkeypatch)


@pytest.fixture
def ada(monkeypatch: pytest.MonkeyPatch) -> Workstation:
    """The same with a slot, so that intercepts are personal."""
    return prepared(monkeypatch, telepresence__slot="ada", telepresence__header="x-user")


def www() -> Service:
    return catalogue().named("www-ameide")


def request(**how: Any) -> Request:
    return Request(www(), **{"command": () if how.get("run") is False else ("true",), **how})


def changed(here: Workstation) -> list[str]:
    return [did for did in here.did if "notice" not in did]


def intercept(how: Request, *, dry: bool = False, json: bool = True) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.intercept(how, dry=dry, json=json)
    return int(ended.value.code or 0)


@pytest.mark.parametrize("during", ["the login", "the look at the cluster"])
def test_a_session_that_another_terminal_switches_meanwhile_is_switched_back(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, during: str
):
    """Else the intercept would take the traffic of another namespace."""
    seen = Event()

    def status(s: Settings) -> telepresence.Session:
        found = here.session
        seen.set()
        return found

    def validity(s: Settings) -> str:
        if during == "the login" and not seen.wait(0.3):  # it is not looked at before
            here.session = elsewhere
        return ""

    def read(s: Settings) -> Argo:
        if during == "the look at the cluster" and seen.wait(60):
            here.session = elsewhere
        return Argo()

    elsewhere = replace(HERE, namespace="other")
    monkeypatch.setattr(telepresence, "status", status)
    monkeypatch.setattr(login, "validity", validity)
    monkeypatch.setattr(argo, "read", read)
    assert intercept(request()) == 7
    assert changed(here) == ["assess", "quit", "connect", "intercept www-ameide", "run", "leave www-ameide"]


@pytest.mark.parametrize("session", [NOT_CONNECTED, replace(HERE, namespace="other")])
def test_nothing_is_intercepted_in_a_session_that_is_switched_at_the_last_moment(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, session: telepresence.Session
):
    claim = establish._claim

    def claimed(*args: Any) -> journal.Entry:
        here.session = session
        return claim(*args)

    monkeypatch.setattr(establish, "_claim", claimed)
    with pytest.raises(Trouble, match=r"no session to intercept in: (not )?connected") as switched:
        cli.intercept(request(), dry=False, json=True)
    assert switched.value.fix == "run this again"
    assert (changed(here), journal.entries()) == (["assess"], [])


def test_the_process_runs_while_the_intercept_is_held_and_its_code_is_ours(
    here: Workstation, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(processes, "started", lambda pid: 99.0)
    assert intercept(request()) == 7
    assert changed(here) == ["assess", "intercept www-ameide", "run", "leave www-ameide"]
    document = json.loads(capsys.readouterr().out)
    seconds = document.pop("seconds")
    assert sorted(seconds) == ["connect", "intercept", "routed", "total"]
    assert seconds["connect"] == 0
    assert document == {
        "schema": 1,
        "service": "www-ameide",
        "workload": "www-ameide",
        "name": "www-ameide",
        "mode": "all",
        "header": "",
        "local_port": 3000,
        "remote_port": "http",
        "proof": {"answered_by": "local", "via": "ingress", "ms": 12.3, "url": "https://www/", "headers": {},
                  "curl": "curl https://www/", "status": 200, "error": "", "client": ""},
    }  # fmt: skip
    ran = here.ran  # type: ignore[attr-defined]
    assert ran["argv"] == ["true"]
    assert ran["to_stderr"] is True
    assert ran["env"][b"FROM_POD"] == b"yes"
    assert ran["env"][b"PORT"] == b"3000"
    assert ran["env"][b"KUBECONFIG"].endswith(b"kubeconfig")
    assert {key: ran["entry"].data[key] for key in ("group", "start", "service", "workload", "mode", "local_port")} == {
        "group": 4242, "start": 99.0, "service": "www-ameide", "workload": "www-ameide", "mode": "all",
        "local_port": 3000,
    }  # fmt: skip
    assert journal.entries() == []
    (kept,) = timing.kept("intercept")
    assert (kept["service"], kept["cold"]) == ("www-ameide", False)


def test_without_a_process_the_intercept_stays(here: Workstation, capsys: pytest.CaptureFixture[str]):
    here.session = NOT_CONNECTED
    assert intercept(request(run=False)) == 0
    assert changed(here) == ["assess", "connect", "intercept www-ameide"]
    (entry,) = journal.entries("intercept")
    assert entry.data["keep"] is True
    assert json.loads(capsys.readouterr().out)["seconds"]["connect"] >= 0


def test_a_kept_intercept_of_an_earlier_run_is_left_first(here: Workstation, monkeypatch: pytest.MonkeyPatch):
    fakes.intercept(monkeypatch, here, "www-ameide", keep=True)
    assert intercept(request()) == 7
    assert changed(here)[1:3] == ["leave www-ameide", "intercept www-ameide"]
    assert journal.entries() == []


def test_an_intercept_made_by_hand_is_left_first(here: Workstation):
    here.intercepts("www-ameide", "graph")
    assert intercept(request()) == 7
    assert changed(here)[1:3] == ["leave www-ameide", "intercept www-ameide"]
    assert here.names == ["graph"]


def test_another_living_run_of_the_same_workload_is_not_disturbed(here: Workstation, monkeypatch: pytest.MonkeyPatch):
    fakes.intercept(monkeypatch, here, "graph", by="other")
    plan.make(here.settings, request())
    fakes.intercept(monkeypatch, here, "www-ameide", by="other")
    with pytest.raises(Trouble) as refused:
        cli.intercept(request(), dry=False, json=True)
    assert refused.value.code == REFUSED
    assert "intercept www-ameide" not in here.did


@pytest.mark.parametrize("made_first", [True, False])
def test_a_failure_leaves_the_intercept_again(here: Workstation, monkeypatch: pytest.MonkeyPatch, made_first: bool):
    if made_first:
        monkeypatch.setattr(
            telepresence,
            "intercept",
            lambda s, wanted: here.change(
                "intercept www-ameide",
                lambda: Held(wanted.name, wanted.workload, disposition="NO_AGENT", message="no agent came"),
            ),
        )
    else:
        here.failing = {
            "intercept www-ameide": ToolError("the intercept is NO_AGENT: no agent came", fix="inv tp.status")
        }
    with pytest.raises(ToolError) as failed:
        cli.intercept(request(), dry=False, json=True)
    assert failed.value.problem == Problem("the intercept is NO_AGENT: no agent came", fix="inv tp.status")
    assert changed(here)[-1] == "leave www-ameide"
    assert journal.entries() == []


def test_a_failed_leave_after_a_failure_stays_in_the_journal(here: Workstation, capsys: pytest.CaptureFixture[str]):
    here.failing = {"intercept www-ameide": ToolError("first"), "leave www-ameide": ToolError("second")}
    with pytest.raises(ToolError, match="first"):
        cli.intercept(request(), dry=False, json=True)
    assert len(journal.entries("intercept")) == 1
    assert "inv down tries again" in capsys.readouterr().err


@pytest.mark.parametrize(("process", "code"), [(7, 7), (0, 1)])
def test_a_failed_leave_at_the_end_stays_in_the_journal_and_fails(
    here: Workstation,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    process: int,
    code: int,
):
    monkeypatch.setattr(foreground, "run", lambda argv, **kw: process)
    here.failing = {"leave www-ameide": ToolError("second")}
    assert intercept(request()) == code
    assert len(journal.entries("intercept")) == 1
    assert "inv down tries again" in capsys.readouterr().err


CONFLICT = 'Conflict with intercept "id:9" created by client "bob@box": taken'


@pytest.mark.parametrize(("client", "named"), [("bob@box", True), ("eve@box", False)])
def test_what_somebody_else_holds_is_refused_and_not_left(
    here: Workstation, client: str, named: bool, monkeypatch: pytest.MonkeyPatch
):
    note = plan_notice(client)
    monkeypatch.setattr(notice, "read", lambda s, workload: [note])
    here.failing = {"intercept www-ameide": Conflict("www-ameide", f"intercept {CONFLICT[14:]}", ["revoke {id}"])}
    with pytest.raises(Refused) as refused:
        cli.intercept(request(), dry=False, json=True)
    assert refused.value.fix == "ask bob@box; revoke id:9"
    assert ("all traffic" in refused.value.what) is named
    assert "leave www-ameide" not in here.did
    assert journal.entries() == []


def plan_notice(client: str) -> Any:
    from tasks.flows.intercept.notice import Notice

    return Notice("www-ameide", "www-ameide", client, 0.0, "all traffic")


@pytest.mark.parametrize(("answered_by", "who"), [(AnsweredBy.BASELINE, "the baseline"), (AnsweredBy.NOBODY, "nobody")])
def test_an_intercept_whose_requests_go_elsewhere_is_left(here: Workstation, answered_by: AnsweredBy, who: str):
    here.answers[0] = replace(LOCAL, answered_by=answered_by)  # type: ignore[attr-defined]
    with pytest.raises(Trouble) as failed:
        cli.intercept(request(), dry=False, json=True)
    assert f"({who} answered https://www/)" in failed.value.what
    assert changed(here)[-1] == "leave www-ameide"


@pytest.mark.parametrize("error", ["", "no such host"])
def test_an_unclear_proof_is_a_warning(here: Workstation, capsys: pytest.CaptureFixture[str], error: str):
    here.answers[0] = replace(LOCAL, answered_by=AnsweredBy.UNKNOWN, status=401, error=error)  # type: ignore[attr-defined]
    assert intercept(request()) == 7
    said = capsys.readouterr()
    assert (error or "HTTP 401") in said.err
    assert json.loads(said.out)["proof"]["answered_by"] == "unknown"


def test_what_answers_is_no_proof_while_another_process_has_the_port(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(proof, "listening", lambda port: nullcontext(None))
    here.answers[0] = replace(LOCAL, answered_by=AnsweredBy.BASELINE)  # type: ignore[attr-defined]
    assert intercept(request(run=False)) == 0
    assert "warning: " in capsys.readouterr().err


def test_the_env_file_is_written_recorded_and_deleted_with_the_intercept(here: Workstation, tmp_path: Path):
    file = tmp_path / "pod.env"
    assert intercept(request(run=False, env_file=str(file))) == 0
    assert file.read_text() == "FROM_POD=yes\n"
    (entry,) = journal.entries("intercept")
    (known,) = entry.data["files"]
    assert (known["path"], known["inode"]) == (str(file), file.stat().st_ino)
    cli.leave("", dry=False)
    assert not file.exists()


def test_what_is_held_back_from_the_process_is_named_once_without_its_value(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    pod = {"NODE_OPTIONS": "--require=/evil.js", "BASH_ENV": "/evil.sh", "FROM_POD": "yes"}
    monkeypatch.setattr(
        telepresence,
        "intercept",
        lambda s, wanted: here.change(
            "intercept www-ameide", lambda: Held(wanted.name, wanted.workload, environment=pod)
        ),
    )
    assert intercept(request()) == 7
    said = capsys.readouterr().err
    assert said.count("held back from the process: BASH_ENV, NODE_OPTIONS (") == 1
    assert "evil" not in said
    assert b"BASH_ENV" not in here.ran["env"]  # type: ignore[attr-defined]


def test_a_signal_while_the_process_runs_leaves_the_intercept(here: Workstation):
    here.failing = {"run": Interrupted(signal.SIGTERM)}  # type: ignore[dict-item]
    assert intercept(request()) == 128 + signal.SIGTERM
    assert changed(here)[-1] == "leave www-ameide"
    assert journal.entries() == []


def test_a_signal_before_the_intercept_leaves_nothing_behind(here: Workstation):
    here.failing = {"assess": Interrupted(signal.SIGINT)}  # type: ignore[dict-item]
    assert intercept(request()) == 130
    assert changed(here) == []
    assert journal.entries() == []


def test_a_dry_run_shows_all_changes_and_makes_none(here: Workstation, capsys: pytest.CaptureFixture[str]):
    here.session = NOT_CONNECTED
    cli.intercept(request(), dry=True, json=True)
    document = json.loads(capsys.readouterr().out)
    assert document["mode"] == "all"
    assert [change["command"] for change in document["changes"]] == [
        "connect", "intercept www-ameide", "true", "leave www-ameide",
    ]  # fmt: skip
    cli.intercept(request(run=False), dry=True, json=False)
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("would")] == [
        "would connect", "would intercept www-ameide",
    ]  # fmt: skip
    assert changed(here) == ["assess", "assess"]
    assert journal.entries() == []


def test_people_see_the_traffic_the_proof_and_how_to_leave(here: Workstation, capsys: pytest.CaptureFixture[str]):
    here.objects = fakes.cluster_service("www-ameide", agent=False)
    assert intercept(request(run=False), json=False) == 0
    first, curl, hint, proven, left = capsys.readouterr().out.splitlines()
    assert first == "www-ameide -> 127.0.0.1:3000   everybody's traffic (no telepresence.slot is set)"
    assert curl == "  curl https://www/"
    assert "telepresence.slot" in hint
    assert "a request through the ingress arrived here (12 ms); the pod was replaced" in proven
    assert left == "  leave: inv leave www-ameide"
    (kept,) = timing.kept("intercept")
    assert kept["cold"] is True


def test_a_personal_intercept_shows_its_header(ada: Workstation, capsys: pytest.CaptureFixture[str]):
    ada.answers[0] = replace(LOCAL, answered_by=AnsweredBy.UNKNOWN, curl="", error="no host")  # type: ignore[attr-defined]
    assert intercept(request(), json=False) == 7
    said = capsys.readouterr()
    first, curl, hint, proven = said.out.splitlines()
    assert first == "www-ameide -> 127.0.0.1:3000   requests with x-user: ada"
    assert curl == "  (no curl: no host)"
    assert hint == "  everybody's traffic: inv intercept www-ameide --everyone"
    assert proven.endswith("not proven by a request")
    assert "true   (in " in said.err


@pytest.mark.parametrize(
    ("how", "can_filter", "mode", "name", "why", "hint"),
    [
        ({}, True, Mode.PERSONAL, "www-ameide-ada", "", ""),
        ({"personal": True}, True, Mode.PERSONAL, "www-ameide-ada", "", ""),
        ({"everyone": True}, True, Mode.ALL, "www-ameide-ada", "", "inv intercept www-ameide --personal"),
        ({}, False, Mode.ALL, "www-ameide-ada", "this Telepresence cannot filter by header", ""),
        ({"replace": True}, True, Mode.ALL, "www-ameide-ada", "the pod's own container is stopped", ""),
    ],
)
def test_with_a_slot_the_intercept_is_personal_where_possible(
    ada: Workstation,
    monkeypatch: pytest.MonkeyPatch,
    how: dict[str, Any],
    can_filter: bool,
    mode: Mode,
    name: str,
    why: str,
    hint: str,
):
    monkeypatch.setattr(telepresence, "can_filter", lambda s: can_filter)
    made = plan.make(ada.settings, request(**how))
    assert (made.mode, made.wanted.name, made.all_why, made.personal_hint) == (mode, name, why, hint)
    assert made.headers == ({"x-user": "ada"} if mode is Mode.PERSONAL else {})


def test_a_personal_intercept_that_is_not_possible_is_refused(ada: Workstation, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(Refused) as refused:
        plan.make(ada.settings, request(personal=True, replace=True))
    assert refused.value.fix.startswith("inv intercept www-ameide --everyone")


def test_a_replacement_has_the_name_of_the_workload_where_telepresence_knows_replace(
    ada: Workstation, monkeypatch: pytest.MonkeyPatch
):
    asked: list[str] = []
    monkeypatch.setattr(telepresence, "can_replace", lambda s: True)

    def replaced(s: object, wanted: object, port: str) -> Change[Any]:
        asked.append(port)
        return ada.change("replace")

    monkeypatch.setattr(telepresence, "replace", replaced)
    made = plan.make(ada.settings, request(replace=True))
    assert made.wanted.name == "www-ameide"
    assert establish.change(ada.settings, made).text == "replace"
    assert asked == ["3000"]


HTTP, METRICS = {"name": "http", "port": 80, "targetPort": "http"}, {"name": "metrics", "port": 9090}


@pytest.mark.parametrize(
    ("served", "port", "local", "remote"),
    [
        ([HTTP], "", 3000, "http"),
        ([HTTP], "4000", 4000, "http"),
        ([HTTP, METRICS], "", 3000, "http"),
        ([HTTP, METRICS], "4000:metrics", 4000, "metrics"),
        ([HTTP, METRICS], "4000:9090", 4000, "metrics"),
        ([{"port": 80}], "", 3000, "80"),
        ([{"name": "web", "port": 3000}, METRICS], "", 3000, "web"),
    ],
)
def test_the_port_is_the_one_named_or_the_catalogues(
    here: Workstation,
    capsys: pytest.CaptureFixture[str],
    served: list[dict[str, Any]],
    port: str,
    local: int,
    remote: str,
):
    here.objects = fakes.cluster_service("www-ameide", *served)
    made = plan.make(here.settings, request(port=port))
    assert (made.wanted.local_port, made.wanted.remote_port) == (local, remote)
    assert "has no port" not in capsys.readouterr().err


@pytest.mark.parametrize(("remote", "noted"), [("8080", True), ("http", False), ("80", False), ("3000", False)])
def test_another_port_than_the_only_one_is_noted(
    here: Workstation, capsys: pytest.CaptureFixture[str], remote: str, noted: bool
):
    assert plan.make(here.settings, request(port=f"4000:{remote}")).wanted.remote_port == "http"
    assert (f"has no port {remote}" in capsys.readouterr().err) is noted


def test_a_service_of_another_name_than_its_workload_is_named(here: Workstation):
    assert plan.make(here.settings, request()).wanted.service == ""
    here.objects[1]["metadata"]["name"] = "front"
    assert plan.make(here.settings, request()).wanted.service == "front"


def test_a_workload_that_must_not_get_an_agent_is_refused_by_the_managers_policy(here: Workstation):
    here.objects = fakes.cluster_service("www-ameide", agent=False)
    here.manager_pods = [
        {"kind": "Pod", "spec": {"containers": [{"env": [{"name": "OTHER", "value": "x"},
                                                         {"name": "AGENT_INJECT_POLICY", "value": "WhenEnabled"}]}]}},
    ]  # fmt: skip
    with pytest.raises(Trouble) as refused:
        plan.make(here.settings, request())
    assert refused.value.code == REFUSED
    here.failing = {"get pods": ToolError("pods is forbidden")}
    plan.make(here.settings, request())


def test_what_argo_cd_would_do_is_noted(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    from tasks.checks.finding import missing, ok, warning

    found = [
        ok("a", "good"),
        missing("b", "bad", fix="fix it"),
        warning("c", "odd"),
        missing("injection", "twice", fix=""),
    ]
    monkeypatch.setattr(argo, "findings", lambda s, service, state: found)
    monkeypatch.setattr(login, "validity", lambda s: "login: good")
    plan.make(here.settings, request())
    assert capsys.readouterr().err.splitlines()[1:] == [
        "   login: good", "   Argo CD: bad; fix it", "   Argo CD: odd",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("slot", "how", "first"),
    [
        ("", {}, "warning: everybody's traffic to www-ameide comes to this workstation: no telepresence.slot is set"),
        ("ada", {"everyone": True}, "   everybody's traffic to www-ameide comes to this workstation, as wanted"),
        ("ada", {}, "   login: good"),
    ],
)
def test_the_first_line_says_when_everybodys_traffic_comes_here(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], slot: str, how: dict[str, Any], first: str
):
    here = prepared(monkeypatch, telepresence__slot=slot)
    monkeypatch.setattr(login, "validity", lambda s: "login: good")
    plan.make(here.settings, request(**how))
    said = capsys.readouterr()
    assert (said.out, said.err.splitlines()[0]) == ("", first)


@pytest.mark.parametrize(
    ("code", "line"), [(7, "xx run          true exited with 7"), (0, "ok run          true exited with 0")]
)
def test_the_end_of_the_process_is_said_with_its_code(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int, line: str
):
    monkeypatch.setattr(foreground, "run", lambda argv, **how: code)
    assert intercept(request()) == code
    assert line in capsys.readouterr().err


@pytest.mark.parametrize("question", ["assess", "get deployments,statefulsets,services,pods"])
def test_a_failed_question_changes_nothing(here: Workstation, question: str):
    here.failing = {question: Refused("no") if question == "assess" else ToolError("no", fix="x")}
    with pytest.raises(Trouble) as failed:
        cli.intercept(request(), dry=False, json=True)
    assert failed.value.what == "no"
    assert "intercept www-ameide" not in here.did
    assert journal.entries() == []
