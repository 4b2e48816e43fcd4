"""Whatever happens to the helper, the call succeeds through az or fails in az's own words, and the next call works."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from tests.tasks.tools.credential_helper.conftest import ARGS, CLIENT, World
from tests.world import until

# Runs the helper in this interpreter, with a fault in the functions that it writes with.
DRIVER = """
import errno, os, signal, sys
folder, fault, at = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.path.append(folder)
from credential_helper import main
seen = 0
def faulty(name, real):
    def call(*args, **kwargs):
        global seen
        writes = name != "open" or args[1] & (os.O_WRONLY | os.O_RDWR)
        seen += bool(writes)
        if not writes or (fault == "kill" and seen != at):
            return real(*args, **kwargs)
        if fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "short" and name == "write":
            return real(args[0], args[1][:10])
        if fault == "ENOSPC" and name == "open":
            return real(*args, **kwargs)
        raise OSError(getattr(errno, fault, errno.EIO), "fault")
    return call
for name in ("open", "write", "pwrite", "replace", "utime", "unlink", "ftruncate"):
    setattr(os, name, faulty(name, getattr(os, name)))
if fault == "owner":
    other = os.geteuid() + 1
    os.geteuid = lambda: other
code = main.main(folder + "/credentials", sys.argv[4:])
sys.stdout.flush()
sys.exit(code)
"""


def opened(pid: int) -> set[str]:
    """Return the files that the process has open."""
    found = set()
    with suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                found.add(os.readlink(f"/proc/{pid}/fd/{name}"))
    return found


def wait_for_renewal(world: World) -> None:
    """Wait for the end of a renewal, which holds its lock as long as it runs."""
    with suppress(FileNotFoundError), (world.entries / "renewal").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)


def driven(world: World, fault: str, at: int = 0) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-I", "-S", "-c", DRIVER, str(world.command.parent), fault, str(at), "kubelogin", *ARGS]
    return subprocess.run(argv, env={**os.environ, **CLIENT}, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("lives", [3600, 200], ids=["asked", "served and renewed"])
def test_a_kill_at_any_write_hurts_nobody(world: World, lives: float):
    for at in range(1, 40):
        wait_for_renewal(world)
        for path in world.entries.iterdir():
            path.unlink(missing_ok=True)
        if lives < 300:
            world.says("kept", lives=lives)
            world.token()
        world.says(f"new {at}")
        killed = driven(world, "kill", at)
        assert world.token(env=CLIENT) in {"kept", f"new {at}"}
        if killed.returncode != -signal.SIGKILL:
            break
    else:
        pytest.fail("it writes more often than expected")
    assert at > 3
    world.azure.joinpath("clouds.config").write_text("[Other]")
    world.token()
    until(lambda: not [path for path in world.entries.iterdir() if "." in path.name])


@pytest.mark.parametrize("fault", ["ENOSPC", "EROFS", "EACCES", "short", "owner"])
def test_where_nothing_can_be_kept_az_answers(world: World, fault: str):
    done = driven(world, fault)
    assert json.loads(done.stdout)["status"]["token"] == "first"
    assert done.stderr == ""
    assert done.returncode == 0
    world.says("second")
    assert world.token() == "second"
    assert world.token() == "second"


@pytest.mark.parametrize("record", ["entry", "served"])
@pytest.mark.parametrize("size", [0, 1 << 40], ids=["named pipe", "huge file"])
def test_a_file_that_cannot_be_read_at_once_is_not_read(world: World, record: str, size: int):
    world.token(env=CLIENT)
    path = world.entry if record == "entry" else world.entries / f"served-{world.entry.name[:16]}"
    if size:
        os.truncate(path, size)
    else:
        path.unlink()
        os.mkfifo(path, 0o600)
    assert world.token(env=CLIENT) == "first"


def test_nothing_is_written_to_a_folder_that_is_not_this_users_alone(world: World):
    """Under `sudo -E` it is the user's: a lock of root there could not be opened by the user afterwards."""
    world.entries.chmod(0o755)
    assert [world.token(env=CLIENT), world.token(env=CLIENT)] == ["first", "first"]
    assert list(world.entries.iterdir()) == []


def test_a_dry_run_keeps_nothing_and_uses_what_is_kept(world: World):
    read = {**CLIENT, "SESSION_CREDENTIAL_CACHE": "read"}
    assert world.token(env=read) == "first"
    assert list(world.entries.iterdir()) == []
    world.token()
    before = {path: path.stat().st_mtime_ns for path in world.entries.iterdir()}
    world.says("second")
    assert world.token(env=read) == "first"
    assert {path: path.stat().st_mtime_ns for path in world.entries.iterdir()} == before


def test_without_its_python_or_with_broken_files_the_plugin_is_started(world: World):
    said = (world.folder / "answer").read_text()
    shim = world.command.read_text()
    world.command.write_text(shim.replace("python=", "python=/nowhere"))
    assert world.ask().stdout == said
    world.command.write_text(shim)
    (world.command.parent / "credential_helper" / "kept.py").write_text("from datetime import nothing")
    done = world.ask()
    assert (done.stdout, done.stderr) == (said, "")
    (world.command.parent / "credential_helper" / "main.py").unlink()
    assert world.ask().stdout == said


