"""Several setups at the same time: the dev container runs one, and the developer does not wait for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from sandbox import control
from sandbox.control import Box
from tasks.core import ports
from tasks.core.process import processes
from tests.world import ROOT, inv, program, started, writes

pytestmark = pytest.mark.slow

# Three setups start about thirty programs at once. On a loaded machine one of them may need longer than the default
# deadline of a single program, which is not what is tested here.
PATIENT = {f"REMOTE_DEV_DEADLINES__{name}": "240" for name in ("AZ", "KUBECTL", "TELEPRESENCE", "CONNECT", "DOCKER")}


@pytest.fixture
def box() -> Iterator[Box]:
    box = control.up()
    yield box
    control.down(box)


def test_of_three_setups_at_once_one_connects_and_all_are_done(box: Box):
    env = {**box.environment(), **PATIENT}
    runs = [
        subprocess.Popen(
            program("setup"),
            env=env,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(3)
    ]
    said = [run.communicate(timeout=300)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0], said
    assert len([call for call in writes(box, "telepresence") if "connect" in call]) == 1
    assert json.loads(inv(box, "tp.status", "--json").stdout)["here"]


@pytest.fixture
def connecting(box: Box) -> Box:
    """A sandbox in which a connect takes some seconds, so that others meet it."""
    assert inv(box, "aks.credentials").returncode == 0
    control.fault(box, "connect-slow")
    return box


def connects(box: Box) -> int:
    return len([call for call in writes(box, "telepresence") if "connect" in call])


def test_of_two_intercepts_at_once_from_no_session_one_connects_and_both_run(connecting: Box):
    """2.31 answers `status` with an error while its daemons start, and with an empty namespace a moment later."""
    names = ("www-ameide-platform", "www-ameide")
    commands = [("intercept", name, "--port", str(ports.free()), "--", "true") for name in names]
    with (
        started(connecting, *commands[0], env=PATIENT) as first,
        started(connecting, *commands[1], env=PATIENT) as second,
    ):
        assert [run.end(wait=200) for run in (first, second)] == [0, 0], first.said + second.said
    assert connects(connecting) == 1


def test_status_during_a_connect_says_so(connecting: Box):
    def said() -> str:
        done = inv(connecting, "tp.status")
        assert done.returncode == 0, done.stderr
        return done.stdout

    with started(connecting, "tp.connect", env=PATIENT) as run:
        answers = [said()]
        while "Connected" not in answers[-1]:
            assert run.process.poll() in {None, 0}, run.said
            answers.append(said())
        assert run.end(wait=60) == 0, run.said
    during = {line for answer in answers[:-1] for line in answer.splitlines()}
    assert "connecting: another command opens the session now" in during
    assert during <= {
        "connecting: another command opens the session now",
        "no session: not connected",
        "  connect: inv tp.connect",
    }


def test_a_root_daemon_that_keeps_the_earlier_session_is_ended(box: Box):
    assert inv(box, "aks.credentials").returncode == 0
    assert inv(box, "tp.connect").returncode == 0
    control.fault(box, "root-daemon-busy")
    (user_daemon,) = [
        p for p in processes.running() if "userd" in p.argv[1:2] and p.variable("HOME") == box.env["HOME"]
    ]
    os.kill(user_daemon.pid, signal.SIGKILL)
    done = inv(box, "tp.connect", env=PATIENT)
    assert done.returncode == 0, done.stderr
    assert "root daemon keeps the earlier session" in done.stderr
    assert json.loads(inv(box, "tp.status", "--json").stdout)["here"]


def test_a_session_that_resolves_no_name_is_not_called_connected_by_root_in_a_container(box: Box):
    """Anybody else is warned, see session/test_tunnel.py: the resolver may be set up in a way that the suite does not know."""
    assert inv(box, "aks.credentials").returncode == 0
    control.fault(box, "container-root")
    done = inv(box, "tp.connect")
    assert "does not resolve through it" in done.stderr
    assert done.returncode == 1
    assert "root in a container" in done.stderr
