"""`inv tp.connect`, `tp.status` and `tp.quit`, with Telepresence and the process table replaced."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from threading import Event
from typing import Any

import pytest

from tasks.core.config.settings import Settings
from tasks.core.errors import MISSING, REFUSED, Blocked, Problem, Refused, TimedOut, ToolError, Trouble
from tasks.core.plan.change import Change
from tasks.core.process import processes
from tasks.core.process.processes import Process
from tasks.core.state import journal, store, timing
from tasks.flows.session import cli, connect, tunnel
from tasks.tools import api_server, base, credentials, kubeconfig, telepresence
from tasks.tools.telepresence import logs
from tests.tasks.flows import fakes
from tests.tasks.flows.fakes import DAEMON, HERE, NOT_CONNECTED, Workstation

LIVING = Process(os.getpid(), processes.started(os.getpid()), ("telepresence", "userd"))


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Workstation:
    workstation = fakes.workstation(monkeypatch)
    workstation.session = NOT_CONNECTED
    return workstation


def document(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def connected(*, yes: bool = False, dry: bool = False, check: bool = False, json: bool = True) -> None:
    cli.connect(yes=yes, dry=dry, check=check, json=json)


def test_connect_opens_the_session_and_a_second_one_does_nothing(here: Workstation, capsys: pytest.CaptureFixture[str]):
    connected()
    found = document(capsys)
    assert found["connected"] is True
    assert found["session"]["context"] == "dev"
    assert here.did == ["assess", "connect"]
    (entry,) = journal.entries("session")
    file = str(base.frozen_kubeconfig(here.settings))
    assert entry.data == {"context": "dev", "namespace": "team", "kubeconfig": file}
    assert len(timing.kept("connect")) == 1
    connected()
    assert document(capsys)["seconds"] == 0
    assert here.did == ["assess", "connect", "assess"]
    connected(json=False)
    assert capsys.readouterr().out == "connected to dev, namespace team: nothing to do\n"


def test_connect_for_people_names_the_seconds_and_the_budget(here: Workstation, capsys: pytest.CaptureFixture[str]):
    connected(json=False)
    assert capsys.readouterr().out.endswith(" s (budget 30 s)\n")


@pytest.mark.parametrize(("session", "changes"), [(NOT_CONNECTED, ["connect"]), (HERE, [])])
def test_a_dry_run_and_a_check_show_what_is_missing(
    here: Workstation, capsys: pytest.CaptureFixture[str], session: telepresence.Session, changes: list[str]
):
    here.session = session
    connected(dry=True)
    assert document(capsys) == {
        "schema": 1,
        "connected": not changes,
        "changes": [{"text": text, "command": text} for text in changes],
    }
    connected(dry=True, json=False)
    shown = capsys.readouterr().out
    assert ("would connect" in shown, "nothing to do" in shown) == (bool(changes), not changes)
    if changes:
        with pytest.raises(SystemExit) as ended:
            connected(check=True)
        assert ended.value.code == MISSING
    else:
        connected(check=True)
    assert "connect" not in here.did
    assert journal.entries() == []


@pytest.mark.parametrize("how", [{}, {"dry": True}, {"check": True}])
def test_production_is_refused_before_telepresence_is_asked(here: Workstation, how: dict[str, bool]):
    here.failing = {"assess": Refused("production"), "status": ToolError("asked")}
    with pytest.raises(Refused):
        connected(**how)
    assert here.did == []


def test_production_by_name_is_refused_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch):
    here = fakes.workstation(monkeypatch, cluster__context="prod-aks")
    with pytest.raises(Refused):
        connected()
    assert here.did == []


@pytest.mark.parametrize(
    ("session", "daemons", "did"),
    [
        (replace(HERE, context="other"), [], ["quit", "connect"]),
        (replace(HERE, context="other"), [DAEMON], ["quit", "kill 4711", "connect"]),
        (NOT_CONNECTED, [DAEMON], ["kill 4711", "connect"]),
    ],
)
def test_a_session_elsewhere_and_silent_daemons_are_ended_first(
    here: Workstation, session: telepresence.Session, daemons: list[Process], did: list[str]
):
    here.session, here.daemons = session, list(daemons)
    if session.running and daemons:
        here.session = replace(session, sessions=2)
    connected()
    assert here.did == ["assess", *did]


def test_a_switch_that_loses_an_intercept_needs_yes(here: Workstation, monkeypatch: pytest.MonkeyPatch):
    elsewhere = replace(HERE, context="other")
    here.session = elsewhere
    fakes.recorded(monkeypatch, "intercept", name="killed")
    list(connect.connect_changes(here.settings))
    fakes.recorded(monkeypatch, "intercept", by="other", name="living")
    with pytest.raises(Refused) as refused:
        connected()
    assert "living" in refused.value.what
    assert "killed" not in refused.value.what
    connected(yes=True)
    assert here.did == ["assess", "assess", "quit", "connect"]
    here.session = NOT_CONNECTED
    assert [change.text for change in connect.connect_changes(here.settings)] == ["connect"]


def test_a_lost_session_is_reported_as_reconnected(here: Workstation, capsys: pytest.CaptureFixture[str]):
    connect.ensure(here.settings)
    assert "reconnected" not in capsys.readouterr().err
    here.session = NOT_CONNECTED
    connect.ensure(here.settings)
    assert "reconnected" in capsys.readouterr().err
    assert len(journal.entries("session")) == 1
    assert here.did == ["assess", "connect"] * 2


def test_the_entry_of_another_place_is_kept(here: Workstation, monkeypatch: pytest.MonkeyPatch):
    other = fakes.recorded(monkeypatch, "session", kubeconfig="/other")
    connect.ensure(here.settings, guarded=True)
    assert here.did == ["connect"]
    assert [entry.id == other.id for entry in journal.entries("session")] == [True, False]


def test_a_failed_connect_leaves_no_daemon_and_no_entry(here: Workstation, monkeypatch: pytest.MonkeyPatch):
    before = Process(7, 1.0, ("telepresence", "userd"))

    def fails(s: object) -> Any:
        def run() -> None:
            here.daemons.append(DAEMON)
            raise TimedOut("telepresence connect: no answer")

        return replace(here.change("connect"), run=run)

    here.daemons = [before]
    monkeypatch.setattr(telepresence, "connect", fails)
    monkeypatch.setattr(logs, "cause", lambda marks: ("", ""))
    with pytest.raises(TimedOut) as failed:
        connect._connect_change(here.settings).run()
    assert here.did == ["kill 4711"]
    assert here.daemons == [before]
    assert journal.entries() == []
    assert failed.value.why.startswith("the API server")
    assert failed.value.fix.startswith("inv aks.login")
    monkeypatch.setattr(logs, "cause", lambda marks: ("the cause in the log", "the fix"))
    with pytest.raises(TimedOut) as failed:
        connect._connect_change(here.settings).run()
    assert (failed.value.why, failed.value.fix) == ("the cause in the log", "the fix")


def test_another_run_that_has_connected_meanwhile_is_enough(here: Workstation, monkeypatch: pytest.MonkeyPatch):
    """It holds the lock at the first look, so this run waits for it and looks again."""
    plans = iter([[here.change("connect")], []])
    with ExitStack() as other:
        other.enter_context(store.lock("session"))

        def changes(s: Settings, yes: bool) -> Iterator[Change[object]]:
            other.close()
            return iter(next(plans))

        monkeypatch.setattr(connect, "connect_changes", changes)
        assert connect.ensure(here.settings) > 0
    assert here.did == []
    assert list(plans) == []


def test_an_open_session_that_was_seen_a_moment_ago_is_not_looked_at_again(here: Workstation):
    here.failing = {"status": ToolError("asked again")}
    assert connect.ensure(here.settings, now=connect.Look(HERE, True, daemon=LIVING)) == 0
    here.failing = {}
    assert connect.ensure(here.settings, guarded=True, now=connect.Look(NOT_CONNECTED, False, "not connected")) > 0
    assert here.did == ["connect"]


@pytest.mark.parametrize(
    ("daemon", "server"), [(DAEMON, fakes.SERVER), (None, fakes.SERVER), (LIVING, "https://another.example:443")]
)
def test_a_session_that_another_terminal_has_ended_or_moved_since_is_looked_at_again(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, daemon: Process | None, server: str
):
    monkeypatch.setattr(kubeconfig, "server_of", lambda s, path="": server)
    here.failing = {"status": ToolError("asked again")}
    with pytest.raises(ToolError, match="asked again"):
        connect.ensure(here.settings, now=connect.Look(HERE, True, daemon=daemon))


def test_status_is_asked_once_before_a_connect_and_once_after_it(here: Workstation, monkeypatch: pytest.MonkeyPatch):
    asked: list[bool] = []

    def status(s: Settings) -> telepresence.Session:
        asked.append("connect" in here.did)
        return here.session

    monkeypatch.setattr(telepresence, "status", status)
    connect.ensure(here.settings, guarded=True)
    assert asked == [False, True]


def test_the_services_are_listed_while_telepresence_connects(here: Workstation, monkeypatch: pytest.MonkeyPatch):
    listed = Event()

    def hosts(s: Settings) -> list[str]:
        listed.set()
        return []

    def connected() -> None:
        assert listed.wait(60)
        here.session = HERE

    monkeypatch.setattr(tunnel, "hosts", hosts)
    monkeypatch.setattr(telepresence, "connect", lambda s: here.change("connect", connected))
    connect.ensure(here.settings, guarded=True)
    assert here.did == ["connect"]


def test_mine_is_what_the_session_of_this_place_holds(here: Workstation):
    here.session = replace(HERE, intercepts=(("www", "ada@box"),))
    assert connect.mine(here.settings) == ("www",)
    here.session = replace(here.session, context="other")
    assert connect.mine(here.settings) == ()


@pytest.mark.parametrize("task", [lambda s: connect.prepare(s, dry=False), lambda s: connect.allowed(s, dry=False)])
def test_the_session_kubeconfig_is_written_before_the_first_question(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, task: Any
):
    monkeypatch.setattr(kubeconfig, "freeze", lambda s: here.change("freeze"))
    task(here.settings)
    assert here.did[0] == "freeze"
    with pytest.raises(Blocked):
        connect.prepare(here.settings, dry=True)
    assert here.did.count("freeze") == 1


def test_a_session_that_is_not_usable_says_why(here: Workstation):
    several = replace(HERE, sessions=2)
    failed = replace(HERE, state="Not connected", error="no root daemon")
    silent = replace(HERE, state="")
    looks = []
    for session in (several, failed, silent):
        here.session = session
        looks.append(connect.look(here.settings))
    assert [now.here for now in looks] == [False] * 3
    assert [now.why for now in looks] == [
        "several daemons are running", "no root daemon", "the daemon says: not connected",
    ]  # fmt: skip


def test_status_shows_the_session_and_the_journal(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    here.session = replace(HERE, intercepts=(("www", "ada@box"),), client_version="2.31.0")
    killed = fakes.recorded(monkeypatch, "intercept", name="killed")
    fakes.recorded(monkeypatch, "intercept", name="kept", keep=True)
    living = fakes.recorded(monkeypatch, "intercept", by="self", name="living")
    cli.status(json=True)
    found = document(capsys)
    assert (found["here"], found["why"]) == (True, "")
    assert found["session"]["intercepts"] == [{"name": "www", "client": "ada@box"}]
    assert found["journal"][0] == {"name": "killed", "made": killed.made, "pid": killed.pid, "lives": False}
    assert found["journal"][2]["lives"] is True
    assert living.pid == found["journal"][2]["pid"]
    cli.status(json=False)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["session", "cluster", "namespace", "versions", "intercept", "left"]
    assert lines[0].split()[1:] == ["Connected"]
    assert "manager unknown" in lines[3]
    assert "killed" in lines[-1]


def test_status_without_a_session_names_the_task_that_connects(here: Workstation, capsys: pytest.CaptureFixture[str]):
    cli.status(json=False)
    assert capsys.readouterr().out == "no session: not connected\n  connect: inv tp.connect\n"
    here.session = replace(HERE, context="other")
    cli.status(json=False)
    assert "(connected to the context other, not dev)" in capsys.readouterr().out.splitlines()[0]


def test_quit_ends_the_session_its_daemons_and_its_entries(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    here.session, here.daemons = HERE, [DAEMON]
    fakes.recorded(monkeypatch, "session", kubeconfig="x")
    cli.quit(yes=False, dry=False)
    assert here.did == ["quit", "kill 4711"]
    assert journal.entries() == []
    assert capsys.readouterr().out == "the session has ended\n"
    cli.quit(yes=False, dry=False)
    assert here.did == ["quit", "kill 4711"]
    assert capsys.readouterr().out == "there was no session: nothing to do\n"


def test_quit_ends_the_session_where_the_kept_tokens_cannot_be_forgotten(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def forget(s: Settings) -> None:
        raise Trouble("cannot write credentials")

    here.session = HERE
    fakes.recorded(monkeypatch, "session", kubeconfig="x")
    monkeypatch.setattr(credentials, "forget", forget)
    with pytest.raises(Trouble, match="cannot write credentials"):
        cli.quit(yes=False, dry=False)
    assert (here.did, journal.entries()) == (["quit"], [])
    assert capsys.readouterr().out == "the session has ended\n"


def test_a_dry_run_of_quit_ends_nothing(here: Workstation, capsys: pytest.CaptureFixture[str]):
    here.session, here.daemons = replace(HERE, sessions=2), [DAEMON]
    cli.quit(yes=False, dry=True)
    assert store._only_read
    assert capsys.readouterr().err.splitlines()[::2] == ["would quit", "would kill 4711"]
    assert here.did == []


@pytest.mark.parametrize(
    ("by", "keep", "lost"), [("self", False, True), ("ended", True, True), ("ended", False, False)]
)
def test_quit_that_loses_a_wanted_intercept_needs_yes(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, by: str, keep: bool, lost: bool
):
    here.session = HERE
    file = str(base.frozen_kubeconfig(here.settings))
    entry = fakes.recorded(monkeypatch, "intercept", by=by, name="www", keep=keep, kubeconfig=file)
    if lost:
        with pytest.raises(Refused) as refused:
            cli.quit(yes=False, dry=False)
        assert refused.value.problem.code == REFUSED
        assert (f"(pid {entry.pid})" in refused.value.what) is (by == "self")
        assert here.did == []
    cli.quit(yes=lost, dry=False)
    assert here.did == ["quit"]
    assert journal.entries() == ([] if by == "ended" and keep else [entry])


def test_a_kept_intercept_of_another_place_stays_in_the_journal(here: Workstation, monkeypatch: pytest.MonkeyPatch):
    here.session = HERE
    entry = fakes.recorded(monkeypatch, "intercept", name="www", keep=True, kubeconfig="/other")
    cli.quit(yes=True, dry=False)
    assert journal.entries() == [entry]


def test_quit_that_loses_an_intercept_made_by_hand_needs_yes(here: Workstation):
    here.session = replace(HERE, intercepts=(("www", "ada@box"), ("shop", "ada@box")))
    with pytest.raises(Refused) as refused:
        cli.quit(yes=False, dry=False)
    assert refused.value.problem == Problem(
        "www, shop would be lost, intercepted by hand", fix="telepresence leave www, or add --yes", code=REFUSED
    )
    cli.quit(yes=True, dry=False)
    assert here.did == ["quit"]


def test_a_daemon_that_does_not_end_is_named(here: Workstation, monkeypatch: pytest.MonkeyPatch):
    left = Trouble("Telepresence's daemon still runs (pid 4711)", fix="sudo kill -9 4711")
    here.failing = {"kill 4711": left}
    here.daemons = [DAEMON]
    with pytest.raises(Trouble) as failed:
        cli.quit(yes=False, dry=False)
    assert failed.value is left


GONE = Problem("the API server does not answer: nothing comes back from dev", "no VPN", "check the VPN")


@pytest.fixture
def gone(here: Workstation, monkeypatch: pytest.MonkeyPatch) -> Workstation:
    """A workstation with a session whose API server is gone."""
    monkeypatch.setattr(api_server, "cause", lambda s, file="": GONE)
    here.daemons = [DAEMON]
    return here


UNANSWERED = api_server.Unreachable(f"telepresence status: {GONE.what}", tool="telepresence")


def test_status_that_hangs_without_the_api_server_names_it(gone: Workstation):
    gone.failing = {"status": UNANSWERED}
    with pytest.raises(api_server.Unreachable) as failed:
        cli.status(json=False)
    assert failed.value.problem == Problem(f"telepresence status: {GONE.what}", GONE.why, GONE.fix)


def test_status_that_answers_without_the_api_server_names_it_too(gone: Workstation, capsys: pytest.CaptureFixture[str]):
    gone.session = HERE
    cli.status(json=False)
    said = capsys.readouterr().out
    assert f"Connected, but {GONE.summary}" in said
    assert f"fix: {GONE.fix}" in said
    cli.status(json=True)
    assert document(capsys)["problem"]["what"] == GONE.what


@pytest.mark.parametrize("answers", [True, False])
def test_quit_does_not_ask_telepresence_without_the_api_server(gone: Workstation, answers: bool):
    gone.session = HERE
    gone.failing = {} if answers else {"status": UNANSWERED}
    cli.quit(yes=False, dry=False)
    assert gone.did == ["kill 4711"]
    assert gone.daemons == []


def test_connect_without_the_api_server_is_not_tried(gone: Workstation):
    gone.failing = {"status": UNANSWERED}
    with pytest.raises(api_server.Unreachable) as failed:
        connect.ensure(gone.settings, guarded=True)
    assert failed.value.what == f"telepresence connect: {GONE.what}"
    assert gone.did == []
