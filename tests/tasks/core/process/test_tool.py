"""A captured child: its end, its deadline, its group, its secrets. Real processes."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks.core import ui
from tasks.core.errors import Absent, TimedOut, ToolError
from tasks.core.process import child, output, processes
from tasks.core.process.output import clean, last_line
from tasks.core.process.running import cancel_on_failure
from tasks.core.process.tool import Tool
from tasks.core.wait import until

PYTHON = Tool(sys.executable)


def python(code: str, *args: str, **more):
    return PYTHON["-c", code, *args].call(**more)


def test_stdout_and_stderr_are_kept_apart_and_decoded():
    done = python("import sys; sys.stdout.buffer.write(b'a\\xffb'); sys.stderr.write('warn')")
    assert (done.exit, done.stdout, done.stderr) == (0, "a\ufffdb", "warn")


def test_a_failure_quotes_the_last_line_of_stderr_that_says_something():
    with pytest.raises(ToolError, match="the cause") as caught:
        PYTHON["-c", "import sys; sys.stderr.write('first\\nthe cause\\nE1123 noise of a log\\n'); sys.exit(4)"].run()
    assert caught.value.exit == 4


def test_an_absent_program_says_how_to_get_it():
    with pytest.raises(Absent, match="nowhere-to-be-found is not installed") as caught:
        Tool("nowhere-to-be-found", fix="install it")[()].run()
    assert caught.value.fix == "install it"


def test_an_absent_program_is_named_where_a_folder_on_path_may_not_be_read(monkeypatch: pytest.MonkeyPatch):
    def denied(*words: object, **more: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")  # as execvp says for a user; root may read all

    monkeypatch.setattr(subprocess, "Popen", denied)
    with pytest.raises(Absent, match="nowhere-to-be-found is not installed"):
        child.start(["nowhere-to-be-found"], env={})
    with pytest.raises(Absent, match="sh may not be executed"):
        child.start(["sh"], env={"PATH": "/usr/bin:/bin"})


@pytest.mark.parametrize("name", ["PATH", b"PATH"])
def test_a_program_is_looked_for_on_the_path_that_the_child_gets(tmp_path: Path, name: str | bytes):
    (tmp_path / "only-here").write_text("x")
    folder = str(tmp_path) if isinstance(name, str) else os.fsencode(tmp_path)
    with pytest.raises(Absent, match="only-here may not be executed"):
        child.start(["only-here"], env={name: folder})


def test_a_file_that_may_not_be_executed_causes_no_traceback(tmp_path: Path):
    program = tmp_path / "program"
    program.write_text("x")
    with pytest.raises(Absent, match="may not be executed"):
        Tool(str(program))[()].run()


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_program_that_prints_without_end_is_ended(monkeypatch: pytest.MonkeyPatch, stream: str):
    monkeypatch.setattr(output, "MOST", 1024 * 1024)
    code = f"import os, sys\nprint(os.getpid(), file=sys.__stderr__, flush=True)\nwhile True: sys.{stream}.write('y' * 65536)"
    began = time.monotonic()
    with pytest.raises(ToolError, match="it printed more than 1 MiB and was ended") as caught:
        python(code, timeout=300)
    assert caught.value.fix
    assert time.monotonic() - began < 60


def test_output_below_the_limit_is_complete_and_stdin_is_written():
    size = 5 * 1024 * 1024
    done = python("import sys; sys.stdout.write(sys.stdin.read() * 2)", stdin=b"x" * size, timeout=60)
    assert len(done.stdout) == 2 * size


def test_a_slow_program_is_waited_for_up_to_its_deadline():
    code = "import sys, time\nfor n in range(5): print(n, flush=True); time.sleep(0.1)"
    assert python(code, timeout=60).stdout.split() == list("01234")


@pytest.fixture(params=["plain", "no-access"])
def path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PATH, with and without a first folder that causes EACCES: root may enter every folder, but not run such a file."""
    (tmp_path / "true").write_text("x")
    first = f"{tmp_path}:" if request.param == "no-access" else ""
    monkeypatch.setenv("PATH", f"{first}/usr/bin:/bin")


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("own", [True, False], ids=["of this shell", "of a pod"])
def test_a_variable_that_is_too_big_is_named(monkeypatch: pytest.MonkeyPatch, own: bool):
    big = "x" * 300_000
    if own:
        monkeypatch.setenv("BIG_ONE", big)
    with pytest.raises(ToolError) as caught:
        Tool("true", env={} if own else {"BIG_ONE": big})[()].run()
    assert caught.value.what == "true could not be started: the variable BIG_ONE has 300,009 bytes"
    assert caught.value.fix == ("unset BIG_ONE" if own else "drop BIG_ONE: `dev.drop` in config/services.yaml")


