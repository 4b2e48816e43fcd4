"""When a kept credential is served, and when az is asked again."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from tasks.tools import credential_helper
from tasks.tools.credential_helper.copied import cached, kept
from tasks.tools.credential_helper.copied.cached import Request
from tests.made import settings
from tests.tasks.tools.credential_helper.conftest import ARGS, CLIENT, World
from tests.world import until


def test_az_is_asked_once_and_everyone_gets_the_same(world: World):
    answers = {world.ask().stdout for _ in range(4)}
    assert len(answers) == 1
    assert world.calls == 1


def test_the_fast_path_loads_nothing_that_takes_time(world: World):
    code = "import sys; sys.path.append(sys.argv[1]); import credential_helper.main; print(*sys.modules)"
    argv = [sys.executable, "-I", "-S", "-c", code, str(world.command.parent)]
    loaded = set(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split())
    assert "credential_helper.cached" in loaded
    assert not loaded & {"_hashlib", "credential_helper.ask", "datetime", "fcntl", "json", "re", "signal", "subprocess"}


def test_the_answer_is_the_plugins_but_for_an_earlier_expiry(world: World):
    said = (world.folder / "answer").read_text()
    given = world.ask().stdout
    written, handed_out = (json.loads(text)["status"]["expirationTimestamp"] for text in (said, given))
    assert given.replace(handed_out, written) == said
    assert (datetime.fromisoformat(written) - datetime.fromisoformat(handed_out)).total_seconds() == 60


CHANGES: dict[str, Callable[[World], object]] = {
    "a logout": lambda w: (w.azure / "azureProfile.json").write_text("{}"),
    "account set": lambda w: (w.azure / "azureProfile.json").write_text((w.azure / "azureProfile.json").read_text()),
    "another cloud": lambda w: (w.azure / "clouds.config").write_text("[AzureChina]"),
    "a removed token cache": lambda w: (w.azure / "msal_token_cache.json").unlink(),
    "an emptied token cache": lambda w: (w.azure / "msal_token_cache.json").write_text("{}"),
    "another account's token cache": lambda w: w.renews("bert"),
    "a second account": lambda w: w.renews("anna", "bert"),
    "a token cache in another file": lambda w: _replaced(w.azure / "msal_token_cache.json"),
    "a login with a service principal": lambda w: (w.azure / "service_principal_entries.json").write_text("[]"),
    "inv aks.login, inv tp.quit, inv down": lambda w: credential_helper.forget(settings()),
    "a truncated entry": lambda w: w.entry.write_bytes(w.entry.read_bytes()[:-20]),
    "an empty entry": lambda w: w.entry.write_bytes(b""),
    "an entry that others can read": lambda w: w.entry.chmod(0o644),
    "an entry behind a link": lambda w: _linked(w.entry),
    "a folder in its place": lambda w: _made_a_folder(w.entry),
    "a folder that others can enter": lambda w: w.entries.chmod(0o755),
}


def _replaced(path: Path) -> None:
    copy = path.with_name("copy")
    copy.write_text(path.read_text())
    copy.replace(path)


def _made_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _linked(path: Path) -> None:
    elsewhere = path.with_name("elsewhere")
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


@pytest.mark.parametrize("change", CHANGES)
def test_az_is_asked_again_after(world: World, change: str):
    assert world.token() == "first"
    CHANGES[change](world)
    world.says("second")
    assert world.token() == "second"
    assert world.calls == 2


VARIABLES = {
    "AZURE_CONFIG_DIR": "/nowhere", "AZURE_AUTHORITY_HOST": "https://login.example", "AAD_SERVICE_PRINCIPAL_CLIENT_ID": "x",
    "ARM_CLIENT_ID": "y", "HTTPS_PROXY": "http://proxy:1", "no_proxy": "*", "SESSION_API_SERVER": "https://other",
    "IDENTITY_ENDPOINT": "http://127.0.0.1:41", "IMDS_ENDPOINT": "http://127.0.0.1:42", "MSI_ENDPOINT": "http://127.0.0.1:43",
    "ACC_CLOUD": "PROD",
}  # fmt: skip


@pytest.mark.parametrize("name", VARIABLES)
def test_another_value_of_a_variable_is_another_question(world: World, name: str):
    assert world.token() == "first"
    world.says("second")
    assert world.token(env={name: VARIABLES[name]}) == ("second" if name != "SESSION_API_SERVER" else "first")
    world.says("third")
    assert world.token() == ("first" if name != "SESSION_API_SERVER" else "third")


def test_another_program_on_path_or_other_arguments_are_another_question(world: World, tmp_path: Path):
    world.token()
    other = tmp_path / "other"
    other.mkdir()
    (other / "az").write_text("#!/bin/sh\n")
    (other / "az").chmod(0o755)
    world.says("second")
    assert world.token(env={"PATH": f"{other}:{os.environ['PATH']}"}) == "second"
    assert world.token("kubelogin", *ARGS[:-1], "another-server") == "second"


def test_a_renewed_token_of_the_same_login_changes_nothing(world: World):
    assert world.token() == "first"
    world.renews("anna")
    world.says("second")
    assert [world.token(), world.token()] == ["first", "first"]
    assert world.calls == 1


def test_what_az_writes_while_it_is_asked_is_part_of_the_answer(world: World):
    cache = world.azure / "msal_token_cache.json"
    (world.folder / "during").write_text(f"printf ' ' >> {cache}\n")
    assert [world.token(), world.token()] == ["first", "first"]
    assert world.calls == 1


@pytest.mark.parametrize("file", ["azureProfile.json", "clouds.config"])
def test_an_answer_is_not_kept_when_the_login_changed_meanwhile(world: World, file: str):
    (world.folder / "during").write_text(f"printf ' ' >> {world.azure / file}\n")
    world.token()
    (world.folder / "during").unlink()
    world.says("second")
    assert world.token() == "second"


@pytest.mark.parametrize(
    ("fraction", "age", "settled"), [(0, 1.5, False), (0, 2.5, True), (0.5, 0.01, False), (0.5, 0.1, True)]
)
def test_no_answer_is_kept_while_another_login_could_have_the_same_times(
    world: World, monkeypatch: pytest.MonkeyPatch, fraction: float, age: float, settled: bool
):
    """With time stamps of whole seconds, two `az account set` within one second leave equal size and times."""
    written = int(time.time()) - 60 + fraction
    for path in world.azure.iterdir():
        os.utime(path, (written, written))
    request = Request(str(world.entries), ["kubelogin", *ARGS], dict(os.environ))
    monkeypatch.setattr(time, "time", lambda: written + age)
    assert bool(kept.settled_state(request)[0]) == settled


def test_nothing_is_kept_for_a_workstation_without_a_profile(world: World):
    (world.azure / "azureProfile.json").unlink()
    assert [world.token(), world.token()] == ["first", "first"]
    assert world.calls == 2


@pytest.mark.parametrize(
    ("words", "env"),
    [
        (("kubelogin", "get-token", "--login", "spn"), {}),
        (("kubelogin", "get-token", "--login", "azurecli", "--pop-enabled"), {}),
        (("kubelogin", "get-token", "--login", "azurecli", "--pop-enabled=true"), {}),
        (("kubelogin", *ARGS), {"AAD_LOGIN_METHOD": "spn"}),
    ],
)
def test_a_plugin_that_does_not_ask_az_is_started_as_it_is(world: World, words: tuple[str, ...], env: dict[str, str]):
    said = (world.folder / "answer").read_text()
    assert [world.ask(*words, env=env).stdout for _ in range(2)] == [said, said]
    assert world.calls == 2


def test_the_token_of_an_az_of_windows_is_not_kept(world: World):
    request = Request(str(world.entries), ["kubelogin", *ARGS], dict(os.environ))
    assert cached.through_az(request)
    request.az = "/mnt/c/Program Files/Microsoft SDKs/Azure/CLI2/wbin/az"
    assert not cached.through_az(request)


def test_an_answer_without_an_expiry_is_handed_on_and_not_kept(world: World):
    for said in (
        '{"status": {"token": "x"}}',
        '{"status": {"expirationTimestamp": "2099-01-01T00:00:00Z"}}',
        "not JSON",
    ):
        (world.folder / "answer").write_text(said)
        assert world.ask().stdout == said
    assert world.calls == 3


@pytest.mark.parametrize(("ahead", "asked"), [(3600, 2), (-3600, 2), (5, 1)])
def test_a_clock_that_jumped_ends_an_entry(world: World, ahead: int, asked: int):
    """The entry is changed instead of the clock: it then says that it was fetched under a clock that differs."""
    world.token()
    fields = world.entry.read_bytes().split(b"\0")
    fields[7] = str(float(fields[7]) - ahead).encode()
    world.entry.write_bytes(b"\0".join(fields))
    world.token()
    assert world.calls == asked


class TestLife:
    def test_one_with_less_than_a_minute_is_not_served(self, world: World):
        world.says("old", lives=90)
        world.token()
        fields = world.entry.read_bytes().split(b"\0")
        fields[8] = str(time.time() + 55).encode()
        world.entry.write_bytes(b"\0".join(fields))
        world.says("new")
        assert world.token() == "new"

    def test_one_with_some_minutes_is_served_and_one_renewal_starts(self, world: World):
        world.says("old", lives=200)
        world.token()
        world.says("new")
        (world.folder / "delay").write_text("0.5")
        processes = [world.start() for _ in range(10)]
        assert {json.loads(p.communicate(timeout=60)[0])["status"]["token"] for p in processes} == {"old"}
        until(lambda: world.token() == "new")
        assert world.calls == 2

    def test_the_renewal_keeps_no_file_of_its_caller_open(self, world: World):
        """Else a `flock` around kubectl lasts until az has answered."""
        world.says("old", lives=200)
        world.token()
        (world.folder / "delay").write_text("30")
        reader, writer = os.pipe()
        argv = [str(world.command), "kubelogin", *ARGS]
        subprocess.run(argv, stdout=subprocess.DEVNULL, pass_fds=(writer,), check=True)
        os.close(writer)
        until(lambda: world.calls == 2)
        assert select.select([reader], [], [], 0)[0] == [reader]
        os.close(reader)
        plugin = int((world.folder / "calls").read_text().split()[-1])
        os.killpg(os.getpgid(plugin), signal.SIGTERM)

    def test_a_renewal_that_fails_is_not_tried_by_every_call(self, world: World):
        world.says("old", lives=200)
        world.token()
        (world.folder / "exit").write_text("1")
        world.token()
        until(lambda: world.calls == 2)
        assert {world.token() for _ in range(5)} == {"old"}
        assert world.calls == 2


class TestRefused:
    def aged(self, world: World, seconds: float) -> None:
        """Let the entry be fetched that long ago."""
        fields = world.entry.read_bytes().split(b"\0")
        fields[6] = str(float(fields[6]) - seconds).encode()
        world.entry.write_bytes(b"\0".join(fields))

    def test_a_client_that_asks_again_is_given_another_token(self, world: World):
        world.token()
        world.says("second")
        assert [world.token(env=CLIENT), world.token(env=CLIENT)] == ["first", "second"]

    def test_it_is_passed_by_once_in_half_a_minute(self, world: World):
        for _ in range(4):
            world.token(env=CLIENT)
        assert world.calls == 2
        for seconds, calls in ((15, 2), (20, 3)):
            self.aged(world, seconds)
            for _ in range(2):
                world.token(env=CLIENT)
            assert world.calls == calls

    def test_the_kept_one_is_given_when_az_gives_none(self, world: World):
        world.token()
        (world.folder / "exit").write_text("1")
        assert [world.token(env=CLIENT), world.token(env=CLIENT)] == ["first", "first"]

    def test_an_ask_that_is_not_client_gos_is_never_taken_for_it(self, world: World):
        """Telepresence's own code runs the plugin too, several times in a row."""
        assert {world.token() for _ in range(4)} == {"first"}
        assert world.calls == 1
