"""The inner loop when things go wrong: two runs at once, a closed terminal, typing errors, existing files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import control
from sandbox.control import Box
from tasks.core import ports
from tests.terminal import Terminal
from tests.world import ROOT, WWW, inv, program, started, until, writes

pytestmark = pytest.mark.slow

PORT = str(ports.free())
SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    box = control.up()
    done = inv(box, "setup")
    assert done.returncode == 0, done.stdout + done.stderr
    yield box
    control.down(box)


def held(box: Box) -> list[str]:
    return [i["name"] for i in json.loads(inv(box, "tp.status", "--json").stdout)["session"]["intercepts"]]


def test_of_two_runs_on_one_service_one_intercepts_and_the_other_names_its_pid(box: Box):
    for _ in range(3):  # either run may be first
        runs = [
            subprocess.Popen(
                program("intercept", WWW, "--port", str(ports.free()), "--", "sleep", "3"),
                env=box.environment(),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for _ in range(2)
        ]
        said = {run.pid: run.communicate(timeout=60)[0] for run in runs}
        assert sorted(run.returncode for run in runs) == [0, 3], said
        winner, loser = sorted(runs, key=lambda run: run.returncode)
        assert f"you intercept {WWW} already (pid {winner.pid})" in said[loser.pid]
        assert held(box) == []


def test_a_closed_terminal_leaves_the_intercept(box: Box):
    with Terminal(program("intercept", WWW, "--port", PORT, "--", *SLEEP), box.environment()) as terminal:
        terminal.wait_for("-> run")
        terminal.hang_up()
        assert terminal.end() == 129, terminal.text
    assert held(box) == []
    assert not list(Path(box.env["REMOTE_DEV_STATE"], "journal").glob("intercept-*"))


def test_a_process_that_ignores_signals_is_ended_by_leave(box: Box):
    deaf = "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]; print('deaf', flush=True); time.sleep(900)"
    with started(box, "intercept", WWW, "--port", PORT, "--", sys.executable, "-c", deaf) as run:
        assert until(lambda: "deaf" in run.said), run.said
        left = inv(box, "leave", WWW)
        assert left.returncode == 0, left.stderr
        run.process.wait(60)
    assert held(box) == []


def test_with_json_stdout_is_one_document_whatever_the_process_prints(box: Box):
    done = inv(box, "intercept", WWW, "--port", PORT, "--json", "--", "sh", "-c", "echo from the process")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["service"] == WWW
    assert "from the process" in done.stderr


@pytest.mark.parametrize("command", ["no-such-command", "./no-such-command", ""])
def test_a_command_with_a_typing_error_does_not_replace_the_pod(box: Box, command: str):
    before = len(writes(box))
    done = inv(box, "intercept", WWW, "--port", PORT, "--", command)
    assert done.returncode == 1
    assert "was not found" in done.stderr
    assert len(writes(box)) == before


def test_an_existing_env_file_is_neither_overwritten_nor_removed(box: Box, tmp_path: Path):
    mine = tmp_path / ".env"
    mine.write_text("MINE=1\n")
    words = ("intercept", WWW, "--port", PORT, "--env-file", str(mine))
    refused = inv(box, *words, "--", "true")
    assert refused.returncode == 3
    assert "already exists" in refused.stderr
    assert mine.read_text() == "MINE=1\n"
    assert inv(box, *words, "--yes", "--", "true").returncode == 0
    assert not mine.exists()


@pytest.mark.parametrize("place", ["", "missing/folder/x.env"])
def test_an_env_file_that_cannot_be_written_is_reported_before_anything_changes(box: Box, tmp_path: Path, place: str):
    before = len(writes(box))
    done = inv(box, "intercept", WWW, "--port", PORT, "--env-file", str(tmp_path / place), "--", "true")
    assert done.returncode == 1
    assert "cannot be written" in done.stderr
    assert len(writes(box)) == before


def test_an_env_file_is_removed_with_its_intercept_and_tp_env_overwrites_none(box: Box, tmp_path: Path):
    file = tmp_path / "pod.json"
    assert inv(box, "intercept", WWW, "--port", PORT, "--env-file", str(file), "--no-run").returncode == 0
    assert json.loads(file.read_text())["API_TOKEN"]
    again = inv(box, "tp.env", WWW, "--env-file", str(file))
    assert (again.returncode, "already exists" in again.stderr) == (3, True)
    assert inv(box, "tp.env", WWW, "--env-file", str(file), "--yes").returncode == 0
    assert inv(box, "leave").returncode == 0
    assert not file.exists()


def test_a_run_that_was_stopped_by_ctrl_z_is_ended_by_down(box: Box):
    with started(box, "intercept", WWW, "--port", PORT, "--", *SLEEP) as run:
        assert until(lambda: held(box) == [WWW] and "-> run" in run.said), run.said
        os.kill(run.process.pid, signal.SIGSTOP)
        done = inv(box, "down")
        assert done.returncode == 0, done.stderr
        assert run.process.wait(60) == 143
    assert held(box) == []
    assert inv(box, "tp.connect").returncode == 0


def test_an_intercept_is_left_only_in_the_place_where_it_was_made_and_a_dry_run_says_so(box: Box):
    assert inv(box, "intercept", WWW, "--port", PORT, "--no-run").returncode == 0
    here = inv(box, "leave", "--dry-run").stdout
    assert here == f"would leave the intercept {WWW}\n    $ telepresence detach {WWW}\n"
    elsewhere = {"REMOTE_DEV_CLUSTER__NAMESPACE": "ambassador"}
    assert (
        "once the settings point to ameide-dev-aks/ameide again" in inv(box, "leave", "--dry-run", env=elsewhere).stdout
    )
    refused = inv(box, "leave", env=elsewhere)
    assert refused.returncode == 3
    fix = refused.stderr.rpartition("fix: ")[2].split()
    assert fix[2:] == ["inv", "down"]
    assert inv(box, "leave", env={**elsewhere, **dict(word.split("=") for word in fix[:2])}).returncode == 0
    assert held(box) == []


def test_leave_reports_a_typing_error_in_the_name(box: Box):
    assert inv(box, "leave", WWW).stdout == f"{WWW} is not intercepted: nothing to leave\n"
    wrong = inv(box, "leave", "www-ameide-plattform")
    assert wrong.returncode == 1
    assert f"did you mean {WWW}" in wrong.stderr


def test_verify_uses_the_catalogues_port_when_a_service_has_several(box: Box):
    done = inv(box, "tp.verify", "graph", "--json")
    assert json.loads(done.stdout)["answered_by"] == "baseline", done.stdout + done.stderr


def test_verify_says_that_requests_arrive_and_nothing_listens(box: Box):
    assert inv(box, "intercept", WWW, "--port", PORT, "--no-run").returncode == 0
    done = inv(box, "tp.verify", WWW)
    assert done.stdout.startswith(f"requests arrive here; nothing listens on port {PORT} yet"), done.stdout
    assert inv(box, "leave").returncode == 0


def test_the_environment_as_json_is_one_document_with_every_flag(box: Box, tmp_path: Path):
    assert inv(box, "intercept", WWW, "--port", PORT, "--no-run").returncode == 0
    names = json.loads(inv(box, "tp.env", WWW, "--names", "--json").stdout)
    assert names["schema"] == 1
    assert "API_TOKEN" in names["names"]
    written = json.loads(inv(box, "tp.env", WWW, "--env-file", str(tmp_path / "x.json"), "--json").stdout)
    assert written["file"] == str(tmp_path / "x.json")
    assert inv(box, "leave", WWW).returncode == 0


def test_quit_does_not_lose_a_kept_intercept_without_a_yes(box: Box):
    assert inv(box, "intercept", WWW, "--port", PORT, "--no-run").returncode == 0
    refused = inv(box, "tp.quit")
    assert refused.returncode == 3
    assert "would be lost" in refused.stderr
    assert held(box) == [WWW]
    assert inv(box, "tp.quit", "--yes").returncode == 0
    assert inv(box, "down").stdout == "nothing to undo\n"
    assert inv(box, "tp.connect").returncode == 0


def test_a_failure_with_json_is_one_document_too(box: Box):
    done = inv(box, "intercept", "www-ameide-plattform", "--json")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert document["schema"] == 1
    assert "www-ameide-plattform" in document["error"]["what"]
    assert document["exit"] == 1


def by_hand(box: Box, *words: str) -> None:
    """Run telepresence itself, without the suite."""
    done = subprocess.run(["telepresence", *words], env=box.environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_down_ends_no_session_that_was_opened_by_hand(box: Box):
    assert inv(box, "down").returncode == 0
    by_hand(box, "connect", "--context", "ameide-dev-aks", "--namespace", "ameide", "--mapped-namespaces", "ameide")
    assert inv(box, "down").stdout == "nothing to undo\n"
    assert json.loads(inv(box, "tp.status", "--json").stdout)["session"]["state"] == "Connected"
    assert inv(box, "tp.quit").returncode == 0
    assert inv(box, "tp.connect").returncode == 0


def test_neither_down_nor_quit_loses_an_intercept_that_was_made_by_hand(box: Box):
    by_hand(box, "intercept", "www-ameide", "--port", f"{ports.free()}:http", "--mount=false")
    assert inv(box, "intercept", WWW, "--port", PORT, "--no-run").returncode == 0
    down = inv(box, "down")
    assert down.returncode == 0, down.stderr
    assert "the session stays: www-ameide was intercepted by hand" in down.stderr
    refused = inv(box, "tp.quit")
    assert refused.returncode == 3
    assert "intercepted by hand" in refused.stderr
    assert held(box) == ["www-ameide"]
    assert inv(box, "tp.quit", "--yes").returncode == 0
    assert inv(box, "tp.connect").returncode == 0


@pytest.mark.parametrize("words", [("tp.quit",), ("leave",), ("down",)])
def test_a_dry_run_of_ending_things_writes_no_cache(box: Box, tmp_path: Path, words: tuple[str, ...]):
    done = inv(box, *words, "--dry-run", env={"REMOTE_DEV_STATE": str(tmp_path / "state")})
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "state").exists()
