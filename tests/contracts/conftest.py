"""Run each contract with every available program of its module's TOOL. The summary lists what was not tried."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox import control
from tasks.core.config import settings
from tasks.core.config.settings import Settings
from tests.contracts import programs
from tests.contracts.programs import Candidate, Program

_boxes: dict[str, control.Box] = {}
_numbers = iter(range(1, 1_000_000))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    tool = getattr(metafunc.module, "TOOL", "")
    if tool and "program" in metafunc.fixturenames:
        folder = metafunc.config.getoption("--contracts")
        found = [*programs.stand_ins(tool), *programs.real(tool, folder)]
        metafunc.parametrize("program", found, ids=[c.label.replace(" ", "-") for c in found], indirect=True)


def box_of(release: str = "") -> control.Box:
    """The sandbox with this version of telepresence. It is started once for each test process."""
    release = release or control.VERSIONS[-1]
    if release not in _boxes:
        _boxes[release] = control.up(telepresence=release)
    return _boxes[release]


@pytest.fixture(scope="session", autouse=True)
def boxes_end() -> Iterator[None]:
    """Stop all sandboxes after the tests."""
    yield
    for box in _boxes.values():
        control.down(box)
    _boxes.clear()


@pytest.fixture
def program(request: pytest.FixtureRequest, tmp_path: Path, record_property: Any) -> Iterator[Program]:
    """The program with an empty HOME. Afterwards, the test's faults are switched off and its daemons are stopped."""
    candidate: Candidate = request.param
    record_property("program", f"{candidate.tool} ({candidate.label})")
    found = _stand_in(candidate) if not candidate.path else _real(candidate, tmp_path, request.config)
    yield found
    for name in found.active_faults:
        assert found.box is not None
        control.fault(found.box, name, on=False)
    if candidate.tool == "telepresence":
        found.call("quit", "--stop-daemons")


@pytest.fixture
def suite(program: Program, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings for the suite's wrappers, with this program's environment in this process."""
    for name, value in program.env.items():
        monkeypatch.setenv(name, value)
    for name in os.environ.keys() - program.env.keys():
        monkeypatch.delenv(name)
    variables = {
        "CONTEXT": "CLUSTER__CONTEXT",
        "NAMESPACE": "CLUSTER__NAMESPACE",
        "MANAGER_NAMESPACE": "CLUSTER__MANAGER_NAMESPACE",
        "REGISTRY": "REGISTRY__HOST",
    }
    for name, key in variables.items():
        if program.cluster.get(name):
            monkeypatch.setenv(f"REMOTE_DEV_{key}", program.cluster[name])
    settings.settings.cache_clear()
    return settings.settings()


def _stand_in(candidate: Candidate) -> Program:
    box = box_of(candidate.release)
    user = f"person{next(_numbers)}"
    env = {**os.environ, **control.as_user(box, user)}
    program = Program(candidate, env, box)
    program.call("logout", tool="az")
    return program


def _real(candidate: Candidate, tmp_path: Path, config: pytest.Config) -> Program:
    folder = config.getoption("--contracts")
    home = tmp_path / "real"
    (home / "bin").mkdir(parents=True)
    others = [c.path for tool in programs.TOOLS if tool != candidate.tool for c in programs.real(tool, folder)[:1]]
    ahead = [str(home / "bin")]
    for path in (candidate.path, *others):
        if os.path.basename(path) in programs.TOOLS:
            ahead.append(os.path.dirname(os.path.abspath(path)))
        else:
            (home / "bin" / path.rpartition("/")[2].split("-")[0]).symlink_to(os.path.abspath(path))
    ahead.sort(key=lambda place: place != os.path.dirname(os.path.abspath(candidate.path)))
    env = {k: v for k, v in os.environ.items() if not k.startswith(("AZURE_", "KUBE", "DOCKER_"))}
    env |= {"HOME": str(home), "KUBECONFIG": str(home / ".kube/config"), "LANG": "C.UTF-8", "NO_COLOR": "1"}
    env |= {"PATH": os.pathsep.join([*ahead, os.environ["PATH"]]), "AZURE_CORE_COLLECT_TELEMETRY": "false"}
    return Program(candidate, env, None, cluster=programs.cluster_of(folder))
