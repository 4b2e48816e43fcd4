"""Replay the recordings: each stand-in has the recorded exit code, streams and phrases in the same situation.

tests/data/contracts holds shortened recordings of the real programs. A stream that a case does not mention was empty; a
list holds phrases in it; `keys` holds keys of its JSON; `something`: it was not empty. `differs` names a known difference
of the stand-in. A real program is compared only if it has the recorded version.

"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.core.config import settings
from tests.contracts import programs
from tests.contracts.kubeconfigs import fetched
from tests.contracts.programs import Program

pytestmark = pytest.mark.contract
DATA = Path(__file__).parent.parent / "data" / "contracts"
_TWO = """apiVersion: v1
kind: Config
clusters:
- {name: ameide-dev-aks, cluster: {server: "https://127.0.0.1:1", insecure-skip-tls-verify: true}}
- {name: kind-kind, cluster: {server: "https://127.0.0.1:2", insecure-skip-tls-verify: true}}
contexts:
- {name: ameide-dev-aks, context: {cluster: ameide-dev-aks, user: a, namespace: ameide-dev}}
- {name: kind-kind, context: {cluster: kind-kind, user: a}}
current-context: kind-kind
users:
- {name: a, user: {token: not-a-real-token}}
"""
_PLUGIN = """{exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: kubelogin, env: null, provideClusterInfo: false,
  args: [get-token, --login, azurecli, --server-id, 6dae42f8-4368-4678-94ff-3960e28e3630]}}"""


def _current(name: str) -> str:
    return _TWO.replace("current-context: kind-kind", f"current-context: {name}")


def _no_engine(program: Program) -> None:
    if program.is_real:
        program.not_tried("the recorded socket cannot be removed")
    program.fault("docker-no-engine")


def _without_engine(program: Program) -> None:
    """Leave the Docker client without an engine, wherever that is."""
    if not program.is_real:
        program.fault("docker-no-engine")
        return
    if shutil.which("docker", path=program.env["PATH"]) is None:
        program.not_tried("there is no docker client next to it")
    program.env["DOCKER_HOST"] = f"unix://{program.home}/no-engine.sock"


def _credentials(program: Program, connect: bool = False) -> None:
    if program.is_real:
        program.not_tried("the recorded cluster is not available")
    program.kubeconfig(fetched(program, settings.settings()))
    if connect:
        (program.home / "work").mkdir()
        assert program.call("connect", "--namespace", "ameide", "--mapped-namespaces", "ameide").exit == 0


SITUATIONS: dict[str, Callable[[Program], object]] = {
    "as is": lambda program: None,
    "logged out": lambda program: None,
    "logged out, no engine": _without_engine,
    "no kubeconfig": lambda program: None,
    "two contexts": lambda program: program.kubeconfig(_TWO),
    "two, none current": lambda program: program.kubeconfig(_current('""')),
    "dangling context": lambda program: program.kubeconfig(_current("gone")),
    "refused": lambda program: program.kubeconfig(_current("ameide-dev-aks")),
    "aks current": lambda program: program.kubeconfig(_current("ameide-dev-aks")),
    "plugin": lambda program: program.kubeconfig(
        _current("ameide-dev-aks").replace("{token: not-a-real-token}", _PLUGIN)
    ),
    "no engine": _no_engine,
    "credentials": _credentials,
    "connected": lambda program: _credentials(program, connect=True),
}


def recorded() -> list[tuple[str, str, dict[str, Any]]]:
    """(tool, version, case) of every file."""
    found = []
    for file in sorted(DATA.glob("*.yaml")):
        content = yaml.load(file.read_text("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        found += [(content["tool"], content["version"], case) for case in content["cases"]]
    return found


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    folder = metafunc.config.getoption("--contracts")
    values, ids = [], []
    for tool, version, case in recorded():
        mine = [c for c in programs.stand_ins(tool) if c.release in ("", version)]
        for candidate in [*mine, *(c for c in programs.real(tool, folder) if version in _version(c.path))]:
            values.append((candidate, case))
            ids.append(f"{tool}-{version}-{'real-' if candidate.path else ''}{case['name']}")
    metafunc.parametrize(("program", "case"), values, ids=ids, indirect=["program"])


def _version(path: str) -> str:
    import subprocess

    words = ["version", "--client"] if path.endswith("kubectl") else ["--version"]
    return subprocess.run([path, *words], capture_output=True, text=True, check=False, timeout=60).stdout


def test_it_answers_as_recorded(program: Program, case: dict[str, Any]):
    if "differs" in case and not program.is_real:
        program.not_tried(f"{case['name']}: the stand-in differs, {case['differs']}")
    SITUATIONS[case["in"]](program)
    home = str(program.home)
    place = program.home / "p"
    place.mkdir()
    files = {**(case.get("files") or {}), **({"Tiltfile": case["tiltfile"]} if "tiltfile" in case else {})}
    for name, text in files.items():
        path = place / name.replace("{home}", home)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    env = {name: value.replace("{home}", home) for name, value in (case.get("env") or {}).items()}
    for step in case.get("steps") or [case]:
        if "differs" in step and not program.is_real:
            continue
        done = program.call(*(word.replace("{home}", home) for word in step["argv"]), cwd=place, env=env)
        assert done.exit == step["exit"], (step["name"], done)
        holds(step.get("out", []), done.out, f"{step['name']}: stdout")
        holds(step.get("err", []), without_noise(done.err), f"{step['name']}: stderr")


def holds(wanted: Any, text: str, stream: str) -> None:
    """Check that a stream is as recorded: empty, with these phrases, or JSON with these keys."""
    if wanted == "anything":
        return
    if wanted == "something":
        assert text, stream
    elif not wanted:
        assert text == "", stream
    elif isinstance(wanted, dict):
        assert set(wanted["keys"]) <= set(keys(json.loads(text))), stream
    else:
        for phrase in wanted:
            assert phrase in text, stream


def keys(value: Any, prefix: str = "") -> list[str]:
    """The keys of two levels; of a list, those of its first element."""
    if isinstance(value, list):
        return keys(value[0], prefix) if value else []
    if not isinstance(value, dict):
        return []
    below = (
        []
        if prefix
        else [k for name, inner in value.items() if isinstance(inner, dict) for k in keys(inner, f"{name}.")]
    )
    return [*(prefix + name for name in value), *below]


def without_noise(text: str) -> str:
    """Remove kubectl's log lines, one for each attempt."""
    return re.sub(r"^[EWI]\d{4} .*\n", "", text, flags=re.MULTILINE)
