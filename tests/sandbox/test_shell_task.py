"""`inv sandbox.shell`, at a terminal and without one, and `inv sandbox.env`: what a person types, and what is left behind."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandbox import control
from sandbox.demo import docs
from tasks.core import ports
from tasks.core.process.processes import Process, running
from tests.sandbox.shell import wait_until
from tests.terminal import Terminal
from tests.world import ROOT, program

SHELLS = [name for name in ("bash", "zsh", "sh") if shutil.which(name)]


class Shell(Terminal):
    """A person at a terminal in `inv sandbox.shell`."""

    def __init__(self, shell: str, *flags: str) -> None:
        env = {**os.environ, "SHELL": str(shutil.which(shell)), "TERM": "dumb", "COLUMNS": "200"}
        env.pop("CI", None)
        super().__init__(program("sandbox.shell", *flags), env, os.getcwd())
        try:
            self.wait_for(r"\(sandbox (\w+)\)")
            self.name = re.findall(r"\(sandbox (\w+)\)", self.text)[0]
            self.box = control.find(self.name)
        except BaseException:
            self.kill()
            self.hang_up()
            raise

    def type(self, line: str, pattern: str = r"\nexit=(\d+)\n", seconds: float = 60) -> str:
        """Type a command line; return what was printed until the pattern, by default until its exit code."""
        self.text = ""
        self.press(f"{line}; echo; echo exit=$?\n" if pattern.startswith(r"\nexit") else f"{line}\n")
        return self.wait_for(pattern, seconds)


@pytest.fixture
def terminal() -> Iterator[Callable[..., Shell]]:
    """`terminal("bash", "--sample")` opens one. All are killed afterwards."""
    with contextlib.ExitStack() as opened:
        yield lambda shell, *flags: opened.enter_context(Shell(shell, *flags))


def of(box: control.Box) -> list[Process]:
    """The processes that were started in the sandbox, and its own."""
    return [p for p in running() if p.variable("REMOTE_SANDBOX") == str(box.path) or str(box.path) in p.argv]


def is_gone(box: control.Box) -> bool:
    """Is nothing of the sandbox left: no folder, no process that was started in it, and so no port?

    The port itself may belong to another test by now.
    """
    return not box.path.exists() and not of(box)


@pytest.mark.slow
@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_is_marked_and_has_the_stand_ins(terminal, shell):
    me = terminal(shell)
    assert f"{me.box.path}/bin/kubectl" in me.type("command -v kubectl")
    assert f"{me.box.path}/home" in me.type("echo $HOME")
    assert "kubectl-missing" in me.type("inv sandbox.faults")
    me.press("exit\n")
    me.end()
    assert wait_until(lambda: is_gone(me.box))


@pytest.mark.slow
@pytest.mark.parametrize("way", ["exit", "Ctrl-D", "SIGHUP", "SIGKILL"])
def test_nothing_is_left_however_the_shell_ends(terminal, way):
    me = terminal("bash")
    me.type("telepresence connect --namespace ameide")
    me.press("sleep 600 &\n")
    assert wait_until(lambda: any(p.argv == ("sleep", "600") for p in of(me.box)))
    if way in ("exit", "Ctrl-D"):
        me.press("exit\n" if way == "exit" else "\x04")
        me.end()
    else:
        me.kill(getattr(signal, way))
    assert wait_until(lambda: is_gone(me.box), 40)


@pytest.mark.slow
def test_an_intercept_and_a_stubborn_process_in_the_background_end_with_the_shell(terminal):
    me = terminal("bash", "--sample")
    me.press("(trap '' HUP TERM; sleep 601; true) &\n")
    assert "exit=0" in me.type("inv setup")
    me.type(f"inv intercept www-ameide-platform --port {ports.free()} &", "answered by your process")
    me.press("exit\n")
    me.end()
    assert wait_until(lambda: is_gone(me.box), 40)


@pytest.mark.slow
def test_the_lines_of_the_page_are_what_a_person_can_type(terminal):
    """The page's session from its first line to `exit`, Ctrl-C included."""
    (block,) = [b for b in docs.blocks((ROOT / "docs/offline.md").read_text()) if "sandbox.shell" in b.commands[0]]
    first, *lines, last = block.commands
    assert (first, last) == ("inv sandbox.shell --sample", "exit")
    me = terminal("bash", *first.split()[2:])
    for line in lines:
        if line.startswith("inv intercept"):
            me.type(f"{line} --port {ports.free()}", "answered by your process")
            me.text = ""
            me.press("\x03")
            assert "left the intercept" in me.wait_for("left the intercept")
            me.wait_for(r"\(sandbox \w+\)")
        else:
            assert "exit=0" in me.type(line), me.text
    me.press(f"{last}\n")
    me.end()
    assert wait_until(lambda: is_gone(me.box))


