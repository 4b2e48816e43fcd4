"""Daily commands with each fault of the sandbox: they name cause and fix, show no traceback and leave nothing behind."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator

import pytest

from sandbox import control
from sandbox.control import Box
from tasks.core import ports
from tests.world import ROOT, WWW, inv, program, switch_on

pytestmark = pytest.mark.slow

# fault -> exit code, what the message contains, what its fix contains
BEFORE_SETUP: dict[str, tuple[int, str, str]] = {
    "login-gone": (1, "nobody is logged in", "inv aks.login"),
    "login-70043": (1, "AADSTS70043", "inv aks.login"),
    "login-53003": (1, "Conditional Access", "--mode browser"),
    "login-65001": (1, "consent", "administrator"),
    "cluster-token-50076": (1, "second factor", "inv aks.login"),
    "az-missing": (1, "az is not installed", "install az"),
    "kubelogin-missing": (1, "kubelogin is not installed", "install kubelogin"),
    "kubelogin-wrong": (1, "int128", "install kubelogin"),
    "telepresence-missing": (1, "telepresence is not installed", "install telepresence"),
    "cluster-stopped": (1, "is stopped", "inv aks.start"),
    "api-refused": (1, "does not answer", "inv aks.status"),
    "manager-missing": (1, "traffic manager not found", "manager_namespace"),
    "manager-old": (1, "too old", "telepresence.version"),
    "rbac": (3, "is forbidden", "platform team"),
    "rbac-manager": (1, "traffic-manager", "platform team"),
    "arm-denied": (1, "AuthorizationFailed", "owner of the cluster"),
    "net-admin-missing": (1, "NET_ADMIN", "--cap-add=NET_ADMIN"),
    "tun-missing": (1, "/dev/net/tun", "--device=/dev/net/tun"),
    "iptables-missing": (1, "iptables is not installed", "apt-get install iptables"),
    "registry-refused": (1, "registry", "inv aks.registry"),
    "registry-firewall": (1, "firewall", "VPN"),
    "docker-no-engine": (1, "no Docker engine", "start Docker"),
    "disk-full": (1, "the disk is full", "free some space"),
    "home-read-only": (1, "may not be written", "owner"),
    "production-labels": (3, "is production", "development cluster"),
    "labels-unreadable": (3, "could not be looked at", "platform team"),
}
WITH_A_SESSION: dict[str, tuple[int, str, str]] = {
    "login-70043": (1, "AADSTS70043", "inv aks.login"),
    "login-50173": (1, "revoked", "inv aks.login"),
    "conflict": (3, "held by colleague@", "telepresence.slot"),
    "agent-never": (1, "waiting for agent", "kubectl get events"),
    "production-labels": (3, "is production", "development cluster"),
    "labels-unreadable": (3, "could not be looked at", "platform team"),
    "api-refused": (1, "does not answer", "inv aks.status"),
}
HARMLESS_WITH_A_SESSION = ("stale-sockets", "session-lost", "env-file-fails", "arm-denied", "registry-refused")


@pytest.fixture
def box() -> Iterator[Box]:
    box = control.up()
    yield box
    control.down(box)


def intercept(box: Box):
    return inv(box, "intercept", WWW, "--port", str(ports.free()), "--", "true")


@pytest.mark.parametrize("fault", BEFORE_SETUP)
def test_setup_names_the_fault_and_its_fix_and_runs_the_other_steps(box: Box, fault: str):
    code, said, fix = BEFORE_SETUP[fault]
    switch_on(box, fault)
    began = time.monotonic()
    done = inv(box, "setup")
    everything = done.stdout + done.stderr
    assert done.returncode == code, everything
    assert time.monotonic() - began < 60
    assert "Traceback" not in everything
    assert said in everything
    assert fix in everything
    if code != 3:
        assert "-- packages" in done.stderr


@pytest.mark.parametrize("fault", WITH_A_SESSION)
def test_an_intercept_names_the_fault_and_leaves_nothing_behind(box: Box, fault: str):
    code, said, fix = WITH_A_SESSION[fault]
    assert inv(box, "setup").returncode == 0
    switch_on(box, fault)
    done = intercept(box)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert said in done.stderr
    assert fix in done.stderr
    control.fault(box, fault, on=False)
    session = json.loads(inv(box, "tp.status", "--json").stdout)
    assert session["session"]["intercepts"] == []
    assert session["journal"] == []


@pytest.mark.parametrize("fault", HARMLESS_WITH_A_SESSION)
def test_a_fault_that_an_intercept_does_not_need_does_not_stop_it(box: Box, fault: str):
    assert inv(box, "setup").returncode == 0
    control.fault(box, fault)
    done = intercept(box)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("tool", ["az", "kubectl", "telepresence", "kubelogin"])
def test_a_tool_that_hangs_is_ended_at_its_deadline(box: Box, tool: str):
    assert inv(box, "setup").returncode == 0
    switch_on(box, f"hanging-{tool}")
    short = {f"REMOTE_DEV_DEADLINES__{name}": "2" for name in ("AZ", "KUBECTL", "TELEPRESENCE", "CONNECT", "INTERCEPT")}
    began = time.monotonic()
    done = inv(box, "intercept", WWW, "--port", str(ports.free()), "--", "true", env=short)
    assert time.monotonic() - began < 60
    assert done.returncode in {1, 3}, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "fix:" in done.stderr


def test_without_a_login_setup_is_quick_and_status_shows_it_later(box: Box):
    control.fault(box, "login-gone")
    began = time.monotonic()
    assert inv(box, "setup").returncode == 1
    assert time.monotonic() - began < 60
    shown = inv(box, "status").stdout
    assert "login" in shown
    assert "fix: inv aks.login" in shown


WRONG_WORDS = {
    "an unknown service": (("intercept", "www-ameide-plattform"), "did you mean www-ameide-platform"),
    "a port that is not a number": (("intercept", WWW, "--port", "abc"), "--port 3001"),
    "port 0": (("intercept", WWW, "--port", "0"), "--port 3001"),
    "port 70000": (("intercept", WWW, "--port", "70000"), "--port 3001"),
    "half a port": (("intercept", WWW, "--port", "3000:"), "LOCAL:REMOTE"),
    "no command after --": (("intercept", WWW, "--"), "add a command"),
    "a wrong flag": (("intercept", WWW, "--nonsense"), "inv --help intercept"),
    "a flag with a typing error": (("setup", "--dry-rn"), "did you mean --dry-run?"),
    "a flag without its value": (("tp.verify", WWW, "--via"), "inv --help tp.verify"),
    "a repeatable flag without a value": (("tilt.up", "--only"), "inv --help tilt.up"),
    "a task with a typing error": (("statu",), "did you mean status?"),
    "a task of no name like it": (("zzz",), "inv --list"),
    "a word too many": (("status", "zzz"), "inv --help status"),
    "a namespace alone": (("tp",), "inv --list tp"),
    "help for no task": (("--help", "zzz"), "inv --list"),
    "no service": (("tp.verify",), "inv tp.verify SERVICE"),
    "a worker": (("intercept", "workflows-runtime"), "inv tilt.up"),
    "an unknown step": (("setup", "--only", "pakages"), "packages"),
}


def typed(*words: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """Run the command line as typed, outside any sandbox."""
    return subprocess.run(
        program(*words),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("case", WRONG_WORDS)
def test_a_wrong_command_line_is_one_error_with_its_fix(case: str):
    words, fix = WRONG_WORDS[case]
    done = typed(*words)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 2, done.stderr  # and the line with the fix
    assert fix in done.stderr


@pytest.mark.parametrize("case", WRONG_WORDS)
def test_a_wrong_command_line_with_json_is_one_document(case: str):
    words, _ = WRONG_WORDS[case]
    place = words.index("--") if "--" in words else len(words)
    done = typed(*words[:place], "--json", *words[place:])
    told = json.loads(done.stdout)
    assert (done.returncode, told["schema"], told["exit"]) == (1, 1, 1), done.stderr
    assert told["error"]["what"]
    assert told["error"]["fix"]


@pytest.mark.parametrize("words", [("--list",), ("--help", "setup"), ("aks.schedule",)])
def test_a_full_disk_behind_stdout_is_reported(words: tuple[str, ...]):
    with open("/dev/full", "w") as full:
        done = typed(*words, stdout=full.fileno())
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "No space left on device" in done.stderr
