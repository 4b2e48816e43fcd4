"""Is the session the one of the settings, and what would a switch lose? No program runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.core.config.settings import Settings, settings
from tasks.core.errors import Problem, Refused, ToolError
from tasks.core.plan.change import Change
from tasks.core.process.processes import Process
from tasks.core.state import journal
from tasks.flows.session import connect, daemons, tunnel
from tasks.flows.session.connect import Look
from tasks.tools import kubeconfig, kubectl, telepresence
from tasks.tools.telepresence import Session
from tests.made import settings as made


def test_a_switch_that_would_lose_intercepts_is_refused_with_the_command_that_does_it(monkeypatch: pytest.MonkeyPatch):
    """Not every task that connects has a flag for that: `--yes` of `inv intercept` means the env file."""
    elsewhere = Session(running=True, sessions=1, root=True, intercepts=(("web", "ada@box"),))
    monkeypatch.setattr(kubeconfig, "freeze", lambda s: None)
    monkeypatch.setattr(connect, "look", lambda s: Look(elsewhere, False, "connected to the context other"))
    with pytest.raises(Refused) as refused:
        list(connect.connect_changes(settings()))
    assert "web" in refused.value.what
    assert "inv tp.connect --yes" in refused.value.fix


SERVER = "https://dev.example:443"
HERE = Session(
    running=True,
    state="Connected",
    server=SERVER,
    context="dev",
    namespace="team",
    manager_namespace="ambassador",
    mapped_namespaces=("team",),
    root=True,
    sessions=1,
)


def seen(monkeypatch: pytest.MonkeyPatch, session: Session, **changed: str) -> Look:
    """Look at this session, without any daemon on this machine."""
    monkeypatch.setattr(telepresence, "status", lambda s: session)
    monkeypatch.setattr(daemons, "ours", lambda s: [])
    monkeypatch.setattr(kubeconfig, "server_of", lambda s, path: SERVER)
    return connect.look(made(**changed))


def test_a_session_to_the_target_of_the_settings_is_here(monkeypatch: pytest.MonkeyPatch):
    assert seen(monkeypatch, HERE) == Look(HERE, True)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"context": "other"}, "connected to the context other, not dev"),
        ({"namespace": "other"}, "connected to the namespace other, not team"),
        ({"server": "https://other"}, f"connected to the server https://other, not {SERVER}"),
        ({"manager_namespace": "other"}, "connected through the manager in other, not ambassador"),
        ({"mapped_namespaces": ("team", "shop")}, "mapped namespaces are team, shop, not team"),
        ({"mapped_namespaces": ("shop",)}, "mapped namespaces are shop, not team"),
    ],
)
def test_a_session_to_another_target_says_what_differs(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, object], why: str
):
    now = seen(monkeypatch, replace(HERE, **changed))  # type: ignore[arg-type]
    assert (now.here, now.why) == (False, why)


def test_a_session_that_maps_fewer_namespaces_than_the_settings_is_not_here(monkeypatch: pytest.MonkeyPatch):
    now = seen(monkeypatch, HERE, cluster__mapped_namespaces="team, shop")
    assert now.why == "mapped namespaces are team, not shop, team"


def test_the_order_of_mapped_namespaces_and_the_spelling_of_the_server_do_not_matter(monkeypatch: pytest.MonkeyPatch):
    session = replace(HERE, mapped_namespaces=("shop", "team"), server="https://dev.example/")
    assert seen(monkeypatch, session, cluster__mapped_namespaces="team, shop").here


def test_what_status_omits_is_not_compared(monkeypatch: pytest.MonkeyPatch):
    silent = replace(HERE, context="", server="", manager_namespace="", mapped_namespaces=())
    assert seen(monkeypatch, silent).here


def change(run: Callable[[], object]) -> Change[object]:
    return Change("connect", ("telepresence", "connect"), run)


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The session's kubeconfig is as it should be."""
    monkeypatch.setattr(kubeconfig, "freeze", lambda s: None)