@pytest.mark.slow
def test_the_sandbox_of_a_shell_ends_with_the_shell_alone(terminal):
    me = terminal("bash")
    said = me.type("inv sandbox.down; echo code $?")
    assert "this sandbox ends with its shell" in said
    assert "code 3" in said
    control.down(me.box)  # as from another terminal
    said = me.type(f"'{sys.executable}' '{ROOT}/tasks.py' status; echo code $?")
    assert "the state folder cannot be created" in said
    assert "code 3" in said
    assert not me.box.path.exists()


def test_without_a_terminal_it_runs_what_it_is_given():
    done = subprocess.run(
        program("sandbox.shell"), input="az version\necho $REMOTE_SANDBOX\nexit 7\n", capture_output=True, text=True
    )
    assert done.returncode == 7
    assert '"azure-cli"' in done.stdout
    folder = Path(done.stdout.splitlines()[-1])
    assert folder.name.startswith("remote-sandbox-")
    assert wait_until(lambda: not folder.exists())


# --- sandbox.env
def bash(script: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a script in which `inv` is this checkout's."""
    inv = " ".join(f"'{word}'" for word in program())
    return subprocess.run(
        [str(shutil.which("bash")), "-c", f'inv() {{ {inv} "$@"; }}\n{script}'],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **env},
    )


@pytest.mark.parametrize("words", ["--id nope", "--nonsense", "--telepresence 1.0", "--repo /nowhere"])
def test_where_env_fails_the_shell_stops_and_inv_refuses(words):
    done = bash(f'eval "$(inv sandbox.env {words})"; echo "code $?"; inv setup; echo "code $?"')
    assert done.stdout.splitlines() == ["code 1", "code 3"]
    assert done.stderr.startswith("error: ")
    assert "the state folder cannot be created" in done.stderr


def test_env_fails_with_two_sandboxes_and_names_them(make_box):
    one, two = make_box(), make_box()
    done = bash('set -e; eval "$(inv sandbox.env)"; echo went on')
    assert done.returncode == 1
    assert "went on" not in done.stdout
    assert one.id in done.stderr
    assert two.id in done.stderr


def test_env_with_json_prints_one_document_when_it_fails():
    assert bash("inv sandbox.env --id nope --json").stdout.startswith("{")


def test_a_failure_is_left_behind_by_a_success(make_box):
    box = make_box()
    lines = ['eval "$(inv sandbox.env --id nope)"', f'eval "$(inv sandbox.env --id {box.id})"', "inv setup --check"]
    done = bash("; ".join([*lines, "echo code $?", "echo $REMOTE_DEV_STATE"]))
    assert done.stdout.splitlines()[-2:] == ["code 2", f"{box.path}/state"]


def test_in_the_environment_of_an_ended_sandbox_inv_refuses_and_creates_nothing(make_box):
    box = make_box()
    control.down(box)
    for task in ("setup", "status", "down", "intercept www-ameide-platform", "aks.start --yes"):
        done = bash(f"inv {task}", **box.env)
        assert done.returncode == 3, (task, done)
        assert "the state folder cannot be created" in done.stderr
    assert not box.path.exists()
    assert not Path(box.env["HOME"]).exists()


@pytest.mark.slow
def test_the_lines_of_the_page_for_scripts_run():
    """In one shell, as they are typed. With an own TMPDIR no other sandbox of this machine is found."""
    (block,) = [b for b in docs.blocks((ROOT / "docs/offline.md").read_text()) if "sandbox.env" in "".join(b.commands)]
    with tempfile.TemporaryDirectory(prefix="own-") as own:
        done = bash("set -e\n" + "\n".join(block.commands), TMPDIR=own)
        assert os.listdir(own) == []
    assert done.returncode == 0, done
    assert "8 of 10 steps done, 2 skipped" in done.stdout  # its core has neither packages nor the submodule
