"""The program behind `inv`: command lines, errors, signals and a closed output."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[4]
INV = [sys.executable, str(ROOT / "tasks.py")]


def inv(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*INV, *words], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize(
    ("words", "error", "fix"),
    [
        (["setp"], "there is no task 'setp'", "did you mean setup? help: inv --list"),
        (["qqqq"], "there is no task 'qqqq'", "inv --list"),
        (["aks"], "'aks' is a namespace, not a task", "inv --list aks"),
        (["--help", "setp"], "there is no task 'setp'", "did you mean setup? help: inv --list"),
        (["status", "now"], "status takes no word 'now', and it is not a task", "inv --help status"),
        (["setup", "--dry-rum"], "setup has no flag --dry-rum", "did you mean --dry-run? help: inv --help setup"),
        (["--nonsense"], "inv has no flag --nonsense", "inv --help"),
        (["intercept"], "intercept needs a service", "inv intercept SERVICE; help: inv --help intercept"),
        (["tp.env", "www", "--env-file"], "--env-file needs a value", "inv --help tp.env"),
        (["setup", "--only"], "--only needs a value", "inv --help setup"),
        (["setup", "--only", "--check"], "--only needs a value", "inv --help setup"),
        (["intercept", "platform", "--"], "there is no command after --", "omit `--`, or add a command after it"),
    ],
)
def test_a_command_line_that_is_not_understood_is_an_error_with_its_fix(words: list[str], error: str, fix: str):
    done = inv(*words)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: {error}\n  fix: {fix}\n"


def test_with_json_an_error_is_the_document_too():
    done = inv("leave", "--nonsense", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["what"] == "leave has no flag --nonsense"
    assert "error: leave has no flag --nonsense" in done.stderr


def test_the_json_of_another_program_is_not_ours():
    assert inv("leave", "--nonsense", "--", "--json").stdout == ""


def test_flags_of_another_program_are_not_read():
    done = inv("test", "--", "--version")
    assert (done.returncode, done.stdout[:6]) == (0, "pytest")


def test_the_words_after_the_dashes_arrive_as_they_were_typed():
    code = (
        "from invoke.collection import Collection\n"
        "from invoke.tasks import task\n"
        "from tasks.core.cli.command_line import remainder\n"
        "from tasks.core.cli.program import SuiteProgram\n"
        "import tasks\n"
        "@task\n"
        "def show(c):\n"
        "    print(remainder(c))\n"
        "tasks.ns = Collection(show)\n"
        "SuiteProgram().run(['inv', 'show', '--', 'a  b', '--', '--json'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stdout == "['a  b', '--', '--json']\n", done.stderr


@pytest.mark.parametrize("words", ["--list", "--help"])
def test_a_reader_that_has_ended_causes_no_traceback(words: str):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stdout:
        done = subprocess.run([*INV, words], stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_full_disk_is_an_error_and_not_a_traceback():
    with open("/dev/full", "w") as stdout:
        done = subprocess.run([*INV, "--list"], stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: cannot write: No space left on device\n  fix: free some space, then run this again\n"


def test_ctrl_c_in_a_task_ends_it_with_130():
    code = (
        "import os, signal, sys\n"
        "from invoke.collection import Collection\n"
        "from invoke.tasks import task\n"
        "from tasks.core.cli import program\n"
        "import tasks\n"
        "@task\n"
        "def wait(c):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "tasks.ns = Collection(wait)\n"
        "sys.argv = ['inv', 'wait']\n"
        "program.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stderr) == (128 + signal.SIGINT, "")


@pytest.mark.parametrize(
    ("words", "seen"), [(["--list"], "tp.intercept"), (["leave", "--dry-run"], "nothing to leave")]
)
def test_plain_invoke_can_list_and_run_the_tasks(words: list[str], seen: str):
    invoke = [sys.executable, "-m", "invoke", "--search-root", str(ROOT)]
    done = subprocess.run([*invoke, *words], capture_output=True, text=True, check=False, cwd=ROOT / "docs")
    assert done.returncode == 0, done.stderr
    assert seen in done.stdout


def test_each_spelling_of_a_task_has_its_help():
    dashed, underscored = inv("--help", "migrate.cleanup-infra"), inv("migrate.cleanup_infra", "--help")
    assert dashed.stdout == underscored.stdout
    assert "Usage: inv [--core-opts] migrate.cleanup-infra" in dashed.stdout