@pytest.mark.usefixtures("path")
def test_an_argument_that_is_too_big_is_an_error():
    with pytest.raises(ToolError, match="an argument has 300,000 bytes") as caught:
        Tool("true")["x" * 300_000].run()
    assert caught.value.fix


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "a=b"])
def test_a_variable_that_no_program_can_get_is_named(name: str):
    with pytest.raises(ToolError) as caught:
        Tool("true", env={name: "x"})[()].run()
    assert repr(name) in caught.value.why
    with pytest.raises(ToolError, match="could not be started"):
        Tool("true", env={"A": "\ud800"})[()].run()


@pytest.mark.parametrize("word", ["a\0b", "\ud800"])
def test_an_argument_that_no_program_can_get_is_shown(word: str):
    with pytest.raises(ToolError) as caught:
        Tool("true")[word].run()
    assert repr(word) in caught.value.why


def test_children_of_other_threads_are_ended_when_the_block_fails():
    def ask() -> None:
        with ThreadPoolExecutor(max_workers=1) as pool, cancel_on_failure():
            pool.submit(Tool("sleep")["473"].run)
            assert until(lambda: [p for p in processes.running() if p.argv == ("sleep", "473")], every=0.05, for_=60)
            Tool("sh")["-c", "exit 3"].run()

    began = time.monotonic()
    with pytest.raises(ToolError, match="sh"):
        ask()
    assert time.monotonic() - began < 60


OWN = f"471.{os.getpid()}"  # seconds: another run of the tests on this machine has sleeps of its own


def sleeps() -> list[processes.Process]:
    return [p for p in processes.running() if p.argv == ("sleep", OWN)]


def test_at_the_deadline_the_grandchild_is_ended_too():
    began = time.monotonic()
    with pytest.raises(TimedOut, match=r"no answer in 0\.3 s(.|\n)*fix: see whether `sh` answers"):
        Tool("sh")["-c", f"sleep {OWN} & sleep {OWN}; echo"].run(timeout=0.3)
    assert time.monotonic() - began < 60
    assert until(lambda: not sleeps(), for_=10)


def test_a_child_that_ignores_sigterm_is_killed():
    with pytest.raises(TimedOut):
        Tool("sh")["-c", f"trap '' TERM; sleep {OWN}"].run(timeout=0.2)
    assert until(lambda: not sleeps(), for_=10)


def test_a_grandchild_that_ignores_sigterm_is_killed_although_its_parent_obeys():
    with pytest.raises(TimedOut):
        Tool("sh")["-c", "(trap '' TERM; exec sleep 20.74) >/dev/null 2>&1 & sleep 20.75"].run(timeout=0.5)
    assert until(lambda: not [p for p in processes.running() if p.argv == ("sleep", "20.74")], every=0.05, for_=60)


def test_there_is_nothing_to_read_on_stdin():
    assert python("import sys; print(repr(sys.stdin.read()))").stdout == "''\n"


def test_no_shell_looks_at_the_arguments():
    assert python("import sys; print(sys.argv[1])", "$HOME; ls").stdout == "$HOME; ls\n"


def test_dropped_variables_do_not_reach_the_child(monkeypatch):
    monkeypatch.setenv("AAD_LOGIN_METHOD", "msi")
    tool = Tool(sys.executable, env={"MINE": "1"}, drop=("AAD_LOGIN_METHOD",))
    shown = tool["-c", "import os; print(os.environ.get('AAD_LOGIN_METHOD'), os.environ['MINE'])"].run()
    assert shown == "None 1\n"


def test_a_pinned_variable_beats_the_developers_own(monkeypatch):
    monkeypatch.setenv("KUBECONFIG", "/of/the/developer")
    tool = Tool(sys.executable, env={"KUBECONFIG": "/of/the/session"})
    assert tool["-c", "import os; print(os.environ['KUBECONFIG'])"].run() == "/of/the/session\n"


def test_an_answer_that_is_not_json_is_an_error():
    with pytest.raises(ToolError, match="the answer is not JSON"):
        PYTHON["-c", "print('hello')"].json()


