"""`inv tilt.status` and `inv tilt.down`: running Tilts, resources and releases. No program runs."""

from __future__ import annotations

import getpass
import json
import socket

import pytest

from tasks.core.errors import Blocked, Problem, Refused, ToolError, Trouble
from tasks.core.process import processes
from tasks.core.state import journal
from tasks.flows import session
from tasks.flows.tilt import cli, orphans, ownership, removal, status
from tasks.tools import base, helm, tilt
from tasks.tools.helm import Release
from tasks.tools.tilt import TILTFILE, NotRunning, Resource
from tests.tasks.flows import fakes
from tests.tasks.flows.fakes import Workstation

WWW, GRAPH, PLATFORM = "apps-www-ameide-tilt", "apps-graph-tilt", "apps-platform-tilt"
READY = Resource(WWW, ready=True, update="ok", runtime="ok", pid=0)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Workstation:
    """A place with two releases of the catalogue, one of them ours, and a baseline's. No Tilt runs."""
    workstation = fakes.workstation(monkeypatch, telepresence__slot="ada")
    releases = [
        Release(WWW, "deployed", 3, mine=True),
        Release(GRAPH, "failed", 1),
        Release("www-ameide", "deployed", 9),
    ]

    def listed(s: object, holder: str) -> list[Release]:
        assert holder == "ada"
        workstation.ask("releases")
        return releases

    def resources(s: object, port: int) -> list[Resource]:
        raise NotRunning(f"no Tilt answers at port {port}")

    monkeypatch.setattr(helm, "releases", listed)
    monkeypatch.setattr(helm, "holder_of", lambda s, name: f"holder-of-{name}")
    monkeypatch.setattr(helm, "uninstall", lambda s, name: workstation.change(f"uninstall {name}", destroys=name))
    monkeypatch.setattr(tilt, "resources", resources)
    fakes.freeze(workstation.settings)
    return workstation


