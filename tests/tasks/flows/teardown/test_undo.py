"""What `inv down` undoes, with the wrappers of the programs replaced."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tasks.checks import guard
from tasks.core.errors import Absent, Problem, Refused, TimedOut, ToolError, Trouble
from tasks.core.process import foreground, mark
from tasks.core.process.processes import Process
from tasks.core.state import journal
from tasks.flows.teardown import cli, undo
from tasks.tools import api_server, base, credentials, helm
from tasks.tools.helm import Release
from tasks.tools.telepresence import Session
from tests.tasks.flows import fakes
from tests.tasks.flows.fakes import DAEMON, HERE, NOT_CONNECTED, Workstation

NOT_MINE = Release("apps-graph-tilt", "deployed", 1)
MINE = Release("apps-www-ameide-tilt", "deployed", 1, mine=True)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Workstation:
    workstation = fakes.workstation(monkeypatch)
    workstation.session = NOT_CONNECTED

    def releases(s: object, holder: str) -> list[Release]:
        workstation.ask("releases")
        return [NOT_MINE, MINE]

    monkeypatch.setattr(helm, "releases", releases)
    monkeypatch.setattr(helm, "uninstall", lambda s, name: workstation.change(f"uninstall {name}"))
    return workstation


def texts(here: Workstation, *, tilt: bool = False) -> list[str]:
    failures: list[Trouble] = []
    found = [change.text for change in undo.changes(here.settings, failures, tilt=tilt)]
    assert failures == []
    return found


def down(*, dry: bool = False, tilt: bool = False) -> None:
    cli.down(dry=dry, tilt=tilt)


def test_nothing_made_is_nothing_to_undo(here: Workstation, capsys: pytest.CaptureFixture[str]):
    down()
    assert here.did == []
    assert capsys.readouterr().out == "nothing to undo\n"


def test_a_target_that_cannot_be_looked_at_is_reported_with_cause_and_fix(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def assess(s: object) -> None:
        error = ToolError("kubectl get namespace: kubelogin failed")
        raise guard.UnknownTarget("could not be looked at", why="nobody is logged in", fix="inv aks.login", cause=error)

    file = base.frozen_kubeconfig(here.settings)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    monkeypatch.setattr(guard, "assess", assess)
    down()
    assert capsys.readouterr().err.splitlines() == [
        "warning: could not be looked at (nobody is logged in); only what was made there is undone",
        "  fix: inv aks.login",
    ]


def test_kept_tokens_that_cannot_be_forgotten_hide_no_other_failure(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def forget(s: object) -> None:
        raise Trouble("cannot write credentials")

    monkeypatch.setattr(credentials, "forget", forget)
    with pytest.raises(Trouble, match="not everything was undone: cannot write credentials"):
        down()
    here.session, here.failing = HERE, {"quit": ToolError("telepresence quit: no answer")}
    fakes.recorded(monkeypatch, "session", kubeconfig=str(base.frozen_kubeconfig(here.settings)))
    with pytest.raises(Trouble, match="not everything was undone: telepresence quit: no answer"):
        down()
    assert "cannot write credentials" in capsys.readouterr().err


def test_everything_is_undone_in_an_order_that_ends_with_the_session(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    here.session, here.daemons = HERE, [DAEMON]
    fakes.intercept(monkeypatch, here, "www")
    fakes.recorded(monkeypatch, "session", kubeconfig=str(base.frozen_kubeconfig(here.settings)))
    fakes.freeze(here.settings)
    down(tilt=True)
    assert [did for did in here.did if did != "delete notice"] == [
        "assess", "leave www", "uninstall apps-www-ameide-tilt", "quit", "kill 4711",
    ]  # fmt: skip
    assert journal.entries() == []
    assert "nothing to undo" not in capsys.readouterr().out


def test_a_second_run_undoes_nothing(here: Workstation, monkeypatch: pytest.MonkeyPatch):
    here.session = HERE
    fakes.recorded(monkeypatch, "session", kubeconfig=str(base.frozen_kubeconfig(here.settings)))
    down()
    assert here.did == ["quit"]
    down()
    assert here.did == ["quit"]


def test_a_dry_run_changes_nothing(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    here.session = HERE
    fakes.recorded(monkeypatch, "session", kubeconfig=str(base.frozen_kubeconfig(here.settings)))
    fakes.intercept(monkeypatch, here, "www")
    down(dry=True)
    assert here.did == []
    assert len(journal.entries()) == 2
    assert next(line for line in capsys.readouterr().out.splitlines() if line.startswith("would")) == (
        "would leave the intercept www"
    )


def test_releases_are_kept_without_tilt_and_that_is_said(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    fakes.recorded(monkeypatch, "release", release="apps-www-ameide-tilt", context="dev", namespace="team")
    down()
    assert here.did == []
    assert "inv tilt.down" in capsys.readouterr().out
    down(tilt=True)
    assert here.did == ["uninstall apps-www-ameide-tilt"]
    assert journal.entries() == []
    assert "inv tilt.down" not in capsys.readouterr().out


def test_a_failure_stops_no_other_part_and_is_raised_at_the_end(here: Workstation, monkeypatch: pytest.MonkeyPatch):
    here.session = HERE
    here.failing = {
        "releases": ToolError("helm list: refused", why="no network", fix="inv aks.check"),
        "quit": ToolError("telepresence quit: no"),
    }
    fakes.recorded(monkeypatch, "session", kubeconfig=str(base.frozen_kubeconfig(here.settings)))
    fakes.freeze(here.settings)
    with pytest.raises(Trouble) as failed:
        down(tilt=True)
    assert failed.value.problem == Problem(
        "not everything was undone: helm list: refused", "no network", "inv aks.check"
    )
    assert journal.entries("session") == []


def test_a_failure_without_a_fix_of_its_own_is_tried_again(here: Workstation, monkeypatch: pytest.MonkeyPatch):
    here.session = HERE
    here.failing = {"quit": ToolError("telepresence quit: no")}
    fakes.recorded(monkeypatch, "session", kubeconfig=str(base.frozen_kubeconfig(here.settings)))
    with pytest.raises(Trouble) as failed:
        down()
    assert failed.value.problem == Problem("not everything was undone: telepresence quit: no", fix="run this again")


def test_production_is_refused_before_anything_is_undone(monkeypatch: pytest.MonkeyPatch):
    here = fakes.workstation(monkeypatch, cluster__context="prod-aks")
    fakes.recorded(monkeypatch, "session", kubeconfig=str(base.frozen_kubeconfig(here.settings)))
    with pytest.raises(Refused):
        down()
    assert here.did == []


def test_production_by_its_labels_is_refused_too(here: Workstation, monkeypatch: pytest.MonkeyPatch):
    fakes.freeze(here.settings)
    here.failing = {"assess": Refused("its labels say production")}
    fakes.recorded(monkeypatch, "process")
    with pytest.raises(Refused):
        down()
    assert len(journal.entries("process")) == 1


def test_a_target_that_does_not_answer_may_still_be_cleaned_up(here: Workstation, capsys: pytest.CaptureFixture[str]):
    cause = ToolError("kubectl: no answer")
    here.failing = {"assess": guard.UnknownTarget("no answer", why="", fix="", cause=cause)}
    fakes.freeze(here.settings)
    journal.record("process")
    down()
    assert journal.entries("process") == []
    assert "warning: no answer" in capsys.readouterr().err


def test_without_any_connection_helm_is_not_asked(here: Workstation):
    here.failing = {"releases": ToolError("asked")}
    assert texts(here, tilt=True) == []
    fakes.freeze(here.settings)
    with pytest.raises(AssertionError):
        texts(here, tilt=True)


@pytest.mark.parametrize(
    ("session", "daemons", "recorded", "expected"),
    [
        (NOT_CONNECTED, [], False, []),
        (HERE, [], False, []),
        (HERE, [], True, ["quit", "remove the session from the journal"]),
        (HERE, [DAEMON], False, ["quit", "end the session's daemons"]),
        (NOT_CONNECTED, [DAEMON], False, ["end the session's daemons"]),
        (NOT_CONNECTED, [], True, ["remove the session from the journal"]),
        (replace(HERE, context="other"), [], True, ["remove the session from the journal"]),
        (replace(HERE, context="other"), [DAEMON], False, ["quit", "end the session's daemons"]),
        (replace(HERE, intercepts=(("www", "ada@box"),)), [DAEMON], True, []),
    ],
)
def test_the_session_is_ended_when_it_is_ours_and_holds_nothing_made_by_hand(
    here: Workstation,
    monkeypatch: pytest.MonkeyPatch,
    session: Session,
    daemons: list[Process],
    recorded: bool,
    expected: list[str],
):
    here.session, here.daemons = session, list(daemons)
    fakes.recorded(monkeypatch, "session", kubeconfig="/another/place")
    if recorded:
        fakes.recorded(monkeypatch, "session", kubeconfig=str(base.frozen_kubeconfig(here.settings)))
    assert texts(here) == expected


@pytest.mark.parametrize("daemons", [[DAEMON], []])
def test_a_daemon_that_does_not_answer_is_ended(here: Workstation, daemons: list[Process]):
    here.failing = {"status": TimedOut("telepresence status: no answer")}
    here.daemons = list(daemons)
    assert texts(here) == (["end the session's daemons"] if daemons else [])
    down()
    assert here.did == (["kill 4711"] if daemons else [])


def test_without_telepresence_there_is_no_session_to_end(here: Workstation):
    here.failing = {"status": Absent("telepresence is not installed")}
    here.daemons = [DAEMON]
    assert texts(here) == []


@pytest.mark.parametrize("ours", [True, False])
def test_a_process_is_ended_only_while_its_group_is_its_own(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, ours: bool
):
    groups: list[int] = []
    monkeypatch.setattr(foreground, "end_group", groups.append)
    monkeypatch.setattr(mark, "carried_in_group", lambda group, mark: ours)
    journal.record("process", group=7)
    journal.record("process", name="one that did not start")
    down()
    assert groups == ([7] if ours else [])
    assert journal.entries("process") == []


def test_an_entry_says_what_is_ended(here: Workstation):
    journal.record("process", name="tilt", group=7)
    journal.record("process")
    assert texts(here) == ["end tilt (pid 7)", "end a process (pid None)"]


@pytest.fixture
def gone(here: Workstation, monkeypatch: pytest.MonkeyPatch) -> Workstation:
    """A workstation with a session and an intercept, whose API server is gone: `status` hangs, and so would `quit`."""
    problem = Problem("the API server does not answer", "no VPN", "check the VPN")
    monkeypatch.setattr(api_server, "cause", lambda s, file="": problem)
    here.failing = {"status": api_server.unreachable(problem, name="telepresence status")}
    here.daemons = [DAEMON]
    fakes.recorded(monkeypatch, "session", kubeconfig=str(base.frozen_kubeconfig(here.settings)))
    return here


def test_without_the_api_server_the_daemons_are_ended_and_what_may_be_held_is_named(
    gone: Workstation, monkeypatch: pytest.MonkeyPatch
):
    gone.session = HERE
    entry = fakes.intercept(monkeypatch, gone, "www")
    with pytest.raises(Trouble) as failed:
        down()
    assert gone.did == ["kill 4711"]
    assert journal.entries() == [entry]
    assert failed.value.problem == Problem(
        "not everything was undone: www may still be held: the API server does not answer",
        "no VPN",
        "check the VPN; then inv down",
    )


def test_a_root_daemon_that_cannot_be_ended_is_named_again_by_the_next_down(gone: Workstation):
    left = Trouble("Telepresence's daemon still runs (pid 4711)", fix="sudo kill 4711")
    gone.failing["kill 4711"] = left
    for _ in range(2):
        with pytest.raises(Trouble) as failed:
            down()
        assert failed.value.what == f"not everything was undone: {left.what}"
        assert failed.value.fix == left.fix
        assert len(journal.entries("session")) == 1
    del gone.failing["kill 4711"]
    down()
    assert journal.entries() == []


def test_releases_are_not_listed_without_the_api_server(gone: Workstation):
    fakes.freeze(gone.settings)
    gone.failing["releases"] = ToolError("asked")
    with pytest.raises(Trouble) as failed:
        down(tilt=True)
    assert failed.value.what == "not everything was undone: helm list: the API server does not answer"
