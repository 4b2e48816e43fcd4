"""Processes as /proc lists them, whatever their names are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tasks.core.process import processes
from tasks.core.process.processes import Process
from tasks.core.wait import until

# The kernel cuts a name at 15 bytes, which may be in the middle of a letter; brackets and blanks are names too.
NAMED = "import sys; open('/proc/self/comm', 'wb').write(bytes.fromhex(sys.argv[1])); print(flush=True); input()"


@pytest.fixture(
    params=[b"plain", b") Z 1 (", "übergroßer Name".encode()[:2] + b"\xc3"], ids=["plain", "brackets", "half a letter"]
)
def child(request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    argv = [sys.executable, "-c", NAMED, request.param.hex()]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_a_process_is_identified_by_its_start_whatever_its_name(child: subprocess.Popen[bytes]):
    assert processes.started(child.pid) > processes.started(os.getppid())
    assert processes.stat(child.pid)[1:4] == [str(os.getpid()), str(child.pid), str(child.pid)]


def test_a_group_lives_until_its_last_process_has_ended(child: subprocess.Popen[bytes]):
    assert processes.group_lives(child.pid)
    child.kill()
    child.wait()
    assert not processes.group_lives(child.pid)
    assert processes.started(child.pid) == 0
    assert processes.stat(child.pid) == []


def test_a_signal_to_a_group_that_has_ended_is_fine(child: subprocess.Popen[bytes]):
    child.kill()
    child.wait()
    processes.deliver(child.pid, 15)


def test_a_zombie_has_not_started_and_its_group_does_not_live(child: subprocess.Popen[bytes]):
    os.kill(child.pid, signal.SIGKILL)
    assert until(lambda: processes.stat(child.pid)[0] == "Z", every=0.01, for_=5)  # nobody has waited for it yet
    assert processes.started(child.pid) == 0
    assert not processes.group_lives(child.pid)


def test_a_process_whose_pid_was_reused_does_not_live():
    start = processes.started(os.getpid())
    assert Process(os.getpid(), start, ()).lives
    assert not Process(os.getpid(), start - 1, ()).lives
    assert not Process(2**22 + 1, 0.0, ()).lives
