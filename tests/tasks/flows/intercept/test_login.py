"""How long the login is still valid, with az and the kubeconfig replaced."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from tasks.core import ui
from tasks.core.errors import Problem, TimedOut, ToolError, Trouble
from tasks.flows.intercept import login
from tasks.tools import api_server, az, kubeconfig
from tests.made import settings
from tests.world import until

asked: list[float | None] = []


THROUGH_AZ = kubeconfig.Plugin("kubelogin", ("get-token", "--login", "azurecli"))
OTHERS = {
    "no plugin": None,
    "int128": kubeconfig.Plugin("kubelogin", ("get-token", "--oidc-issuer-url=https://issuer")),
    "devicecode": kubeconfig.Plugin("kubelogin", ("get-token", "--login", "devicecode")),
}


def set_plugin(monkeypatch: pytest.MonkeyPatch, plugin: kubeconfig.Plugin | None) -> None:
    context = SimpleNamespace(plugin=plugin)
    monkeypatch.setattr(kubeconfig, "load", lambda files: SimpleNamespace(context=lambda name: context))


def validity(
    monkeypatch: pytest.MonkeyPatch, seconds: float | Trouble, *, plugin: kubeconfig.Plugin | None = THROUGH_AZ
) -> str:
    def expiry(s: object, timeout: float | None = None) -> float:
        asked.append(timeout)
        if isinstance(seconds, Trouble):
            raise seconds
        return time.time() + seconds

    set_plugin(monkeypatch, plugin)
    monkeypatch.setattr(az, "token_expiry", expiry)
    return login.validity(settings())


@pytest.mark.parametrize(("seconds", "line"), [(3610, "is good for 60 min"), (299, "expires in 299 s")])
def test_the_validity_is_told_in_minutes_and_soon_in_seconds(
    monkeypatch: pytest.MonkeyPatch, seconds: float, line: str
):
    assert line in validity(monkeypatch, seconds)


@pytest.mark.parametrize("plugin", OTHERS)
def test_without_a_login_through_az_nothing_is_asked(monkeypatch: pytest.MonkeyPatch, plugin: str):
    assert validity(monkeypatch, Trouble("asked"), plugin=OTHERS[plugin]) == ""


@pytest.mark.parametrize(
    ("why", "fix", "expected"),
    [
        ("revoked", "ask", ("revoked", "ask")),
        ("", "", ("an open session goes on without one, but a new intercept fails", "inv aks.login")),
    ],
)
def test_a_login_without_a_token_is_the_cause(
    monkeypatch: pytest.MonkeyPatch, why: str, fix: str, expected: tuple[str, str]
):
    with pytest.raises(Trouble) as failed:
        validity(monkeypatch, ToolError("az: expired", why=why, fix=fix))
    assert failed.value.problem == Problem("the Azure login gives no token for the cluster: az: expired", *expected)


def test_waiting_for_az_is_shown(monkeypatch: pytest.MonkeyPatch):
    said: list[str] = []
    set_plugin(monkeypatch, THROUGH_AZ)
    monkeypatch.setattr(login, "_SAID_AFTER", 0.01)
    monkeypatch.setattr(ui, "talk", said.append)
    monkeypatch.setattr(az, "token_expiry", lambda s, timeout: until(lambda: said) and time.time() + 3610)
    assert "is good for 60 min" in login.validity(settings())
    assert said == ["   no token for the cluster yet: waiting for az"]


def test_az_is_not_waited_for_when_the_api_server_cannot_be_reached(monkeypatch: pytest.MonkeyPatch):
    """az waits for the same network; the guard, which asks at the same time, names the cause."""
    asked.clear()
    gone = Problem("the API server does not answer")
    monkeypatch.setattr(api_server, "problem", lambda s, file="": gone)
    monkeypatch.setattr(api_server, "cause", lambda s, file="": gone)
    assert validity(monkeypatch, TimedOut("az: no answer in 1 s")) == ""
    assert asked
    assert all(limit is not None and limit <= 2 for limit in asked)
    with pytest.raises(Trouble, match="AADSTS70043"):
        validity(monkeypatch, az.LoginNeeded("AADSTS70043"))
