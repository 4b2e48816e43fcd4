"""`inv setup` in a new sandbox, against its own critical path and against the script of the specification.

The script runs the lines of the specification's postCreate.sh: pnpm install, az aks get-credentials, kubelogin
convert-kubeconfig, az acr login, telepresence connect. `inv setup` does the same and also checks tools, rights and readiness.
"""

from __future__ import annotations

from benchmarks import Row, _world, of
from benchmarks._world import box, inv, project
from tasks.core.config.settings import settings
from tasks.core.plan.steps import critical_path
from tasks.flows.setup import STEPS


def run_script() -> float:
    """Run the script in a new sandbox; return its seconds."""
    s = settings()
    group, name, registry = s.cluster.resource_group, s.cluster.name, s.registry.host.split(".")[0]
    words = (
        ["pnpm", "install", "--frozen-lockfile"],
        ["az", "aks", "get-credentials", "--resource-group", group, "--name", name, "--overwrite-existing"],
        ["kubelogin", "convert-kubeconfig", "-l", "azurecli"],
        ["az", "acr", "login", "--name", registry],
        ["telepresence", "connect", "--namespace", s.cluster.namespace],
    )
    with box() as world:
        place = project(world)
        return sum(_world.run(argv, world.environment(), place).seconds for argv in words)


def run_setup() -> tuple[float, float, float]:
    """Return (seconds from start to end, seconds of its steps, seconds of its critical path)."""
    with box() as world:
        place = project(world)
        done = inv(world, "setup", "--json", REMOTE_DEV_PACKAGES__FOLDER=str(place))
        seconds = {step["key"]: float(step["seconds"]) for step in done.json["steps"]}
        return done.seconds, float(done.json["seconds"]), critical_path(STEPS, seconds)


def run_again() -> float:
    """Return the seconds of a second run, which changes nothing."""
    with box() as world:
        place = str(project(world))
        inv(world, "setup", "--json", REMOTE_DEV_PACKAGES__FOLDER=place)
        return inv(world, "setup", "--json", REMOTE_DEV_PACKAGES__FOLDER=place).seconds


def run(quick: bool) -> list[Row]:
    """Run setup and script alternately."""
    pairs = 1 if quick else 5
    ours, theirs = [], []
    for _ in range(pairs):
        ours.append(run_setup())
        theirs.append(run_script())
    return [
        of("the steps together, to their critical path", [steps / path for _, steps, path in ours], "x", 1.10),
        of(
            "from start to end, Python and Invoke too, to the critical path",
            [wall / path for wall, _, path in ours],
            "x",
        ),
        of("from start to end, to the script", [o[0] / t for o, t in zip(ours, theirs, strict=True)], "x", 0.6),
        of("inv setup from start to end", [wall for wall, _, _ in ours], "s"),
        of("the script", theirs, "s"),
        of("inv setup a second time", [run_again() for _ in range(max(1, pairs // 2))], "s"),
    ]
