"""Is the session the one of the settings, and what would a switch lose? Asked without any program."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tasks.core.config.settings import settings
from tasks.core.errors import Refused
from tasks.flows.session import connect, daemons
from tasks.flows.session.connect import Look
from tasks.tools import kubeconfig, telepresence
from tasks.tools.telepresence import Session
from tests.made import settings as made


def test_who_would_lose_intercepts_by_a_switch_is_told_a_command_that_does_it(monkeypatch: pytest.MonkeyPatch):
    """Not every task that connects has a flag for it: `inv intercept --yes` answers another question."""
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
    """What the suite makes of this session, with no daemon of its own on this machine."""
    monkeypatch.setattr(telepresence, "status", lambda s: session)
    monkeypatch.setattr(daemons, "ours", lambda s: [])
    monkeypatch.setattr(kubeconfig, "server_of", lambda s, path: SERVER)
    return connect.look(made(**changed))


def test_a_session_to_the_place_of_the_settings_is_here(monkeypatch: pytest.MonkeyPatch):
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
def test_a_session_to_another_place_says_what_differs(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, object], why: str
):
    now = seen(monkeypatch, replace(HERE, **changed))  # type: ignore[arg-type]
    assert (now.here, now.why) == (False, why)


def test_a_session_that_maps_fewer_namespaces_than_the_settings_is_another_one(monkeypatch: pytest.MonkeyPatch):
    now = seen(monkeypatch, HERE, cluster__mapped_namespaces="team, shop")
    assert now.why == "mapped namespaces are team, not shop, team"


def test_the_order_of_mapped_namespaces_and_the_spelling_of_the_server_do_not_count(monkeypatch: pytest.MonkeyPatch):
    session = replace(HERE, mapped_namespaces=("shop", "team"), server="https://dev.example/")
    assert seen(monkeypatch, session, cluster__mapped_namespaces="team, shop").here


def test_what_the_session_does_not_tell_is_not_held_against_it(monkeypatch: pytest.MonkeyPatch):
    silent = replace(HERE, context="", server="", manager_namespace="", mapped_namespaces=())
    assert seen(monkeypatch, silent).here
