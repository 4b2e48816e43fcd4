"""The inner loop from end to end: requests through the sandbox's ingress, answered by a process that one command started."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from sandbox import control
from sandbox.control import VERSIONS, Box
from tasks.core import ports
from tasks.core.process import processes
from tests.world import HOST, WWW, inv, request, started, until, writes

pytestmark = pytest.mark.slow

PORT = str(ports.free())  # not the catalogue's: another run on this machine may hold that
SERVE = [sys.executable, "-m", "http.server", PORT, "--bind", "127.0.0.1"]
INTERCEPT = ("intercept", WWW, "--port", PORT)
SLOT = {"REMOTE_DEV_TELEPRESENCE__SLOT": "ada"}


@pytest.fixture(scope="module", params=VERSIONS)
def box(request: pytest.FixtureRequest) -> Iterator[Box]:
    box = control.up(telepresence=request.param)
    done = inv(box, "setup", env={"REMOTE_DEV_TELEPRESENCE__VERSION": request.param})
    assert done.returncode == 0, done.stdout + done.stderr
    yield box
    control.down(box)


@pytest.fixture(scope="module")
def newest() -> Iterator[Box]:
    box = control.up()
    done = inv(box, "setup")
    assert done.returncode == 0, done.stdout + done.stderr
    yield box
    control.down(box)


def local(box: Box) -> bool:
    return bool(request(box)["answered_by"] == "local")


def baseline(box: Box) -> bool:
    return bool(request(box)["answered_by"] == "baseline")


def held(box: Box, env: Mapping[str, str] | None = None) -> list[str]:
    session = json.loads(inv(box, "tp.status", "--json", env=env).stdout)["session"]
    return [i["name"] for i in session["intercepts"]]


def test_a_request_through_the_ingress_reaches_the_process_and_later_the_baseline(box: Box):
    assert baseline(box)
    with started(box, *INTERCEPT, "--", *SERVE) as run:
        assert until(lambda: local(box)), run.said
        assert run.end(signal.SIGINT) in {0, 130}, run.said
        assert "ACTIVE after" in run.said
        assert "a request through the ingress arrived here" in run.said
    assert until(lambda: baseline(box))
    assert held(box) == []


@pytest.mark.parametrize(("command", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137)])
def test_the_exit_code_is_that_of_the_command_and_the_intercept_is_left(newest: Box, command: str, code: int):
    done = inv(newest, *INTERCEPT, "--", "sh", "-c", command)
    assert done.returncode == code, done.stdout + done.stderr
    assert held(newest) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_process_and_leaves(newest: Box, number: signal.Signals):
    with started(newest, *INTERCEPT, "--", *SERVE) as run:
        assert until(lambda: local(newest)), run.said
        run.end(number)
    assert held(newest) == []
    assert ports.owner(int(PORT)) is None


def test_a_signal_while_it_is_being_made_leaves_nothing_behind(newest: Box):
    for wait in (0.3, 0.6, 0.9, 1.2):
        with started(newest, *INTERCEPT, "--", *SERVE) as run:
            until(lambda: False, wait)
            run.end(signal.SIGTERM)
        assert held(newest) == [], wait


def test_the_process_runs_with_the_pods_environment_byte_for_byte(newest: Box, tmp_path: Path):
    show = f"import json, os; json.dump({{k.decode(): v.hex() for k, v in os.environb.items()}}, open({str(tmp_path / 'env')!r}, 'w'))"
    done = inv(newest, *INTERCEPT, "--env-file", str(tmp_path / "pod.json"), "--", sys.executable, "-c", show)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / "pod.json").exists()
    arrived = {k: bytes.fromhex(v) for k, v in json.loads((tmp_path / "env").read_text()).items()}
    assert arrived["APP_GREETING"].decode().startswith("h")
    assert b"\n" in arrived["APP_MULTILINE"]
    assert arrived["NODE_ENV"] == b"development"
    assert arrived["KUBECONFIG"].endswith(b"/kubeconfig")
    assert arrived["HOME"].decode() == newest.env["HOME"]


def test_after_kill_9_status_names_the_orphan_and_down_leaves_it_and_nothing_else(newest: Box):
    colleague = control.as_user(newest, "colleague")
    assert inv(newest, "setup", env=colleague).returncode == 0
    other = inv(newest, "intercept", "www-ameide", "--port", str(ports.free()), "--no-run", env=colleague)
    assert other.returncode == 0, other.stdout + other.stderr
    with started(newest, *INTERCEPT, "--", *SERVE) as run:
        assert until(lambda: local(newest)), run.said
        run.end(signal.SIGKILL)
    seen = inv(newest, "status")
    assert "left behind" in seen.stdout
    assert WWW in seen.stdout
    down = inv(newest, "down")
    assert down.returncode == 0, down.stdout + down.stderr
    assert until(lambda: baseline(newest))
    assert ports.owner(int(PORT)) is None
    assert held(newest, env=colleague) == ["www-ameide"]
    assert inv(newest, "down").stdout == "nothing to undo\n"
    assert inv(newest, "down", env=colleague).returncode == 0
    assert inv(newest, "setup").returncode == 0


def test_after_kill_9_the_next_intercept_of_the_service_ends_its_own_orphan_and_goes_on(newest: Box):
    with started(newest, *INTERCEPT, "--", *SERVE) as run:
        assert until(lambda: local(newest)), run.said
        orphan = ports.owner(int(PORT))
        run.end(signal.SIGKILL)
    assert ports.owner(int(PORT)) == orphan
    other = inv(newest, "intercept", "www-ameide", "--port", PORT, "--", "true")
    assert other.returncode == 1
    assert f"left behind by a killed run of {WWW}" in other.stderr
    assert f"fix: inv leave {WWW}" in other.stderr
    with started(newest, *INTERCEPT, "--", *SERVE) as run:
        assert until(lambda: "was answered by your process" in run.said, 40), run.said
        assert f"leaving {WWW}, left behind by a killed run" in run.said
        assert ports.owner(int(PORT)) != orphan
        run.end(signal.SIGINT)
    assert held(newest) == []
    assert ports.owner(int(PORT)) is None


def test_a_conflict_names_the_colleague_and_exits_3_even_where_the_version_does_not(box: Box):
    colleague = control.as_user(box, "colleague")
    assert inv(box, "setup", env=colleague).returncode == 0
    made = inv(box, *INTERCEPT, "--no-run", env=colleague)
    assert made.returncode == 0, made.stdout + made.stderr
    refused = inv(box, *INTERCEPT, "--", "true")
    assert refused.returncode == 3, refused.stdout + refused.stderr
    assert "held by colleague@" in refused.stderr
    can_filter = "personal" in inv(box, *INTERCEPT, "--dry-run", "--json", "--", "true", env=SLOT).stdout
    assert ("set telepresence.slot for yours" in refused.stderr) == can_filter
    assert "all traffic, started" in refused.stderr
    assert "colleague@" in inv(box, "tp.who").stdout
    assert held(box, env=colleague) == [WWW]
    assert inv(box, "leave", env=colleague).returncode == 0
    assert "colleague@" not in inv(box, "tp.who").stdout


def test_two_developers_with_slots_each_get_their_own_requests(newest: Box):
    mine = {"REMOTE_DEV_TELEPRESENCE__SLOT": "ada"}
    theirs = {**control.as_user(newest, "colleague"), "REMOTE_DEV_TELEPRESENCE__SLOT": "bob"}
    assert inv(newest, "setup", env=theirs).returncode == 0
    second = str(ports.free())
    other = [sys.executable, "-m", "http.server", second, "--bind", "127.0.0.1"]
    with (
        started(newest, *INTERCEPT, "--", *SERVE, env=mine) as ada,
        started(newest, "intercept", WWW, "--port", second, "--", *other, env=theirs) as bob,
    ):
        assert until(lambda: request(newest, X_Ameide_Agent="ada")["answered_by"] == "local"), ada.said
        assert until(lambda: request(newest, X_Ameide_Agent="bob")["answered_by"] == "local"), bob.said
        assert request(newest)["answered_by"] == "baseline"
        assert "X-Ameide-Agent: ada" in ada.said
        ada.end(signal.SIGINT)
        assert until(lambda: request(newest, X_Ameide_Agent="ada")["answered_by"] == "baseline")
        assert request(newest, X_Ameide_Agent="bob")["answered_by"] == "local"
        bob.end(signal.SIGINT)


def test_another_current_context_changes_nothing_and_every_child_has_the_frozen_kubeconfig(newest: Box):
    env = newest.environment()
    subprocess.run(
        ["kubectl", "config", "set-context", "elsewhere", "--cluster=x"], env=env, check=True, capture_output=True
    )
    subprocess.run(["kubectl", "config", "use-context", "elsewhere"], env=env, check=True, capture_output=True)
    before = len(newest.calls())
    done = inv(newest, *INTERCEPT, "--", "true")
    assert done.returncode == 0, done.stdout + done.stderr
    used = {c["kubeconfig"] for c in newest.calls()[before:]}
    assert len(used) == 1
    (frozen,) = used
    assert os.stat(frozen).st_mode & 0o777 == 0o600
    assert frozen.startswith(newest.env["REMOTE_DEV_STATE"])


def test_with_no_run_the_intercept_stays_until_leave_and_json_describes_it(newest: Box):
    made = inv(newest, *INTERCEPT, "--no-run", "--json")
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout)
    assert (told["service"], told["mode"], told["local_port"], told["remote_port"]) == (WWW, "all", int(PORT), "http")
    assert set(told["seconds"]) >= {"connect", "intercept", "total"}
    assert held(newest) == [WWW]
    assert inv(newest, "leave", WWW).returncode == 0
    assert held(newest) == []


def test_a_dry_run_writes_nothing(newest: Box):
    before = len(newest.calls())
    done = inv(newest, *INTERCEPT, "--dry-run", "--", "true")
    assert done.returncode == 0, done.stderr
    assert "telepresence intercept" in done.stdout
    assert not [c for c in newest.calls()[before:] if c["writes"]]


def test_the_hint_how_to_get_only_ones_own_requests_works(box: Box):
    can = "personal" in inv(box, *INTERCEPT, "--dry-run", "--json", "--", "true", env=SLOT).stdout
    for words, env, hint in (
        (("--everyone",), SLOT, f"only your requests: inv intercept {WWW} --personal"),
        ((), {}, "only your requests: set telepresence.slot"),
        (("--replace",), {}, ""),
    ):
        made = inv(box, *INTERCEPT, *words, "--no-run", env=env)
        assert made.returncode == 0, made.stderr
        assert inv(box, "leave", env=env).returncode == 0
        assert ("only your requests" in made.stdout, hint in made.stdout) == (bool(can and hint), bool(can or not hint))


def test_a_port_in_use_is_reported_with_its_owner_before_anything_is_asked(newest: Box):
    server = subprocess.Popen(SERVE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert until(lambda: ports.owner(int(PORT)))
        before = len(newest.calls())
        done = inv(newest, *INTERCEPT, "--", "true")
        assert done.returncode == 1
        assert f"pid {server.pid}" in done.stderr
        assert len(newest.calls()) == before
    finally:
        server.kill()
        server.wait()


def test_verify_distinguishes_local_and_baseline(newest: Box):
    def verified() -> tuple[int, str]:
        asked = inv(newest, "tp.verify", WWW, "--json")
        return asked.returncode, json.loads(asked.stdout)["answered_by"]

    # The catalogue's port is the machine's: what another test serves there for a moment makes the answer `unknown`.
    assert until(lambda: verified() == (1, "baseline"), 30), verified()
    with started(newest, *INTERCEPT, "--", *SERVE) as run:
        assert until(lambda: local(newest)), run.said
        asked = inv(newest, "tp.verify", WWW, "--json")
        assert (asked.returncode, json.loads(asked.stdout)["answered_by"]) == (0, "local"), asked.stdout
        assert HOST in json.loads(asked.stdout)["url"]
        run.end(signal.SIGINT)


def test_verify_names_the_colleague_whose_process_answers(box: Box):
    def verified(env: Mapping[str, str] | None = None) -> tuple[str, str]:
        found = json.loads(inv(box, "tp.verify", WWW, "--json", env=env).stdout)
        return found["answered_by"], found["client"]

    colleague = control.as_user(box, "colleague")
    assert inv(box, "setup", env=colleague).returncode == 0
    second = str(ports.free())
    serve = [sys.executable, "-m", "http.server", second, "--bind", "127.0.0.1"]
    with started(box, "intercept", WWW, "--port", second, "--", *serve, env=colleague) as run:
        assert until(lambda: "was answered by your process" in run.said, 40), run.said
        # The notice, which names the colleague, is written beside the first requests.
        assert until(lambda: [word.partition("@")[0] for word in verified()] == ["colleague", "colleague"], 40)
        assert "the process of colleague@" in inv(box, "tp.verify", WWW).stdout
        run.end(signal.SIGINT)
    # Only the workstation whose intercept installed the agent, here or in a test before, knows why it is there.
    assert until(lambda: ("baseline", "") in {verified(), verified(colleague)}, 60)


def test_verify_does_not_call_a_colleague_without_a_notice_the_baseline():
    box = control.up()
    try:
        assert inv(box, "setup").returncode == 0
        colleague = control.as_user(box, "colleague")
        assert inv(box, "setup", env=colleague).returncode == 0
        second = str(ports.free())
        server = subprocess.Popen(
            [sys.executable, "-m", "http.server", second, "--bind", "127.0.0.1"], stderr=subprocess.DEVNULL
        )
        try:
            done = subprocess.run(
                ["telepresence", "intercept", WWW, "--port", f"{second}:http", "--mount=false"],
                env={**box.environment(), **colleague}, capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            assert until(lambda: local(box))
            found = json.loads(inv(box, "tp.verify", WWW, "--json").stdout)
            assert (found["answered_by"], "no notice" in found["error"]) == ("unknown", True), found
        finally:
            server.kill()
            server.wait()
    finally:
        control.down(box)


def test_after_a_killed_daemon_the_session_is_reconnected(newest: Box):
    daemons = [
        p for p in processes.running() if re.search(r"telepresence (userd|connector-foreground)", " ".join(p.argv))
    ]
    for daemon in daemons:
        environ = Path(f"/proc/{daemon.pid}/environ")
        if os.access(environ, os.R_OK) and newest.env["REMOTE_DEV_STATE"] in environ.read_text(errors="replace"):
            os.kill(daemon.pid, signal.SIGKILL)
    done = inv(newest, *INTERCEPT, "--", "true")
    assert done.returncode == 0, done.stdout + done.stderr
    assert held(newest) == []


PRODUCTION = [
    {"REMOTE_DEV_CLUSTER__CONTEXT": "ameide-prod"},
    {"REMOTE_DEV_CLUSTER__NAMESPACE": "ameide-prod"},
]


@pytest.mark.parametrize("more", PRODUCTION, ids=["context", "namespace"])
@pytest.mark.parametrize("words", [("setup",), ("tp.connect",), ("intercept", WWW), ("down",)], ids=lambda w: w[0])
def test_production_is_refused_and_nothing_is_written(newest: Box, more: dict[str, str], words: tuple[str, ...]):
    before = len(writes(newest))
    done = inv(newest, *words, env=more)
    assert done.returncode == 3, done.stdout + done.stderr
    assert "production" in done.stderr
    assert len(writes(newest)) == before


def test_an_unknown_remote_port_falls_back_to_the_services_only_port(newest: Box):
    there = ports.free()
    done = inv(newest, "intercept", WWW, "--port", f"{there}:3000", "--no-run", "--json")
    assert done.returncode == 0, done.stderr
    assert "has no port 3000" in done.stderr
    told = json.loads(done.stdout)
    assert (told["local_port"], told["proof"]["answered_by"]) == (there, "local")
    assert inv(newest, "leave").returncode == 0


def test_a_replaced_container_is_restored_too(box: Box):
    done = inv(box, "intercept", WWW, "--replace", "--port", PORT, "--", "true")
    assert done.returncode == 0, done.stdout + done.stderr
    assert held(box) == []