def document(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    cli.status(json=True)
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_releases_of_the_catalogue_are_shown_with_their_owner(here: Workstation, capsys: pytest.CaptureFixture[str]):
    assert document(capsys) == {
        "schema": 1,
        "tilt": [],
        "resources": [],
        "releases": [
            {"release": WWW, "service": "www-ameide", "status": "deployed", "revision": 3, "holder": "ada", "mine": True},
            {"release": GRAPH, "service": "graph", "status": "failed", "revision": 1, "holder": f"holder-of-{GRAPH}",
             "mine": False},
        ],
        "note": "", "fix": "",
    }  # fmt: skip


@pytest.mark.parametrize(("recorded", "mine"), [(f"holder-of-{GRAPH}", True), ("ada", False), ("", False)])
def test_a_release_is_mine_by_the_holder_that_the_journal_recorded_although_the_slot_has_changed(
    here: Workstation, recorded: str, mine: bool
):
    """A colleague may have deployed a release of the same name after ours was removed."""
    journal.record("release", release=GRAPH, service="graph", context="dev", namespace="team", holder=recorded)
    journal.record("release", release=WWW, service="www-ameide", context="dev", namespace="other")
    releases = status.look(here.settings).releases or []
    assert [(release.release, release.mine) for release in releases] == [(WWW, True), (GRAPH, mine)]
    assert (GRAPH in "".join(change.text for change in removal.changes(here.settings) if change.command)) is mine


@pytest.mark.parametrize("error", ["", "no chart"])
def test_a_tilt_of_somebody_elses_terminal_is_found_at_the_port_of_the_settings(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: str
):
    asked: list[int] = []

    def resources(s: object, port: int) -> list[Resource]:
        asked.append(port)
        return [Resource(TILTFILE, error=error), READY]

    monkeypatch.setattr(tilt, "resources", resources)
    found = document(capsys)
    assert asked == [10350]
    assert found["tilt"] == [{"port": 10350, "pid": None, "page": "http://localhost:10350/", "tiltfile": error or "ok"}]
    assert found["resources"] == [
        {"port": 10350, "name": WWW, "ready": True, "update": "ok", "runtime": "ok", "enabled": True, "waits": False,
         "waiting": "", "error": "", "pid": 0, "pod": "", "pod_status": "", "pod_message": ""}
    ]  # fmt: skip


def test_each_living_tilt_of_the_journal_is_asked_at_its_port(here: Workstation, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(processes, "started", lambda pid: float(pid))
    monkeypatch.setattr(tilt, "resources", lambda s, port: [READY])
    journal.record("process", name="tilt", group=7, start=7.0, port=10360)
    journal.record("process", name="tilt", group=8, start=8.0)
    journal.record("process", name="tilt", group=9, start=1.0, port=10370)
    found = status.look(here.settings)
    assert [(each.port, each.pid, each.page) for each in found.tilts] == [
        (10360, 7, "http://localhost:10360/"),
        (10350, 8, "http://localhost:10350/"),
    ]
    assert found.resources == [(10360, READY), (10350, READY)]


def test_releases_that_cannot_be_looked_at_fail_with_cause_and_fix(
    here: Workstation, capsys: pytest.CaptureFixture[str]
):
    here.failing = {"releases": ToolError("helm list: refused", why="the cluster is off", fix="inv aks.start")}
    with pytest.raises(SystemExit) as ended:
        cli.status(json=False)
    assert ended.value.code == 1
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "releases: unknown (helm list: refused (the cluster is off))",
        "  fix: inv aks.start",
    ]
    with pytest.raises(SystemExit):
        document(capsys)
    found = json.loads(capsys.readouterr().out)
    assert (found["releases"], found["fix"]) == (None, "inv aks.start")


def test_without_a_session_kubeconfig_helm_is_not_asked(monkeypatch: pytest.MonkeyPatch, here: Workstation):
    base.frozen_kubeconfig(here.settings).unlink()
    here.failing = {"releases": ToolError("asked")}
    found = status.look(here.settings)
    assert found.releases is None
    assert found.problem is not None
    assert found.problem.fix == "inv setup"


def test_status_for_people_names_the_tilt_the_resources_and_the_releases(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    cli.status(json=False)
    assert capsys.readouterr().out.splitlines() == [
        "Tilt is not running here; start it with inv tilt.up",
        "  release               status                held by",
        f"  {WWW}  deployed  revision 3  yours",
        f"  {GRAPH}       failed    revision 1  holder-of-{GRAPH}",
    ]
    switched_off = Resource("uncategorized", enabled=False)
    monkeypatch.setattr(
        tilt, "resources", lambda s, port: [READY, Resource(GRAPH, waiting="on www", error="boom"), switched_off]
    )
    monkeypatch.setattr(helm, "releases", lambda s, holder: [])
    cli.status(json=False)
    assert capsys.readouterr().out.splitlines() == [
        "Tilt is running (http://localhost:10350/); Tiltfile: ok",
        "  resource              ready  update  runtime",
        f"  {WWW}  yes    ok      ok",
        f"  {GRAPH}       no                      boom",
        "no release of Tilt in the namespace",
    ]


def test_down_removes_only_what_is_ours_and_forgets_it(here: Workstation, capsys: pytest.CaptureFixture[str]):
    journal.record("release", release=WWW, service="www-ameide", context="dev", namespace="team")
    gone = journal.record("release", release=PLATFORM, service="platform", context="dev", namespace="team")
    cli.down([], dry=True, json=False)
    assert here.did == ["assess"]
    assert len(journal.entries("release")) == 2
    assert f"would uninstall {WWW}" in capsys.readouterr().out
    cli.down([], dry=False, json=True)
    assert here.did == ["assess", "assess", f"uninstall {WWW}"]
    assert journal.entries("release") == []
    changes = json.loads(capsys.readouterr().out)["changes"]
    assert [change["destroys"] for change in changes] == ["", WWW]
    assert gone.data["release"] in changes[0]["text"]
    assert changes[1] == {"text": f"uninstall {WWW}", "command": f"uninstall {WWW}", "destroys": WWW}


def test_down_of_nothing_says_so(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(helm, "releases", lambda s, holder: [])
    cli.down([], dry=False, json=False)
    assert capsys.readouterr().out == "no release of yours to remove\n"
    cli.down([], dry=False, json=True)
    assert json.loads(capsys.readouterr().out) == {"schema": 1, "changes": []}


def test_down_goes_on_after_a_failure_and_raises_it_at_the_end(here: Workstation, capsys: pytest.CaptureFixture[str]):
    failure = ToolError("helm uninstall: timed out", why="a finalizer")
    here.failing = {f"uninstall {WWW}": failure}
    journal.record("release", release=WWW, service="www-ameide", context="dev", namespace="team")
    journal.record("release", release="apps-agents-tilt", service="agents", context="dev", namespace="team")
    with pytest.raises(Trouble) as failed:
        cli.down([], dry=False, json=False)
    assert failed.value.problem == Problem(
        "not everything was removed: helm uninstall: timed out", "a finalizer", "run this again"
    )
    assert [entry.data["release"] for entry in journal.entries("release")] == [WWW]
    said = capsys.readouterr()
    assert failure.text() in said.err
    assert "no release of yours" not in said.out


def test_down_of_production_is_refused_before_anything_is_asked(here: Workstation):
    here.failing = {"assess": Refused("production"), "releases": ToolError("asked")}
    with pytest.raises(Refused):
        cli.down([], dry=False, json=False)
    assert here.did == []


def test_tilts_are_ended_only_when_no_service_is_named(here: Workstation, monkeypatch: pytest.MonkeyPatch):
    stopped: list[str] = []
    monkeypatch.setattr(orphans, "stop", lambda entry: stopped.append(entry.id))
    monkeypatch.setattr(processes, "started", lambda pid: 7.0 if pid == 7 else 0.0)
    living = journal.record("process", name="tilt", group=7, start=7.0)
    killed = journal.record("process", name="tilt", group=8, start=8.0)
    assert [change.text for change in removal.changes(here.settings, [WWW])] == [f"uninstall {WWW}"]
    first, second, *others = removal.changes(here.settings)
    assert (first.text, first.equivalent) == ("end Tilt (pid 7)", ("kill", "7"))
    assert (second.text, second.command) == ("end what a killed Tilt left behind", "")
    assert [change.text for change in others] == [f"uninstall {WWW}"]
    first.run()
    second.run()
    assert stopped == [living.id, killed.id]


def test_a_dry_run_of_down_needs_the_session_kubeconfig(here: Workstation, monkeypatch: pytest.MonkeyPatch):
    asked: list[bool] = []

    def prepare(s: object, *, dry: bool) -> None:
        asked.append(dry)
        raise Blocked("does not exist yet")

    monkeypatch.setattr(session, "prepare", prepare)
    for dry in (True, False):
        with pytest.raises(Blocked):
            cli.down([], dry=dry, json=False)
    assert asked == [True, False]


def test_a_release_of_somebody_else_is_refused_with_the_name_of_its_owner(here: Workstation):
    with pytest.raises(Refused) as refused:
        ownership.must_be_free_or_mine(here.settings, Release(GRAPH, "deployed", 1))
    assert f"holder-of-{GRAPH}" in refused.value.what
    assert f"inv tilt.down --only {GRAPH}" in refused.value.fix
    with pytest.raises(Trouble) as stuck:
        ownership.must_be_free_or_mine(here.settings, Release(WWW, "pending-upgrade", 1, mine=True))
    assert stuck.value.fix.startswith(f"inv tilt.down --only {WWW}")
    assert stuck.value.code == 1
    ownership.must_be_free_or_mine(here.settings, Release(WWW, "deployed", 1, mine=True))
    ownership.must_be_free_or_mine(here.settings, None)


def test_an_owner_that_cannot_be_read_is_unknown(here: Workstation, monkeypatch: pytest.MonkeyPatch):
    def denied(s: object, name: str) -> str:
        raise ToolError("secrets is forbidden")

    monkeypatch.setattr(helm, "holder_of", denied)
    assert ownership.owner_of(here.settings, GRAPH) == ""
    with pytest.raises(Refused) as refused:
        ownership.must_be_free_or_mine(here.settings, Release(GRAPH, "deployed", 1))
    assert refused.value.fix.startswith("ask the team")


@pytest.mark.parametrize(
    ("user", "host", "owner"),
    [("ada", "box", "ada.box"), ("ada x", "box-", "ada-x.box"), ("a" * 70, "b", "a" * 63)],
)
def test_without_a_slot_the_owner_is_user_and_host_as_a_label(
    monkeypatch: pytest.MonkeyPatch, user: str, host: str, owner: str
):
    s = fakes.workstation(monkeypatch).settings
    monkeypatch.setattr(getpass, "getuser", lambda: user)
    monkeypatch.setattr(socket, "gethostname", lambda: host)
    assert ownership.owner(s) == owner


def test_a_user_without_an_entry_in_passwd_is_somebody(monkeypatch: pytest.MonkeyPatch):
    def no_entry() -> str:
        raise KeyError("uid")

    s = fakes.workstation(monkeypatch).settings
    monkeypatch.setattr(getpass, "getuser", no_entry)
    monkeypatch.setattr(socket, "gethostname", lambda: "box")
    assert ownership.owner(s) == "somebody.box"