def connecting(monkeypatch: pytest.MonkeyPatch, *failures: ToolError) -> list[str]:
    """Let `connect` fail so, one after the other, and then connect. Returns what was done."""
    did: list[str] = []
    left = list(failures)

    def run() -> None:
        did.append("connect")
        if left:
            raise left.pop(0)

    def now(s: Settings) -> Session:
        return Session() if left or "connect" not in did else HERE

    monkeypatch.setattr(telepresence, "connect", lambda s: change(run))
    monkeypatch.setattr(telepresence, "quit", lambda s: change(lambda: did.append("quit")))
    monkeypatch.setattr(telepresence, "status", now)
    monkeypatch.setattr(kubeconfig, "server_of", lambda s, path: SERVER)
    monkeypatch.setattr(kubectl, "get", lambda s, kinds: [])
    monkeypatch.setattr(daemons, "everything", lambda s: [])
    monkeypatch.setattr(connect, "_KILLED_DAEMON_IS_KNOWN", 0.0)
    return did


KILLED = telepresence.DaemonNotRunning("telepresence connect: user daemon is not running")
BUSY = telepresence.RootDaemonBusy("telepresence connect: root daemon is reconnecting")


@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize(
    ("failures", "expected"),
    [
        ([KILLED], ["connect", "connect"]),
        ([BUSY], ["connect", "quit", "connect"]),
        ([BUSY, BUSY], ["connect", "quit", "connect", "quit", "connect"]),
    ],
)
def test_a_connect_that_meets_daemons_of_an_earlier_session_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, failures: list[ToolError], expected: list[str]
):
    did = connecting(monkeypatch, *failures)
    assert connect.ensure(made(), guarded=True) > 0
    assert did == expected


@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize(
    ("failure", "tries"), [(ToolError("telepresence connect: traffic manager not found"), 1), (BUSY, 3), (KILLED, 3)]
)
def test_a_connect_that_fails_again_and_again_ends(monkeypatch: pytest.MonkeyPatch, failure: ToolError, tries: int):
    did = connecting(monkeypatch, *[failure] * 9)
    with pytest.raises(ToolError, match=failure.what):
        connect.ensure(made(), guarded=True)
    assert did.count("connect") == tries


@pytest.mark.usefixtures("frozen")
@pytest.mark.parametrize(
    "moment", [Session(running=True, sessions=1, state="connecting"), replace(HERE, namespace="", context="")]
)
def test_a_session_that_another_command_opens_is_waited_for(monkeypatch: pytest.MonkeyPatch, moment: Session):
    """Two commands at once from no session. For a moment 2.31 says `Connected` without a namespace."""
    did = connecting(monkeypatch)
    answers = [moment, moment, HERE]
    monkeypatch.setattr(telepresence, "status", lambda s: answers.pop(0) if len(answers) > 1 else answers[0])
    monkeypatch.setattr(connect, "_CONNECTING", 0.01)
    assert connect.look(made()).why == "connecting: another command opens the session now"
    assert connect.ensure(made(), guarded=True) == 0
    assert did == []


DOUBT = Problem("you are root in a container", fix="run as an ordinary user")


ORPHAN = Process(4711, 1.0, ("telepresence", "userd"))


@pytest.mark.parametrize(("orphans", "fix"), [((ORPHAN,), "run as an ordinary user"), ((), "inv tp.quit, then")])
def test_a_connect_that_did_not_connect_names_the_fix(
    monkeypatch: pytest.MonkeyPatch, orphans: tuple[Process, ...], fix: str
):
    """A daemon that runs without an answer is what 2.31 does as root in a container."""
    monkeypatch.setattr(telepresence, "connect", lambda s: change(lambda: None))
    monkeypatch.setattr(connect, "look", lambda s: Look(Session(), False, "not connected", orphans))
    monkeypatch.setattr(daemons, "everything", lambda s: [])
    monkeypatch.setattr(tunnel, "hosts", lambda s: [])
    monkeypatch.setattr(tunnel, "doubt", lambda: DOUBT if orphans else None)
    with pytest.raises(ToolError) as failed:
        connect._connect_change(made()).run()
    assert failed.value.what == "telepresence connect ended without an error, but: not connected"
    assert failed.value.fix.startswith(fix)
    assert journal.entries("session") == []