def test_a_last_newline_may_be_missing_in_json():
    assert PYTHON["-c", "import sys; sys.stdout.write('{\"a\": 1}')"].json() == {"a": 1}


@pytest.mark.parametrize(
    "said",
    [
        "--password=hunter2hunter2",
        '"accessToken": "abcdefghijklmnop"',
        "Authorization: Bearer abcdefghijklmnop",
        "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl",
        "fatal: clone of 'https://ada:hunter2hunter2@git.example.com/gitops.git' into submodule path failed",
        "fatal: unable to access 'https://abcdefghijklmnop0123456789@git.example.com/gitops.git'",
    ],
)
def test_what_looks_like_a_secret_is_masked(said: str):
    assert "***" in clean(said)
    assert "hunter2hunter2" not in clean(said)
    assert "abcdefghijklmnop" not in clean(said)
    assert "eyJzdWIi" not in clean(said)


@pytest.mark.parametrize(
    "said",
    [
        "Error: failed to get token: unexpected end of JSON input",
        "failed to get token: AzureCLICredential: ERROR: Please run 'az login' to setup account.",
        "fatal: cannot reach ssh://git@git.example.com:22/gitops.git, nor http://127.0.0.1:8080/a@b",
    ],
)
def test_a_sentence_about_a_token_is_not_masked(said: str):
    assert clean(said) == said


def test_the_last_line_is_the_error_and_not_the_advice_after_it():
    said = (
        "Unable to connect to the server: getting credentials: exec: executable kubelogin not found\n\n"
        "It looks like you are trying to use a client-go credential plugin that is not installed.\n\n"
        "To learn more about this feature, consult the documentation available at:\n"
        "      https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins\n\n"
        "To learn more, please go to https://azure.github.io/kubelogin/\n"
    )
    assert last_line(said).endswith("executable kubelogin not found")
    assert last_line("Error: flag needs an argument: 'n' in -n\nSee 'kubectl get --help' for usage.") == (
        "Error: flag needs an argument: 'n' in -n"
    )


def test_a_known_secret_is_masked_everywhere():
    ui.hide("s3cr3t-value")
    assert ui.masked("a s3cr3t-value b") == "a *** b"


def test_an_error_never_holds_the_arguments_after_the_first_flag():
    with pytest.raises(ToolError) as caught:
        Tool("false")["login", "--password", "hunter2hunter2"].run()
    assert "hunter2" not in str(caught.value)


def test_the_last_line_skips_log_noise():
    assert last_line("real\nW1123 08:49:47 x\n\nWARNING: y\n") == "real"


# Ignores signals, and then says so with a file in the folder of its arguments.
DEAF = """
import os, pathlib, signal, sys, time
[signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]
pathlib.Path(sys.argv[1], f"deaf-{os.getpid()}").touch()
time.sleep(600)
"""
INTERRUPTED = """
import pathlib, sys, time
from concurrent.futures import ThreadPoolExecutor
from tasks.core.process.interrupt import take_signals
from tasks.core.process.tool import Tool
from tasks.core.errors import Trouble
take_signals()
def ask(number):
    try:
        Tool(sys.executable, timeout=600)["-c", sys.argv[1], sys.argv[2]].run()
    except Trouble as why:
        sys.stdout.write(why.what.rpartition(": ")[2] + chr(10))
try:
    with ThreadPoolExecutor(2) as pool:
        asked = [pool.submit(ask, n) for n in range(6)]
        try:
            time.sleep(600)
        finally:
            pathlib.Path(sys.argv[2], "interrupted").touch()
finally:
    print(Tool("echo")["cleaned up"].run(), end="")
"""


@pytest.mark.parametrize("signals", [1, 2])
def test_an_interrupt_kills_children_that_do_not_listen_and_starts_no_others_but_for_cleaning_up(
    signals: int, tmp_path: Path
):
    run = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, DEAF, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert until(lambda: len(list(tmp_path.glob("deaf-*"))) == 2, every=0.05, for_=60)
    for _ in range(signals):
        run.send_signal(signal.SIGINT)
        assert until((tmp_path / "interrupted").exists, every=0.01, for_=60)
    out, err = run.communicate(timeout=60)
    assert (run.returncode, err) == (130, "")
    assert sorted(out.splitlines()) == [
        "cleaned up",
        *["killed by signal 9"] * 2,
        *["not started, the run was interrupted"] * 4,
    ]
    assert until(lambda: not [p for p in processes.running() if str(tmp_path) in p.argv], for_=10)
