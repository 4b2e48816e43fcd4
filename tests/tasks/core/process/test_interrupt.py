"""Signals to a task that does not handle them itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.core.cli.command_line import CommandLine
from tasks.core.cli.program import SuiteProgram
from tasks.core.errors import Trouble
from tasks.core.process import interrupt
from tasks.core.process.interrupt import Interrupted


def test_the_first_and_the_third_signal_unwind_the_run_and_the_second_only_ends_children(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(interrupt, "_seen", 0)
    monkeypatch.setattr(interrupt, "_unwinding", 0)
    with pytest.raises(Interrupted) as first:
        interrupt.interrupt(signal.SIGINT)
    interrupt.interrupt(signal.SIGINT)  # the run unwinds already
    with pytest.raises(Interrupted) as third:
        interrupt.interrupt(signal.SIGTERM)
    assert (first.value.exit, third.value.exit) == (130, 143)


ALONE = "interrupt.take_signals(); start_other(); "
WAITS = {
    "for a child at the terminal": (
        "with foreground.signals() as taken: start_other(); "
        "sys.exit(foreground.run(['sleep', '60'], env=os.environ, cwd=Path.cwd(), taken=taken))"
    ),
    "for a child's output": f"{ALONE} tool.Tool('sleep')['60'].run(timeout=60)",
    "for a lock": f"{ALONE} lock = threading.Lock(); lock.acquire(); lock.acquire()",
    "for a socket": f"{ALONE} pair = socket.socketpair(); pair[0].recv(1)",
}


@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize(("number", "exit"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_that_another_thread_gets_unwinds_the_run(wait: str, number: str, exit: int):
    code = f"""
import os, signal, socket, sys, threading, time
from pathlib import Path
from tasks.core.process import foreground, interrupt, tool
def other():
    main = Path(f"/proc/self/task/{{os.getpid()}}/stat")
    while main.exists() and " S " not in main.read_text():
        time.sleep(0.01)
    time.sleep(0.2)  # a run that is woken too early ends too, so that this fails only if it is not woken
    signal.pthread_kill(threading.get_ident(), signal.{number})
    time.sleep(60)
def start_other():
    threading.Thread(target=other, daemon=True).start()
{WAITS[wait]}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=40)
    assert (done.returncode, done.stderr) == (exit, "")


TAKERS = {
    "a task": "interrupt.take_signals()\nimport slow\nimport time; time.sleep(60)",
    "an intercept": "with foreground.signals() as taken:\n    import slow\n    import time; time.sleep(60)",
}


@pytest.mark.parametrize("taker", TAKERS)
def test_a_signal_during_an_import_unwinds_the_run_after_it(tmp_path: Path, taker: str):
    """An exception inside the import system left its lock held, and the run hung or went on."""
    (tmp_path / "slow.py").write_text(
        "import sys, time\nprint('importing', flush=True)\nsys.stdin.readline()\ntime.sleep(0.1)\nprint('imported', flush=True)\n"
    )
    code = f"from tasks.core.process import foreground, interrupt\n{TAKERS[taker]}\n"
    run = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{os.getcwd()}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert run.stdout is not None
    assert run.stdout.readline() == "importing\n"
    run.send_signal(signal.SIGINT)
    out, err = run.communicate("go on\n", timeout=30)
    assert (out, err, run.returncode) == ("imported\n", "", 130)


def test_an_error_after_an_interruption_that_was_lost_is_the_interruption(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(interrupt, "_unwinding", 0)
    program = SuiteProgram()
    program.line = CommandLine()
    with pytest.raises(Trouble), program._errors_shown():
        raise Trouble("not started")
    try:
        interrupt.unwind(signal.SIGTERM)
    except Interrupted:
        pass
    with pytest.raises(Interrupted) as ended, program._errors_shown():
        raise Trouble("not started, the run was interrupted")
    assert ended.value.exit == 143


@pytest.mark.slow
@pytest.mark.parametrize(("call", "step"), [("running.may_start()", 1), ("tool.Tool('sleep')['0.01'].run()", 70)])
def test_a_signal_at_any_line_of_a_call_unwinds_the_run(call: str, step: int):
    """A lock that the interrupted line holds must not be needed by the handler, which would wait for it forever."""
    code = f"""
import os, signal, sys
from tasks.core.process import interrupt, running, tool
left = int(sys.argv[1])
def trace(frame, event, argument):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGINT)
    return trace
interrupt.take_signals()
tool.Tool("true")[()].run()
sys.settrace(trace)
{call}
sys.settrace(None)
"""
    for line in range(1, 10_000, step):
        done = subprocess.run([sys.executable, "-c", code, str(line)], capture_output=True, text=True, timeout=30)
        assert done.returncode in {0, 130}, done.stderr
        if done.returncode == 0:
            break
    assert line > 3 * step
