"""The expiry of the cluster's token, as the suite asks for it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tasks.core.errors import TimedOut
from tasks.core.process.tool import Command, Done
from tasks.tools import az, credentials
from tests.made import settings
from tests.tasks.tools.credential_helper.conftest import World


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record the names of the programs that are started from now on."""
    names: list[str] = []
    call = Command.call

    def counting(self: Command, **how: Any) -> Done:
        names.append(self.tool.name.rpartition("/")[2])
        return call(self, **how)

    monkeypatch.setattr(Command, "call", counting)
    return names


def test_the_expiry_of_a_kept_token_needs_no_program(world: World, monkeypatch: pytest.MonkeyPatch):
    names = counted(monkeypatch)
    assert credentials.expiry(settings()) == pytest.approx(time.time() + 3600, abs=60)
    assert (names, world.calls) == (["credential-helper"], 1)
    assert credentials.expiry(settings()) == pytest.approx(time.time() + 3600, abs=60)
    assert (names, world.calls) == (["credential-helper"], 1)


def test_without_an_answer_the_fix_names_az_and_not_the_helper(world: World, monkeypatch: pytest.MonkeyPatch):
    def call(self: Command, **how: Any) -> Done:
        raise TimedOut(f"{self.name}: no answer in 4 s", fix=f"see whether `{self.name}` answers by hand")

    monkeypatch.setattr(Command, "call", call)
    with pytest.raises(TimedOut) as hung:
        credentials.expiry(settings())
    assert hung.value.what == "kubelogin get-token: no answer in 4 s"
    assert "`az account get-access-token` answers by hand" in hung.value.fix
    assert "credential-helper" not in hung.value.fix


@pytest.mark.parametrize("change", ["login", "life"])
def test_a_token_that_the_helper_would_not_serve_is_asked_for(
    world: World, monkeypatch: pytest.MonkeyPatch, change: str
):
    if change == "life":
        world.says("short", lives=100)
    credentials.expiry(settings())
    names = counted(monkeypatch)
    if change == "login":
        world.logged_in("berta")
    credentials.expiry(settings())
    assert names == ["credential-helper"]


def test_a_refusal_of_entra_is_taken_from_what_kubelogin_quotes(world: World, monkeypatch: pytest.MonkeyPatch):
    (world.folder / "exit").write_text("1")
    (world.folder / "stderr").write_text(
        "Error: failed to get token: AzureCLICredential: ERROR: AADSTS70043: The refresh token has expired. Trace ID: 1\n"
        "Run the command below to authenticate interactively; additional arguments may be added as needed:\naz logout\n"
    )
    names = counted(monkeypatch)
    with pytest.raises(az.LoginNeeded) as refused:
        credentials.expiry(settings())
    assert refused.value.aadsts == "70043"
    assert refused.value.what == (
        "Entra refuses the token: az account get-access-token: AADSTS70043: The refresh token has expired."
    )
    assert refused.value.fix == "inv aks.login"
    assert names == ["credential-helper"]
