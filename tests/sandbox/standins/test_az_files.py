"""Which files the stand-in for az touches, and how: as the real az 2.91.0 was seen to do."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import random
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from sandbox.protocol.call import LOGIN_VARIABLE, Call
from sandbox.standins.az import token_cache
from tests.sandbox.workstation import SERVER_ID, Workstation

TOKEN = ("account", "get-access-token", "--resource", SERVER_ID, "-o", "json")
ARM_TOKEN = ("account", "get-access-token", "-o", "json")
PROFILE, CLOUDS, CACHE, HTTP = "azureProfile.json", "clouds.config", "msal_token_cache.json", "msal_http_cache.bin"


@pytest.fixture
def workstation(tmp_path: Path) -> Workstation:
    return Workstation(tmp_path)


def folder(workstation: Workstation) -> Path:
    return workstation.home / ".azure"


def states(workstation: Workstation) -> dict[str, tuple[int, ...]]:
    """Inode, size and times of every file of az."""
    found = {path.name: path.stat() for path in folder(workstation).iterdir()}
    return {name: (s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for name, s in found.items()}


def cache(workstation: Workstation) -> dict[str, Any]:
    return dict(json.loads((folder(workstation) / CACHE).read_text()))


def upn(answer: str) -> str:
    """The account that a token names."""
    body = json.loads(answer)["accessToken"].split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["upn"])


@pytest.mark.parametrize(
    ("before", "argv", "touched"),
    [
        ([], ("account", "show"), set()),
        ([], ("account", "list"), set()),
        ([], ARM_TOKEN, set()),
        ([], TOKEN, {CACHE}),
        ([TOKEN], TOKEN, set()),
        ([], ("account", "set", "--subscription", "SUBSCRIPTION"), {PROFILE, CLOUDS}),
        ([TOKEN], ("login", "--use-device-code"), {PROFILE, CLOUDS, CACHE}),
        ([], ("logout",), {PROFILE, CACHE, HTTP}),
        ([], ("account", "clear"), {PROFILE, CACHE}),
    ],
)
def test_a_command_touches_the_files_that_the_real_one_does(
    workstation: Workstation, before: list[tuple[str, ...]], argv: tuple[str, ...], touched: set[str]
):
    workstation.login()
    for command in before:
        workstation.az(*command)
    argv = tuple(workstation.places.subscription if word == "SUBSCRIPTION" else word for word in argv)
    first = states(workstation)
    assert workstation.az(*argv).exit == 0
    second = states(workstation)
    changed = {name for name in first.keys() | second.keys() if first.get(name) != second.get(name)}
    assert changed == touched | {"telemetry.txt"}
    assert all(first[name][0] == second[name][0] for name in first.keys() & second.keys()), "a file was replaced"


def test_after_a_logout_the_files_have_the_real_ones_sizes(workstation: Workstation):
    workstation.login().az("logout")
    assert (folder(workstation) / PROFILE).stat().st_size == 82
    assert (folder(workstation) / CACHE).stat().st_size == 363


def test_account_clear_removes_the_token_cache_and_needs_no_login(workstation: Workstation):
    workstation.login().az("account", "clear")
    assert not (folder(workstation) / CACHE).exists()
    assert (folder(workstation) / PROFILE).stat().st_size == 82
    assert workstation.az("account", "clear").exit == 0
    workstation.login()
    assert (folder(workstation) / CACHE).stat().st_mode & 0o777 == 0o600


def test_telemetry_that_is_off_changes_nothing(workstation: Workstation):
    workstation.login()
    first = states(workstation)
    workstation.az("account", "show", AZURE_CORE_COLLECT_TELEMETRY="false")
    assert states(workstation) == first


@pytest.mark.parametrize(("left", "renewed"), [(299, True), (330, False)])
def test_a_token_with_less_than_five_minutes_is_renewed(workstation: Workstation, left: int, renewed: bool):
    workstation.login().az(*TOKEN)
    content = cache(workstation)
    for entry in content["AccessToken"].values():
        entry["expires_on"] = str(int(time.time()) + left)
    (folder(workstation) / CACHE).write_text(json.dumps(content))
    refresh = [entry["secret"] for entry in content["RefreshToken"].values()]
    known = {entry["secret"] for entry in content["AccessToken"].values()}
    token = json.loads(workstation.az(*TOKEN).out)["accessToken"]
    assert (token not in known) is renewed
    assert ([e["secret"] for e in cache(workstation)["RefreshToken"].values()] != refresh) is renewed


def test_a_renewed_refresh_token_is_still_of_the_new_login(workstation: Workstation):
    """A fault affects the logins before it, not a login while it is on, however often its token is replaced."""
    workstation.login().set_fault("login-70043")
    workstation.az("login", "--use-device-code")
    for resource in ("one", "two"):
        assert workstation.az("account", "get-access-token", "--resource", resource).exit == 0


def test_a_second_call_waits_for_the_lock_of_the_token_cache(workstation: Workstation, monkeypatch: pytest.MonkeyPatch):
    workstation.login()
    path = folder(workstation) / f"{CACHE}.lockfile"
    done: list[int] = []
    waits, pause = threading.Event(), threading.Event()

    def wait(call: Call, seconds: float) -> None:
        waits.set()
        pause.wait(seconds)

    monkeypatch.setattr(workstation.world, "wait", wait)
    monkeypatch.setattr(token_cache, "_LOCK_WAIT", 60.0)
    with open(path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert workstation.az(*ARM_TOKEN).exit == 0  # a token that the cache has needs no lock
        thread = threading.Thread(target=lambda: done.append(workstation.az(*TOKEN).exit))
        before = (folder(workstation) / CACHE).stat().st_mtime_ns
        thread.start()
        assert waits.wait(60)
        assert not done
        assert (folder(workstation) / CACHE).stat().st_mtime_ns == before
        os.unlink(path)
    thread.join(60)
    assert done == [0]
    assert not path.exists()


def test_a_lock_file_that_a_killed_call_left_delays_only(workstation: Workstation, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(token_cache, "_LOCK_WAIT", 0.1)
    workstation.login()
    (folder(workstation) / f"{CACHE}.lockfile").write_text("1 az")
    assert workstation.az(*TOKEN).exit == 0
    assert not (folder(workstation) / f"{CACHE}.lockfile").exists()


class TestAccounts:
    """Several people may log in at one workstation, one after the other."""

    def log_in(self, workstation: Workstation, key: str) -> None:
        assert workstation.az("login", "--use-device-code", **{LOGIN_VARIABLE: key}).exit == 0

    def test_the_last_login_owns_the_subscription_that_both_have(self, workstation: Workstation):
        for key in ("developer", "colleague"):
            self.log_in(workstation, key)
            assert upn(workstation.az(*TOKEN).out) == f"{key}@example.com"
        assert len(cache(workstation)["Account"]) == 2

    def test_account_set_switches_between_them(self, workstation: Workstation):
        self.log_in(workstation, "colleague")
        self.log_in(workstation, "developer")
        for subscription, key in (
            ("colleague's own", "colleague"),
            (workstation.places.subscription, "developer"),
        ):
            assert workstation.az("account", "set", "--subscription", subscription).exit == 0
            assert upn(workstation.az(*TOKEN).out) == f"{key}@example.com"

    def test_a_logout_of_one_leaves_the_other(self, workstation: Workstation):
        self.log_in(workstation, "colleague")
        self.log_in(workstation, "developer")
        assert workstation.az("logout", "--username", "developer@example.com").exit == 0
        (account,) = cache(workstation)["Account"].values()
        assert account["username"] == "colleague@example.com"
        assert workstation.az("account", "set", "--subscription", "colleague's own").exit == 0
        assert upn(workstation.az(*TOKEN).out) == "colleague@example.com"

    def test_random_orders_never_give_a_token_of_another_account(self, workstation: Workstation):
        """What azureProfile.json names as the account is what a token names."""
        choose = random.Random(10)
        people = ("developer", "colleague")
        for _ in range(300):
            what = choose.choice(("login", "login", "logout", "set", "clear", "removed", "token", "token"))
            if what == "login":
                self.log_in(workstation, choose.choice(people))
            elif what == "logout":
                workstation.az("logout")
            elif what == "set":
                workstation.az(
                    "account", "set", "-s", choose.choice((workstation.places.subscription, "colleague's own"))
                )
            elif what == "clear":
                workstation.az("account", "clear")
            elif what == "removed":
                (folder(workstation) / CACHE).unlink(missing_ok=True)
            shown, done = workstation.az("account", "show"), workstation.az(*TOKEN)
            if done.exit == 0:
                assert upn(done.out) == json.loads(shown.out)["user"]["name"]
            elif what == "login":
                raise AssertionError(done.err)
