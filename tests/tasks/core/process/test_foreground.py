"""The watched child: exit codes, signals to its whole group, nothing keeps running. Real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tasks.core.errors import Trouble
from tasks.core.process import foreground, processes
from tasks.core.wait import until

RUN = """
import sys
from pathlib import Path
from tasks.core.process import foreground, processes
import os
with foreground.signals() as taken:
    sys.exit(foreground.run(sys.argv[1:], env=dict(os.environ), cwd=Path("."), taken=taken))
"""


def run(*argv: str) -> int:
    with foreground.signals() as taken:
        return foreground.run(argv, env=dict(os.environ), cwd=Path("."), taken=taken)


@pytest.mark.parametrize(
    ("code", "expected"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143)]
)
def test_the_exit_code_is_the_childs(code: str, expected: int):
    assert run("sh", "-c", code) == expected


def test_a_command_that_does_not_exist_causes_no_traceback():
    with pytest.raises(Trouble, match="nowhere-to-be-found is not installed"):
        run("nowhere-to-be-found")


def test_what_the_child_left_in_its_group_is_ended():
    own = f"473.{os.getpid()}"  # seconds: another run of the tests on this machine has a sleep of its own
    assert run("sh", "-c", f"sleep {own} & exit 0") == 0
    assert until(lambda: not [p for p in os.listdir("/proc") if p.isdigit() and _argv(p) == f"sleep\0{own}\0"], for_=10)


def _argv(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return ""


def started(*argv: str) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", RUN, *argv], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_reaches_the_group_and_the_childs_exit_code_is_kept(number: signal.Signals):
    process = started("sh", "-c", f"trap 'exit 9' {number.name[3:]}; echo ready; while :; do sleep 0.05; done")
    process.send_signal(number)
    assert process.wait(60) == 9


def test_the_second_signal_kills_a_child_that_ignores_the_first():
    process = started("sh", "-c", "trap 'echo first' INT; echo ready; while :; do sleep 0.05; done")
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    assert process.stdout.readline() == "first\n"
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 137


def test_ctrl_z_stops_this_process_and_says_that_the_child_runs_on():
    said = RUN.replace("taken=taken", r"taken=taken, started=lambda pid: os.write(1, b'%d\n' % pid)")
    process = subprocess.Popen(
        [sys.executable, "-c", said, "sh", "-c", "trap 'exit 9' INT; echo ready; while :; do sleep 0.05; done"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,  # a job as shells make them: the kernel ignores Ctrl-Z in an orphaned group
    )
    assert process.stdout is not None
    assert process.stderr is not None
    lines = {process.stdout.readline(), process.stdout.readline()}  # the child is started, and ready, in any order
    child = int(min(lines))
    process.send_signal(signal.SIGTSTP)
    assert until(lambda: processes.stat(process.pid)[0] == "T", every=0.02, for_=30)
    assert processes.stat(child)[0] != "T"
    process.send_signal(signal.SIGCONT)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 9
    assert err.count(f"\nsh runs on (pid {child}): fg returns to it, ") == 1


def test_the_childs_stdin_stays_open_and_silent():
    code = "import select, sys; sys.exit(len(select.select([sys.stdin], [], [], 0.2)[0]))"
    assert run(sys.executable, "-c", code) == 0


def test_outside_the_main_thread_no_handler_is_set():
    seen: list[int] = []
    thread = threading.Thread(target=lambda: seen.append(run("sh", "-c", "exit 3")))
    thread.start()
    thread.join()
    assert seen == [3]


def test_an_interruption_without_a_child_ends_with_130():
    code = "from tasks.core.process import interrupt; import os, signal; interrupt.take_signals(); os.kill(os.getpid(), signal.SIGINT)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 130


def test_a_held_signal_unwinds_when_signals_are_released():
    with foreground.signals() as taken:
        taken.held = True
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(foreground.Interrupted) as ended:
            taken.release()
    assert ended.value.exit == 143


def test_a_third_signal_breaks_through_while_signals_are_held():
    with foreground.signals() as taken:
        taken.held = True
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(foreground.Interrupted) as ended:
            signal.raise_signal(signal.SIGINT)
    assert ended.value.exit == 130
