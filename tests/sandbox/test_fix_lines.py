"""Every fault of the sandbox: the task that meets it prints a fix, the commands in it can be pasted, and then the task works.

Where only a person can remove the cause (a right, a VPN, a program to install), the table says why. The test removes
the fault in that person's place, and pastes the commands that the fix names after it.
"""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from sandbox import control, shell
from sandbox.faults.catalogue import FAULTS
from tasks.core import ports
from tests.world import ROOT, switch_on

pytestmark = pytest.mark.slow
WWW = "www-ameide-platform"
RELEASE = "apps-www-ameide-platform-tilt"
INTERCEPT = f"intercept {WWW} --port PORT -- true"
TILT = f"tilt.ci --only {WWW}"
ARGO = f"argo.check {WWW}"
LOGIN = "setup --only login"
SHORT = {f"REMOTE_DEV_DEADLINES__{name}": "2" for name in ("AZ", "KUBECTL", "TELEPRESENCE", "CONNECT", "DOCKER")}

# Why no command removes the cause
ADMINISTRATOR = "an administrator or a device decides"
INSTALLS = "a person installs it, or rebuilds the dev container"
GRANTS = "the platform team grants it"
NETWORK = "a person connects the network"
GITOPS = "it is changed in the gitops repository"
MACHINE = "the machine or the container is changed"
BY_HAND = "a person finds what holds it up"
BROWSER = "a person answers in the browser"

# What is done before, so that the task meets the fault
SIGNED_OUT = "az logout"
NO_SESSION = "inv tp.quit --yes"
NO_REGISTRY = 'rm -f "$REMOTE_DEV_STATE/registry.json"; docker logout ameidedev.azurecr.io'
NO_PACKAGES = "rm -rf node_modules services/*/node_modules"


@dataclass(frozen=True)
class Fix:
    """A task that meets the fault, and the fix that it prints."""

    task: str
    names: str
    """Words of the fix: its command, or what a person does."""

    paste: tuple[str, ...] = ()
    """The commands of the fix, in order."""

    person: str = ""
    """Why no command removes the cause; empty where `paste` does."""

    before: str = ""
    terminal: bool = False
    """Is the task typed at a terminal?"""

    short: bool = False
    """Are the deadlines short?"""

    leaves: bool = False
    """The fault is over after a moment, and a second run meets what it left."""


def login(names: str = "inv aks.login", person: str = "", paste: tuple[str, ...] = ("inv aks.login",)) -> Fix:
    return Fix(LOGIN, names, paste, person)


def blocked(where: str) -> Fix:
    return login(f"{where}inv aks.login --mode browser", ADMINISTRATOR, ())


def installed(task: str, program: str) -> Fix:
    return Fix(task, f"install {program}", (), INSTALLS)


def signed_in_with_a_code() -> Fix:
    task = "aks.login --mode device-code"
    return Fix(task, "inv aks.login", ("inv aks.login",), BROWSER, before=SIGNED_OUT, terminal=True)