def test_a_session_has_one_user_daemon_and_others_are_orphans(monkeypatch: pytest.MonkeyPatch):
    older = Process(1, 1.0, ("telepresence", "userd"))
    newer = Process(2, 2.0, ("telepresence", "userd"))
    root = Process(3, 3.0, ("telepresence", "rootd"))
    monkeypatch.setattr(telepresence, "status", lambda s: HERE)
    monkeypatch.setattr(kubeconfig, "server_of", lambda s, path: SERVER)
    monkeypatch.setattr(daemons, "ours", lambda s: [newer, older, root])
    assert connect.look(made()) == Look(HERE, True, "", (older,), daemon=newer)
    monkeypatch.setattr(daemons, "ours", lambda s: [newer, root])
    assert connect.look(made()) == Look(HERE, True, daemon=newer)


def test_a_daemon_that_status_does_not_know_is_unresponsive(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(telepresence, "status", lambda s: Session())
    monkeypatch.setattr(kubeconfig, "server_of", lambda s, path: SERVER)
    monkeypatch.setattr(daemons, "ours", lambda s: [ORPHAN])
    now = connect.look(made())
    assert (now.here, now.unresponsive, now.orphans) == (False, True, (ORPHAN,))
    monkeypatch.setattr(daemons, "ours", lambda s: [])
    assert not connect.look(made()).unresponsive


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A user's kubeconfig with the server DEV, and an API server that names what it was asked about."""
    asked: list[str] = []

    def namespace_labels(s: Settings, namespace: str, *, kubeconfig: str) -> dict[str, str]:
        asked.append(server_now(s))
        return {}

    monkeypatch.setattr(kubectl, "namespace_labels", namespace_labels)
    monkeypatch.setattr(telepresence, "status", lambda s: Session())
    monkeypatch.setattr(daemons, "ours", lambda s: [])
    use(SERVER)
    return asked


def server_now(s: Settings) -> str:
    return kubeconfig.server_of(s)


def use(server: str) -> None:
    """Let the context of the user's kubeconfig point to this server."""
    path = Path.home() / ".kube/config"
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        f"clusters: [{{name: c, cluster: {{server: '{server}'}}}}]\n"
        "contexts: [{name: dev, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {}}]\n"
    )


LIVE = "https://live.example"


def test_a_context_that_changed_after_the_guard_looked_is_not_connected_to(
    monkeypatch: pytest.MonkeyPatch, cluster: list[str]
):
    s = made(guard__production__servers="live.example")
    monkeypatch.setattr(telepresence, "connect", lambda s: change(lambda: pytest.fail("connected")))
    connect.allowed(s, dry=False)
    use(LIVE)
    with pytest.raises(Refused, match=r"the API server 'https://live\.example' is production"):
        connect.ensure(s, guarded=True)
    assert cluster == [SERVER]


def test_what_changed_is_assessed_before_the_connect(monkeypatch: pytest.MonkeyPatch, cluster: list[str]):
    s, other = made(), "https://dev2.example"
    connected: list[str] = []
    monkeypatch.setattr(telepresence, "connect", lambda s: change(lambda: connected.append(server_now(s))))
    monkeypatch.setattr(connect, "_must_be_here", lambda now: now)
    connect.allowed(s, dry=False)
    use(other)
    connect.ensure(s, guarded=True)
    assert (cluster, connected) == ([SERVER, other], [other])


def test_a_kubeconfig_that_changes_during_the_connect_ends_the_session_again(
    monkeypatch: pytest.MonkeyPatch, cluster: list[str]
):
    s = made(guard__production__servers="live.example")
    started: list[Process] = []
    ended: list[Process] = []

    def run() -> None:
        started.append(ORPHAN)
        use(LIVE)
        freeze = kubeconfig.freeze(s)  # another run, in another terminal
        assert freeze is not None
        freeze.run()

    monkeypatch.setattr(telepresence, "connect", lambda s: change(run))
    monkeypatch.setattr(connect, "_must_be_here", lambda now: now)
    monkeypatch.setattr(daemons, "everything", lambda s: list(started))
    monkeypatch.setattr(daemons, "end", lambda found, that: change(lambda: ended.extend(found)))
    with pytest.raises(Refused, match="is production"):
        connect.ensure(s)
    assert ended == [ORPHAN]
    assert journal.entries("session") == []
