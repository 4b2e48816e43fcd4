"""Helm as a team's own Tiltfile calls it: which calls go through the suite, and what it refuses."""

from __future__ import annotations

import io
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.core.errors import REFUSED, Refused, ToolError
from tasks.core.repository import repository_root
from tasks.core.state import journal
from tasks.flows.tilt import deploy, held
from tasks.tools import helm
from tasks.tools.helm import Release
from tests.tasks.flows import fakes
from tests.tasks.flows.fakes import Workstation

WWW = "apps-www-ameide-tilt"
FRONT = repository_root() / "tilt/bin/helm"
UPGRADE = ("upgrade", "--install", "--values", "x.yaml", WWW, "./chart")


@pytest.fixture
def front(tmp_path: Path) -> Callable[..., tuple[int, list[str], str]]:
    """Call tilt/bin/helm with a Python and a Helm that show how they are called."""
    for name in ("python", "bin/helm"):
        program = tmp_path / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f'#!/bin/sh\necho {program.name} "$REMOTE_DEV_CLUSTER__NAMESPACE" "$@"\necho "$PATH" >&2\n')
        program.chmod(0o755)

    def run(*argv: str, **env: str) -> tuple[int, list[str], str]:
        path = os.pathsep.join([str(tmp_path / "first"), str(FRONT.parent), str(tmp_path / "bin"), "/usr/bin", "/bin"])
        given = {"PATH": path, "TILT_REMOTE_DEV_PYTHON": str(tmp_path / "python"), "TILT_REMOTE_DEV_CONTEXT": "dev"}
        done = subprocess.run(
            ["helm", *argv], env={**given, **env}, capture_output=True, text=True, timeout=60, executable=FRONT
        )
        return done.returncode, done.stdout.split(), done.stderr

    return run


@pytest.mark.parametrize(
    ("argv", "namespace"),
    [
        (UPGRADE, ""),
        (("--namespace", "team", "upgrade", "a", "b"), "team"),
        (("upgrade", "a", "b", "--namespace=team"), "team"),
        (("upgrade", "-n", "team", "a", "b"), "team"),
        (("upgrade", "-nteam", "a", "b"), "team"),
        (("upgrade", "-n", "other", "a", "b", "-n=team"), "team"),
        (("install", "a", "b", "--kube-context", "dev"), ""),
        (("un", "a"), ""),
        (("rollback", "a", "1"), ""),
    ],
)
def test_a_call_that_writes_goes_through_the_suite(
    front: Callable[..., tuple[int, list[str], str]], argv: tuple[str, ...], namespace: str
):
    code, said, path = front(*argv)
    assert (code, said[0]) == (0, "python")
    assert said[-len(argv) - 1 :] == [str(repository_root()), *argv]
    assert str(FRONT.parent) not in path  # Helm itself is next
    words = [namespace] if namespace else []
    assert said[1 : 1 + len(words)] == words
    assert front(*argv, HELM_NAMESPACE="elsewhere")[1][1] == (namespace or "elsewhere")


@pytest.mark.parametrize(
    "argv", [("version",), ("get", "manifest", WWW), ("template", "install", "."), ("plugin", "install", "x"),
     ("diff", "upgrade", WWW, "./chart"), ("status", "install"), ()]
)  # fmt: skip
def test_any_other_call_is_helms_own(front: Callable[..., tuple[int, list[str], str]], argv: tuple[str, ...]):
    code, said, path = front(*argv)
    assert (code, said) == (0, ["helm", *argv])
    assert str(FRONT.parent) not in path


@pytest.mark.parametrize(
    "flags", [("--kube-context", "prod"), ("--kube-context=prod",), ("--kubeconfig=/x",), ("--take-ownership",)]
)
def test_another_cluster_and_a_take_over_are_refused(
    front: Callable[..., tuple[int, list[str], str]], flags: tuple[str, ...]
):
    code, said, why = front(*UPGRADE, *flags)
    assert (code, said) == (REFUSED, [])
    assert flags[0].partition("=")[0] in why


