"""The session's credential helper, against a plain token in an otherwise equal kubeconfig, and how often az is asked.

The latencies are those of the real programs. With BENCHMARK_PROGRAMS, a folder with kubectl, kube-apiserver and etcd, the same
is measured with them.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from benchmarks import Row, _real, _world, of
from benchmarks._world import VERSION, box, frozen, inv
from sandbox.control import Box
from tasks.core.config.catalogue import catalogue

KUBECTL_AIM, HELPER_AIM = 1.15, 25.0  # x, ms


def with_token(file: Path, token: str, target: Path) -> Path:
    """Write the same kubeconfig with this token instead of the plugin."""
    document = yaml.safe_load(file.read_text("utf-8"))
    document["users"][0]["user"] = {"token": token}
    target.write_text(yaml.safe_dump(document), "utf-8")
    return target


def plugin(file: Path) -> dict[str, Any]:
    """Return the plugin that this kubeconfig names."""
    found: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))["users"][0]["user"]["exec"]
    return found


def ask(file: Path, env: Mapping[str, str]) -> tuple[float, str]:
    """Call the plugin as client-go does; return the seconds and the token.

    A shell is its parent, a new one for each call: a client that asks again means that its token was refused.
    """
    called = plugin(file)
    info = {"kind": "ExecCredential", "apiVersion": called["apiVersion"], "spec": {"interactive": False}}
    own = {pair["name"]: pair["value"] for pair in called.get("env") or ()}
    began = time.perf_counter()
    done = subprocess.run(
        ["sh", "-c", '"$@"; exit $?', "sh", called["command"], *called["args"]],
        env={**env, **own, "KUBERNETES_EXEC_INFO": json.dumps(info)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    seconds = time.perf_counter() - began
    return seconds, str(json.loads(done.stdout)["status"]["token"])


def compare(
    file: Path, env: Mapping[str, str], pairs: int, who: str, program: str = "kubectl", aim: float | None = None
) -> list[Row]:
    """Ask the API server through both kubeconfigs alternately, and the helper alone. aim: of their ratio."""
    _, token = ask(file, env)
    plain = with_token(file, token, file.parent / "with-token")
    ratios, ours, theirs, helper = [], [], [], []
    for _ in range(pairs):
        ours.append(_world.run([program, "--kubeconfig", str(file), *VERSION], env).seconds)
        theirs.append(_world.run([program, "--kubeconfig", str(plain), *VERSION], env).seconds)
        ratios.append(ours[-1] / theirs[-1])
        helper.append(ask(file, env)[0] * 1000)
    plain.unlink()
    return [
        of("kubectl get --raw /version, to the same with a plain token", ratios, "x", aim, who),
        of("kubectl get --raw /version", [s * 1000 for s in ours], "ms", None, who),
        of("the same with a plain token", [s * 1000 for s in theirs], "ms", None, who),
        of("what the helper adds to it", [(a - b) * 1000 for a, b in zip(ours, theirs, strict=True)], "ms", None, who),
        of("the helper alone, with a token in its cache", helper, "ms", HELPER_AIM, who),
    ]


def asked(world: Box, *words: str) -> int:
    """Run `inv` and return how often az was asked for a token of the cluster meanwhile."""
    before = len(world.calls("az"))
    inv(world, *words)
    return sum(call["argv"][:2] == ["account", "get-access-token"] for call in world.calls("az")[before:])


def run(quick: bool) -> list[Row]:
    """Measure in a sandbox, and with real programs where they are given."""
    pairs = 5 if quick else 25
    service = catalogue().services[0].name
    with box("real") as world:
        setup = asked(world, "setup", "--skip", "packages", "--skip", "registry")
        inv(world, "tp.quit")
        connect = asked(world, "tp.connect")
        intercept = asked(world, "intercept", service, "--no-run")
        rows = compare(frozen(world), world.environment(), pairs, "latencies of the real programs", aim=KUBECTL_AIM)
    programs = os.environ.get("BENCHMARK_PROGRAMS")
    if programs:
        with _real.cluster(Path(programs)) as (file, env):
            rows += compare(
                file, env, pairs, "a real kubectl, an API server on this machine", str(Path(programs) / "kubectl")
            )
    return [
        *rows,
        Row("az is asked for a token in inv setup", setup, "times", 2),
        Row("in inv tp.connect after inv tp.quit", connect, "times", 1),
        Row("in inv intercept after it", intercept, "times", 0),
    ]