class TestFailures:
    @pytest.mark.parametrize(
        ("said", "cause", "fix"),
        [
            ("ERROR: AADSTS70043: The refresh token has expired.\nTrace ID: 1", "sign-in frequency", "inv aks.login"),
            ("ERROR: AADSTS53003: Access has been blocked.", "Conditional Access", "inv aks.login --mode browser"),
            ("ERROR: AADSTS99999: Something new.", "Entra refuses it", "inv aks.login"),
            ("ERROR: Please run 'az login' to setup account.", "nobody is logged in", "inv aks.login"),
        ],
    )
    def test_a_login_that_has_ended_is_named_in_one_line(self, world: World, said: str, cause: str, fix: str):
        (world.folder / "stderr").write_text(f"Error: failed to get token: AzureCLICredential: {said}\n")
        (world.folder / "exit").write_text("3")
        done = world.ask(env=CLIENT)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (3, "", 1)
        assert cause in done.stderr
        assert f"fix: {fix} (" in done.stderr
        assert said.split(".")[0].removeprefix("ERROR: ") in done.stderr

    def test_any_other_failure_has_the_plugins_words(self, world: World):
        words = "Error: failed to get token: unexpected end of JSON input\n"
        (world.folder / "stderr").write_text(words)
        (world.folder / "exit").write_text("1")
        done = world.ask()
        assert (done.returncode, done.stderr) == (1, words)

    def test_a_failure_is_not_kept(self, world: World):
        (world.folder / "exit").write_text("1")
        assert world.ask().returncode == 1
        (world.folder / "exit").unlink()
        assert world.token() == "first"

    def test_a_plugin_that_does_not_exist_is_named_as_kubectl_names_it(self, world: World):
        done = world.ask("kubelogin-none", *ARGS)
        assert done.returncode == 127
        assert "executable kubelogin-none not found" in done.stderr
        assert world.ask("kubelogin-none", "get-token").returncode == 127

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_ends_it_without_a_traceback(self, world: World, number: int):
        (world.folder / "delay").write_text("30")
        process = world.start()
        until(lambda: world.calls == 1)
        os.killpg(process.pid, number)
        _, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (-number, "")

    @pytest.mark.parametrize("kept", [True, False])
    def test_a_client_that_ended_meanwhile_gets_no_traceback_on_its_terminal(self, world: World, kept: bool):
        """As under `timeout 1 kubectl get pods`, when az takes longer."""
        if kept:
            world.token()
        reader, writer = os.pipe()
        os.close(reader)
        argv = [str(world.command), "kubelogin", *ARGS]
        done = subprocess.run(argv, stdout=writer, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
        os.close(writer)
        assert (done.returncode, done.stderr) == (-signal.SIGPIPE, "")


class TestManyAtOnce:
    COUNT = 40

    def ask_all(self, world: World) -> list[subprocess.Popen[str]]:
        processes = [world.start() for _ in range(self.COUNT)]
        for process in processes:
            process.wait(timeout=120)
        return processes

    def tokens(self, world: World) -> set[str]:
        return {json.loads(p.communicate()[0])["status"]["token"] for p in self.ask_all(world)}

    def test_on_a_cold_cache_az_is_asked_once(self, world: World):
        (world.folder / "delay").write_text("1")
        assert self.tokens(world) == {"first"}
        assert world.calls == 1

    def test_on_a_dying_token_az_is_asked_once(self, world: World):
        world.says("old", lives=70)
        world.token()
        fields = world.entry.read_bytes().split(b"\0")
        fields[8] = str(time.time() + 30).encode()
        world.entry.write_bytes(b"\0".join(fields))
        world.says("new")
        (world.folder / "delay").write_text("1")
        assert self.tokens(world) == {"new"}
        assert world.calls == 2

    def failed_together(self, world: World, before_the_end: Callable[[], object]) -> list[str]:
        """Let all wait for one call that then fails. Returns what each said."""
        for name, text in (("exit", "4"), ("stderr", "ERROR: the network is gone\n"), ("hold", "")):
            (world.folder / name).write_text(text)
        first = world.start()
        until(lambda: world.calls == 1)
        others = [world.start() for _ in range(self.COUNT - 1)]
        lock = str(world.entries / "lock")
        assert until(lambda: all(lock in opened(process.pid) for process in others))
        before_the_end()
        (world.folder / "hold").unlink()
        said = [process.communicate(timeout=120)[1] for process in (first, *others)]
        assert {process.returncode for process in (first, *others)} == {4}
        return said

    def test_those_who_waited_for_a_failure_have_it_too(self, world: World):
        said = self.failed_together(world, lambda: None)
        assert set(said) == {"ERROR: the network is gone\n"}
        assert world.calls == 1
        world.ask()
        assert world.calls == 2

    def test_after_another_login_they_ask_for_themselves(self, world: World):
        self.failed_together(world, lambda: world.logged_in("bert"))
        assert world.calls > 1

    def test_a_killed_call_lets_the_next_one_ask(self, world: World):
        (world.folder / "delay").write_text("3")
        first = world.start()
        until(lambda: world.calls == 1)
        others = [world.start() for _ in range(5)]
        first.kill()
        (world.folder / "delay").unlink()
        assert {json.loads(p.communicate(timeout=60)[0])["status"]["token"] for p in others} == {"first"}
        assert world.calls == 2
        first.communicate()


def test_the_expiry_is_printed_without_the_token(world: World):
    done = world.ask("--expires", "kubelogin", *ARGS)
    assert abs(float(done.stdout) - time.time() - 3600) < 60
    assert "first" not in done.stdout + done.stderr
    assert world.token() == "first"
    assert world.calls == 1


def test_what_is_kept_is_private(world: World):
    world.says("planted-token")
    world.token(env=CLIENT)
    files = [path for path in world.command.parent.rglob("*") if path.is_file()]
    assert {oct(path.stat().st_mode & 0o077) for path in files} == {"0o0"}
    assert [p.name for p in files if b"planted-token" in p.read_bytes()] == [world.entry.name]
    assert b"rt " not in world.entry.read_bytes()