FIXES: dict[str, Fix] = {
    **{f"login-{code}": login() for code in ("70043", "700082", "50173", "700084", "50078", "50076")},
    "login-50079": login("https://aka.ms/mfasetup, then inv aks.login", "a second factor is set up on a web page"),
    "login-53003": blocked(""),
    "login-53000": blocked("on a compliant device: "),
    "login-530003": blocked("on a managed device: "),
    "login-50005": blocked("on an allowed platform: "),
    "login-65001": login("ask an administrator of the tenant for consent", ADMINISTRATOR, ()),
    "login-50105": login("ask an administrator of the tenant to assign you", ADMINISTRATOR, ()),
    "login-50020": login("with an account of the tenant", "another account is needed"),
    "login-50034": login("with an account of the tenant", "another account is needed"),
    "login-700024": login("let the pipeline fetch a new one, then inv aks.login", "the pipeline's own token"),
    "login-7000215": login("AZURE_CLIENT_SECRET, then inv aks.login", "a secret is entered"),
    "login-7000222": login("AZURE_CLIENT_SECRET, then inv aks.login", "a secret is made"),
    "login-gone": Fix(LOGIN, "inv aks.login", ("inv aks.login",), "the fault takes each login away"),
    "cluster-token-50076": login(person="a second factor is entered"),
    "device-code-expired": signed_in_with_a_code(),
    "device-code-declined": signed_in_with_a_code(),
    "device-code-blocked": signed_in_with_a_code(),
    "registry-role": Fix("aks.check", "AcrPush, then inv aks.registry", ("inv aks.registry",), GRANTS),
    "release-stuck": Fix(TILT, f"inv tilt.down --only {RELEASE}", (f"inv tilt.down --only {RELEASE}",), leaves=True),
    "az-missing": installed(LOGIN, "az"),
    "kubelogin-missing": installed("setup --only tools", "kubelogin"),
    "kubelogin-wrong": installed("setup", "Azure's kubelogin"),
    "kubectl-missing": installed(INTERCEPT, "kubectl"),
    "telepresence-missing": installed("tp.connect", "telepresence"),
    "pnpm-missing": installed("setup --only tools", "pnpm"),
    "helm-missing": installed(TILT, "helm"),
    "tilt-missing": installed(TILT, "tilt"),
    "docker-missing": Fix("aks.registry", "install docker", (), INSTALLS, before=NO_REGISTRY),
    "docker-no-engine": Fix("aks.registry", "start Docker", (), MACHINE, before=NO_REGISTRY),
    "docker-forbidden": Fix("aks.registry", "usermod -aG docker", (), MACHINE, before=NO_REGISTRY),
    "cluster-stopped": Fix("setup", "inv aks.start", ("inv aks.start --yes",)),
    "dns": Fix("setup", "the VPN; inv aks.status", (), NETWORK),
    "api-refused": Fix("setup", "inv aks.status", ("inv aks.status",), NETWORK),
    "api-silent": Fix("setup", "inv aks.status", ("inv aks.status",), NETWORK, short=True),
    "api-hung": Fix("setup", "", (), NETWORK, short=True),
    "production-tags": Fix("aks.credentials --force", "development cluster", (), "the settings name production"),
    "manager-missing": Fix("aks.check", "telepresence helm install", (), GRANTS),
    "manager-old": Fix("aks.check", "bring both to one version", (), GITOPS),
    "rbac": Fix("setup", "ask the platform team", ("inv aks.check",), GRANTS),
    "rbac-manager": Fix("setup", "ask the platform team", ("inv setup",), GRANTS),
    "arm-denied": Fix("aks.check", "ask the owner of the resource group", ("inv aks.login",), GRANTS),
    "net-admin-missing": Fix("tp.connect", "--cap-add=NET_ADMIN", (), MACHINE, before=NO_SESSION),
    "tun-missing": Fix("tp.connect", "--device=/dev/net/tun", (), MACHINE, before=NO_SESSION),
    "iptables-missing": Fix("tp.connect", "apt-get install iptables", (), MACHINE, before=NO_SESSION),
    "container-root": Fix("tp.connect", '"remoteUser": "vscode"', (), MACHINE, before=NO_SESSION),
    "status-wrong": Fix("tp.connect", "remoteUser", (), MACHINE, before=NO_SESSION),
    "conflict": Fix(INTERCEPT, "ask colleague@colleague-box", (), "the colleague decides"),
    "agent-never": Fix(
        "intercept www-ameide --port PORT -- true", "kubectl get events", ("kubectl get events",), GITOPS
    ),
    "registry-refused": Fix("aks.check", "then inv aks.registry", ("inv aks.registry",), GRANTS),
    "registry-firewall": Fix("aks.check", "connect the VPN", (), NETWORK),
    "hanging-az": Fix(LOGIN, "answers by hand", (), BY_HAND, short=True),
    "hanging-kubectl": Fix("setup", "answers by hand", (), BY_HAND, short=True),
    "hanging-kubelogin": Fix("setup", "", (), BY_HAND, short=True),
    "hanging-telepresence": Fix("tp.connect", "inv down", ("inv down",), BY_HAND, short=True),
    "hanging-docker": Fix("aks.registry", "", (), BY_HAND, short=True, before=NO_REGISTRY),
    "components-missing": Fix("aks.check", "is installed by the gitops repository", (), GITOPS),
    "platform-unreadable": Fix("aks.check", "ask for the role `view`", (), GRANTS),
    "quota-missing": Fix("aks.check", "add one in the gitops repository", (), GITOPS),
    "quota-full": Fix("aks.check", "inv tilt.down", ("inv tilt.down",), GRANTS),
    "pools-dear": Fix("aks.check", "enableAutoScaling", (), GITOPS),
    "argo-drift": Fix(ARGO, "argocd app diff", (), GITOPS),
    "argo-wide-rule": Fix(ARGO, "narrow it to the single keys", (), GITOPS),
    "argo-no-rule": Fix(ARGO, "add it in the gitops repository", (), GITOPS),
    "agent-orphaned": Fix(ARGO, "kubectl delete pod", (), "colleagues see the pod replaced"),
    "agent-wrong-manager": Fix(ARGO, "kubectl delete pod", (), "colleagues see the pod replaced"),
    "disk-full": Fix("setup --only packages", "free some space", (), MACHINE, before=NO_PACKAGES),
    "home-read-only": Fix("aks.credentials", "", (), MACHINE, before="rm -f ~/.kube/config"),
    "production-labels": Fix("setup", "development cluster", (), "the settings name production"),
    "labels-unreadable": Fix("setup", "platform team", (), GRANTS),
}

