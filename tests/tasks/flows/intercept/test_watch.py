"""An intercept whose process does not answer: what is said after five seconds. Real processes in a sandbox."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import pytest

from sandbox import control
from sandbox.control import Box
from tasks.core import ports
from tasks.flows.intercept.plan import Plan
from tasks.flows.intercept.proof import Answer, AnsweredBy, Via
from tasks.flows.intercept.watch import Watch
from tests.made import settings
from tests.terminal import Terminal
from tests.world import WWW, inv, program, started, until

pytestmark = pytest.mark.slow

PORT = ports.free()
INTERCEPT = ("intercept", WWW, "--port", str(PORT), "--")
QUIET = "no request has reached your process: "
# setsockopt(1, 2, 1): SO_REUSEADDR, as web servers set it
OPEN = "import socket, time; s = socket.socket(socket.{family}); s.setsockopt(1, 2, 1); s.bind(('{address}', {port})); s.listen(); time.sleep(90)"


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    box = control.up()
    done = inv(box, "setup")
    assert done.returncode == 0, done.stdout + done.stderr
    yield box
    control.down(box)


def opens(port: int, address: str = "127.0.0.1") -> list[str]:
    """A process that listens there, and answers nothing."""
    family = "AF_INET6" if ":" in address else "AF_INET"
    return [sys.executable, "-c", OPEN.format(family=family, address=address, port=port)]


def said_by(box: Box, *command: str) -> list[str]:
    """The lines about an intercept with this command that no request reaches; it is ended then."""
    with started(box, *INTERCEPT, *command) as run:
        assert until(lambda: "Ctrl-C ends the process and leaves\n" in run.said, 40), run.said
        assert run.end(signal.SIGINT) in {130, 143}, run.said
        lines = run.said.splitlines()
    first = next(n for n, line in enumerate(lines) if QUIET in line)
    return lines[first : next(n for n, line in enumerate(lines) if "keeps coming here" in line) + 1]


def test_a_process_that_listens_on_nothing_is_reported(box: Box):
    quiet, port, process, traffic = said_by(box, "sleep", "100")
    failed = re.search(
        r"(\d+) of (\d+) requests through the ingress failed \((.+?)\)(?:, (\d+) without an answer yet)?  \d+\.\d s$",
        quiet,
    )
    assert failed, quiet
    assert int(failed[1]) >= 1
    assert int(failed[1]) + int(failed[4] or 0) == int(failed[2])
    assert port == f"   nothing listens on 127.0.0.1:{PORT}"
    assert process == "   your process listens on no port"
    assert traffic == "   everybody's traffic keeps coming here; Ctrl-C ends the process and leaves"


def test_a_process_that_listens_on_another_port_is_reported_with_it(box: Box):
    other = ports.free()
    _, port, process, _ = said_by(box, "sh", "-c", f"{' '.join(map(repr, opens(other)))} & wait")
    assert port == f"   nothing listens on 127.0.0.1:{PORT}"
    assert f"127.0.0.1 port {other}" in process
    assert "--port" in process


def test_a_process_that_listens_on_ipv6_only_is_reported(box: Box):
    _, port, _ = said_by(box, *opens(PORT, "::1"))
    assert port == f"   port {PORT} is open on ::1 only: let it listen on 127.0.0.1"


def test_a_process_that_takes_requests_and_does_not_answer_is_reported(box: Box):
    quiet, port, _ = said_by(box, *opens(PORT))
    assert "the local process took the request and did not answer in 3 s" in quiet
    assert re.fullmatch(rf"   pid \d+ \(.+\) listens on port {PORT}", port)


def test_a_process_that_listens_late_is_reached_and_that_is_said(box: Box):
    late = f"sleep 6; exec {sys.executable} -m http.server {PORT} --bind 127.0.0.1"
    with started(box, *INTERCEPT, "sh", "-c", late) as run:
        assert until(lambda: "was answered by your process" in run.said, 40), run.said
        assert QUIET in run.said
        run.end(signal.SIGINT)


def test_a_personal_intercept_names_its_requests(box: Box):
    with started(box, *INTERCEPT, "sleep", "100", env={"REMOTE_DEV_TELEPRESENCE__SLOT": "ada"}) as run:
        assert until(lambda: ": ada keeps coming here" in run.said, 40), run.said
        run.end(signal.SIGINT)


@pytest.mark.parametrize("code", [0, 7])
def test_an_immediate_end_is_said_with_its_code(box: Box, code: int):
    done = inv(box, *INTERCEPT, "sh", "-c", f"exit {code}")
    assert done.returncode == code
    assert f"sh exited with {code}" in done.stderr


@pytest.mark.parametrize(("typed", "leaves"), [("y\n", True), ("\n", False)])
def test_on_a_terminal_the_intercept_can_be_left_with_y(box: Box, typed: str, leaves: bool):
    env = {name: value for name, value in box.environment().items() if name not in {"CI", "AGENT"}}
    with Terminal(program(*INTERCEPT, "sh", "-c", "sleep 8; exit 5"), env) as terminal:
        terminal.wait_for(r"leave now\?")
        terminal.press(typed)
        assert terminal.end() == (130 if leaves else 5), terminal.text
        assert "left the intercept" in terminal.text


def test_a_process_of_somebody_else_on_the_port_is_not_called_yours(box: Box):
    with started(box, *INTERCEPT, "sleep", "100") as run:
        assert until(lambda: "-> run" in run.said, 40), run.said
        other = subprocess.Popen(
            [sys.executable, "-m", "http.server", str(PORT), "--bind", "127.0.0.1"], stderr=subprocess.DEVNULL
        )
        try:
            assert until(lambda: "which this command did not start" in run.said, 40), run.said
        finally:
            other.kill()
            other.wait()
        assert f"pid {other.pid}" in run.said
        assert "answered by your process" not in run.said


def test_a_process_that_has_ended_meanwhile_is_not_said_to_listen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """`inv tp.verify` opens the port for one request while nothing listens there."""
    monkeypatch.setattr(ports, "of_session", lambda session: [])
    monkeypatch.setattr(ports, "owner", lambda port: None)
    plan = SimpleNamespace(wanted=SimpleNamespace(local_port=PORT))
    answer = Answer(AnsweredBy.LOCAL, Via.INGRESS, 5.0, "http://www/")
    Watch(settings(), cast(Plan, plan))._say_reached(answer, 1, 2.0)
    assert f"arrived on port {PORT}, but another process listened there" in capsys.readouterr().err
