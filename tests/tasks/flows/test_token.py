"""The cluster's token from login to logout, in a sandbox: how often az is asked, and where the token is not."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import control
from sandbox.control import Box
from sandbox.protocol.call import LOGIN_VARIABLE
from tasks.core import ports
from tests.world import WWW, inv, switch_on, until

pytestmark = pytest.mark.slow
PORT = str(ports.free())


@pytest.fixture
def box() -> Iterator[Box]:
    box = control.up()
    yield box
    control.down(box)


def asked(box: Box) -> int:
    """Return how often az was asked for a token."""
    return sum(call["argv"][:2] == ["account", "get-access-token"] for call in box.calls())


def ok(box: Box, *words: str) -> str:
    done = inv(box, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def kubeconfig(box: Box) -> Path:
    return next((box.path / "state" / "sessions").glob("*/kubeconfig"))


def run(box: Box, *argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    whole = {**box.environment(), "KUBECONFIG": str(kubeconfig(box)), **env}
    return subprocess.run(argv, env=whole, capture_output=True, text=True, timeout=60, check=False)


def kubectl(box: Box) -> subprocess.CompletedProcess[str]:
    return run(box, "kubectl", "get", "pods")


def tokens(box: Box) -> set[str]:
    """Return the tokens that are kept now."""
    found = set()
    for entry in (kubeconfig(box).parent / "credentials").iterdir():
        parts = entry.read_bytes().split(b"\0")
        if len(entry.name) == 64:
            found.add(json.loads(next(part for part in parts if part.startswith(b"{")))["status"]["token"])
    return found


def test_az_is_asked_at_most_twice_in_setup_once_in_a_connect_and_never_in_an_intercept(box: Box):
    ok(box, "setup", "--skip", "packages")
    assert asked(box) <= 2
    before = asked(box)
    ok(box, "intercept", WWW, "--no-run", "--port", PORT)
    ok(box, "leave", WWW)
    ok(box, "setup", "--skip", "packages")
    assert asked(box) == before
    ok(box, "tp.quit")
    ok(box, "tp.connect")
    assert asked(box) <= before + 1
    assert kubectl(box).returncode == 0
    assert asked(box) <= before + 1


def test_after_a_logout_the_next_kubectl_names_the_command_that_logs_in(box: Box):
    ok(box, "setup", "--skip", "packages")
    assert run(box, "az", "logout").returncode == 0
    done = kubectl(box)
    assert done.returncode == 1
    assert "fix: inv aks.login" in done.stderr


def test_after_another_login_the_next_kubectl_has_its_token(box: Box):
    ok(box, "setup", "--skip", "packages")
    first = tokens(box)
    assert run(box, "az", "login", "--use-device-code", **{LOGIN_VARIABLE: "colleague"}).returncode == 0
    before = asked(box)
    who = run(box, "kubectl", "auth", "whoami", "-o", "json")
    assert "colleague" in who.stdout, who.stderr
    assert asked(box) == before + 1
    assert not first & tokens(box)


def test_a_token_that_the_api_server_refuses_is_replaced(box: Box):
    ok(box, "setup", "--skip", "packages")
    assert kubectl(box).returncode == 0
    before = asked(box)
    for token in tokens(box):
        control.revoke(box, token)
    assert kubectl(box).returncode == 1  # client-go asks again, and the request has failed
    assert asked(box) == before + 1


def test_an_intercept_without_a_token_to_be_had_names_cause_and_fix(box: Box):
    ok(box, "setup", "--skip", "packages")
    (box.path / "home" / ".azure" / "clouds.config").write_text("[AzureCloud]\nsubscription = x\n")
    switch_on(box, "login-70043")
    done = inv(box, "intercept", WWW, "--no-run", "--port", PORT)
    assert done.returncode == 1
    assert "AADSTS70043" in done.stderr
    assert "inv aks.login" in done.stderr


def test_no_token_is_anywhere_but_in_az_and_in_the_kept_entry(box: Box):
    ok(box, "setup", "--skip", "packages")
    said = [ok(box, "intercept", WWW, "--no-run", "--port", PORT, "--json"), ok(box, "status", "--json")]
    held = tokens(box)
    assert held
    switch_on(box, "login-70043")
    ok(box, "leave", WWW)
    said += [inv(box, word).stderr for word in ("tp.status", "tp.connect", "tp.verify", "timing")]
    secret = [token.encode() for token in held]
    places = [box.path / "state", box.path / "home"]
    files = [path for place in places for path in place.rglob("*") if path.is_file()]
    found = {path.parent.name for path in files if any(word in path.read_bytes() for word in secret)}
    assert found <= {".azure", "credentials"}
    assert not any(token in text for token in held for text in said)
    assert not any(token in json.dumps(call["argv"]) for token in held for call in box.calls())


def test_a_dry_run_keeps_no_token(box: Box):
    inv(box, "setup", "--dry-run")
    assert not list((box.path / "state").rglob("credentials"))


def test_down_and_quit_delete_what_is_kept(box: Box):
    ok(box, "setup", "--skip", "packages")
    for words in (("tp.quit",), ("down",)):
        assert kubectl(box).returncode == 0
        assert until(lambda: tokens(box))
        ok(box, *words)
        assert not list((box.path / "state").rglob("credentials/" + "?" * 64))