# What the daily tasks cope with, or wait for: no fix is printed.
COPED_WITH = {
    "device-code-unanswered": "az waits for the person",
    "browser-unanswered": "az waits for the person",
    "no-subscription": "setup names the subscription that it needs before az is asked for a default",
    "crash-loop": "tilt.ci shows the reason and the last lines of the pod; the program is corrected",
    "stale-sockets": "the next connect removes them",
    "session-lost": "the next intercept reconnects",
    "env-file-fails": "the suite writes the file itself",
    "connect-slow": "it only takes longer",
    "slow-tools": "it only takes longer",
    "root-daemon-busy": "connect tries again",
    "argo-missing": "then nothing undoes an intercept",
    "packages-refused": "the sample's lock file names no package; tests/sandbox/standins/test_pnpm.py has one",
    "hanging-pnpm": "an install may take minutes",
}


class Place:
    """The sample repository in a sandbox, shared by the tests as long as each leaves it as it was."""

    def __init__(self) -> None:
        self.box = control.up()
        self.core = shell.sample_core(self.box, ROOT)
        self.used = False
        code, said = self.typed("inv setup")
        assert code == 0, said

    def task(self, task: str, *, short: bool) -> tuple[int, str]:
        """Run a task without a terminal."""
        words = [str(ports.free()) if word == "PORT" else word for word in task.split()]
        done = subprocess.run(
            [sys.executable, str(self.core / "tasks.py"), *words],
            cwd=self.core,
            env=self.box.environment(CI="true", **(SHORT if short else {})),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return done.returncode, done.stdout + done.stderr

    def typed(self, line: str) -> tuple[int, str]:
        """Run a command line as a person who pastes it at a terminal."""
        ours, theirs = pty.openpty()
        env = {k: v for k, v in self.box.environment(COLUMNS="400").items() if k != "CI"}
        process = subprocess.Popen(
            ["bash", "-c", line], cwd=self.core, env=env, stdin=theirs, stdout=theirs, stderr=theirs,
            start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        said, end = b"", time.monotonic() + 120
        while time.monotonic() < end:
            ready, _, _ = select.select([ours], [], [], 0.1)
            try:
                said += os.read(ours, 65536) if ready else b""
            except OSError:  # the last process has closed the terminal
                break
            if not ready and process.poll() is not None:
                break
        os.close(ours)
        if process.poll() is None:
            process.kill()
        return process.wait(), said.decode(errors="replace").replace("\r", "")


@pytest.fixture(scope="module")
def places() -> Iterator[list[Place]]:
    made: list[Place] = []
    yield made
    for place in made:
        control.down(place.box)


@pytest.fixture
def place(places: list[Place]) -> Place:
    """The shared place; a new one after a test that failed half-way."""
    if not places or places[-1].used:
        places.append(Place())
    places[-1].used = True
    return places[-1]


def test_every_fault_is_in_one_of_the_tables():
    assert {*FIXES} | {*COPED_WITH} == {*FAULTS}
    assert not {*FIXES} & {*COPED_WITH}
    for name, fix in FIXES.items():
        assert fix.person or fix.paste, f"{name}: neither a command nor a person"


@pytest.mark.parametrize("fault", FIXES)
def test_the_fix_of_the_fault_fixes_it(place: Place, fault: str):
    fix = FIXES[fault]
    if fix.before:
        place.typed(fix.before)
    switch_on(place.box, fault)
    try:
        exit, said = place.typed(f"inv {fix.task}") if fix.terminal else place.task(fix.task, short=fix.short)
        if fix.leaves:
            control.fault(place.box, fault, on=False)
            exit, said = place.task(fix.task, short=fix.short)
        assert "Traceback" not in said
        fixes = [line.split("fix:", 1)[1] for line in said.splitlines() if "fix:" in line]
        assert any(fix.names in line for line in fixes), f"exit {exit}: {said}"
        if fix.person:
            control.fault(place.box, fault, on=False)
        for command in fix.paste:
            code, said = place.typed(command)
            assert code == 0, said
        code, said = place.typed(f"inv {fix.task}") if fix.terminal else place.task(fix.task, short=False)
        assert code == 0, said
    finally:
        control.fault(place.box, fault, on=False)
    place.used = False