def test_without_the_suites_python_nothing_is_written_and_the_fix_is_named(
    front: Callable[..., tuple[int, list[str], str]],
):
    code, said, why = front(*UPGRADE, TILT_REMOTE_DEV_PYTHON="/nowhere/python")
    assert (code, said) == (1, [])
    assert "fix: " in why
    assert "/scripts/inv" in why


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Workstation:
    """A place in which Helm plans WWW and says what it is called with."""
    workstation = fakes.workstation(monkeypatch, telepresence__slot="ada")

    class Helm:
        """The program, and one call of it."""

        def __init__(self, *argv: str) -> None:
            self.argv = argv

        def __getitem__(self, argv: tuple[str, ...]) -> Helm:
            return Helm(*argv)

        def call(self, **how: object) -> Any:
            stdin = how.get("stdin")
            workstation.did.append(" ".join(self.argv) + (f" < {stdin!r}" if stdin else ""))
            return SimpleNamespace(exit=0, stdout="deployed\n")

    monkeypatch.setattr(held, "settings", lambda: workstation.settings)
    monkeypatch.setattr(helm, "tool", lambda s: Helm())
    monkeypatch.setattr(
        helm, "planned", lambda s, argv, stdin=None: (WWW, s.cluster.namespace, [{"kind": "Deployment"}])
    )
    monkeypatch.setattr(helm, "releases", lambda s, holder: [])
    monkeypatch.setattr(helm, "holder_of", lambda s, name: "bob")
    monkeypatch.setattr(deploy, "rendered_baseline", lambda s, service: [])
    monkeypatch.setattr(deploy, "collisions", lambda s, service, objects, baseline: [])
    fakes.freeze(workstation.settings)
    return workstation


def test_an_own_release_is_recorded_before_it_is_deployed_with_a_label(here: Workstation):
    assert held.main(UPGRADE) == 0
    assert here.did == ["assess", f"{' '.join(UPGRADE)} --labels held-by=ada"]
    (entry,) = journal.entries("release")
    assert entry.data == {
        "release": WWW, "service": "www-ameide", "context": "dev", "namespace": "team", "holder": "ada"
    }  # fmt: skip
    assert held.main(["uninstall", WWW]) == 0
    assert journal.entries("release") == []


@pytest.mark.parametrize("recorded", [True, False])
def test_a_release_of_somebody_else_is_not_touched(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], recorded: bool
):
    if recorded:  # ours was removed by hand, and a colleague has deployed one of the same name since
        journal.record("release", release=WWW, service="www-ameide", context="dev", namespace="team", holder="ada")
    monkeypatch.setattr(helm, "releases", lambda s, holder: [Release(WWW, "deployed", 1)])
    assert held.main(UPGRADE) == REFUSED
    assert "is held by bob" in capsys.readouterr().err
    assert held.main(["uninstall", "--timeout", "5m", WWW]) == 0
    assert held.main(["rollback", WWW]) == REFUSED
    assert "is not yours" in capsys.readouterr().err
    assert here.did == ["assess", "assess", "assess"]


def test_a_release_that_would_touch_the_baseline_is_refused(here: Workstation, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(deploy, "collisions", lambda s, service, objects, baseline: ["Deployment www-ameide"])
    assert held.main(UPGRADE) == REFUSED
    assert journal.entries("release") == []
    monkeypatch.setattr(
        helm, "planned", lambda s, argv, stdin=None: ("redis", "team", [])
    )  # no service of the catalogue
    assert held.main(UPGRADE) == REFUSED


def test_a_namespace_that_was_read_differently_than_helm_reads_it_is_refused(
    here: Workstation, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(helm, "planned", lambda s, argv, stdin=None: (WWW, "elsewhere", []))
    assert held.main(UPGRADE) == REFUSED
    assert here.did == ["assess"]


@pytest.mark.parametrize("words", [("-f", "-"), ("--values=-",), ("--values", "-"), ("-f-",)])
def test_values_from_standard_input_reach_helm(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"replicas: 2")))
    assert held.main(["upgrade", "--install", WWW, "./chart", *words]) == 0
    assert here.did[-1].endswith(" < b'replicas: 2'")


def test_a_release_goes_only_to_the_cluster_that_tilt_deploys_to(here: Workstation, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TILT_REMOTE_DEV_CONTEXT", "other")  # of the Tiltfile, which does not read .env
    assert held.main(UPGRADE) == REFUSED
    assert here.did == []


def test_production_and_a_failure_are_the_exit_code(here: Workstation, capsys: pytest.CaptureFixture[str]):
    for failure in (Refused("production"), ToolError("helm upgrade: no chart")):
        here.failing = {"assess": failure}
        assert held.main(UPGRADE) == failure.code
        assert failure.what in capsys.readouterr().err
    assert here.did == []
