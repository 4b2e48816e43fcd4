"""How often az is asked for a token of the cluster, from the log of the calls."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from sandbox import control
from sandbox.control import Box
from tests.world import WWW, inv

TOKEN = ["account", "get-access-token"]
QUICK = ("--skip", "packages", "--skip", "registry")


@pytest.fixture
def box() -> Iterator[Box]:
    made = control.up()
    yield made
    control.down(made)


def asked(box: Box, *words: str) -> int:
    """Run `inv`, which must succeed; return how often az was asked meanwhile."""
    before = len(box.calls("az"))
    done = inv(box, *words)
    assert done.returncode == 0, done.stderr
    return [call["argv"][:2] for call in box.calls("az")[before:]].count(TOKEN)


def test_az_is_asked_in_the_first_setup_and_not_again_while_the_login_stays(box: Box):
    assert 1 <= asked(box, "setup", *QUICK) <= 2
    assert asked(box, "setup", *QUICK) == 0
    assert asked(box, "tp.connect") == 0
    assert asked(box, "intercept", WWW, "--no-run") == 0
    assert asked(box, "status") == 0


@pytest.mark.parametrize("ends", [("tp.quit",), ("down",)])
def test_az_is_asked_once_by_a_connect_after_the_end_of_a_session(box: Box, ends: tuple[str, ...]):
    asked(box, "setup", *QUICK)
    assert asked(box, *ends) == 0
    assert asked(box, "tp.connect") == 1
    assert asked(box, "intercept", WWW, "--no-run") == 0


def test_az_is_asked_once_by_a_setup_that_finds_the_context_but_no_token(box: Box):
    """The login is tested while the guard looks: both need the token at the same time."""
    asked(box, "setup", *QUICK)
    asked(box, "down")
    assert asked(box, "setup", *QUICK) == 1


def test_az_is_asked_by_each_login_check(box: Box):
    """Where a token that was kept would hide that the login has ended."""
    asked(box, "setup", *QUICK)
    assert asked(box, "aks.login") == 1
    control.fault(box, "login-70043")
    done = inv(box, "aks.login", "--json")
    assert done.returncode == 1
    assert "AADSTS70043" in json.loads(done.stdout)["steps"][0]["why"]


@pytest.mark.parametrize("how", [("--dry-run",), ("--check",)])
def test_a_plan_keeps_no_token(box: Box, how: tuple[str, ...]):
    inv(box, "setup", *QUICK, *how)
    assert not list(box.path.glob("state/sessions/*/credentials/*"))
    asked(box, "setup", *QUICK)
    kept = {path: path.read_bytes() for path in box.path.glob("state/sessions/*/credentials/*")}
    assert kept
    inv(box, "setup", *QUICK, *how)
    inv(box, "aks.login", *how)
    assert {path: path.read_bytes() for path in box.path.glob("state/sessions/*/credentials/*")} == kept
