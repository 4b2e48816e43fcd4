"""`inv setup` in a new sandbox, against its own critical path and against the script of the specification.

The script runs the lines of the specification's postCreate.sh: pnpm install, az aks get-credentials, kubelogin
convert-kubeconfig, az acr login, telepresence connect. `inv setup` does the same and also checks tools, rights and readiness.
Without packages and registry the script is the three commands of the cluster.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks import Row, _world, of
from benchmarks._world import box, inv, project
from tasks.core.config.settings import settings
from tasks.core.plan.steps import critical_path
from tasks.flows.setup import STEPS

CLUSTER_ONLY = ("--skip", "packages", "--skip", "registry")


@dataclass(frozen=True)
class First:
    """A first run. wall: seconds from start to end; steps: seconds of its steps; path: of their critical path."""

    wall: float
    steps: float
    path: float


def run_script(latency: str, *, cluster_only: bool = False) -> float:
    """Run the script in a new sandbox; return its seconds."""
    s = settings()
    group, name, registry = s.cluster.resource_group, s.cluster.name, s.registry.host.split(".")[0]
    cluster = (
        ["az", "aks", "get-credentials", "--resource-group", group, "--name", name, "--overwrite-existing"],
        ["kubelogin", "convert-kubeconfig", "-l", "azurecli"],
        ["telepresence", "connect", "--namespace", s.cluster.namespace],
    )
    others = (["pnpm", "install", "--frozen-lockfile"], ["az", "acr", "login", "--name", registry])
    with box(latency) as world:
        place = project(world)
        words = cluster if cluster_only else (*others, *cluster)
        return sum(_world.run(argv, world.environment(), place).seconds for argv in words)


def run_setup(latency: str, *more: str) -> First:
    """Run setup in a new sandbox."""
    with box(latency) as world:
        place = project(world)
        done = inv(world, "setup", "--json", *more, REMOTE_DEV_PACKAGES__FOLDER=str(place))
        seconds = {step["key"]: float(step["seconds"]) for step in done.json["steps"]}
        return First(done.seconds, float(done.json["seconds"]), critical_path(STEPS, seconds))


def run_again(latency: str, times: int) -> list[float]:
    """Return the seconds of runs after the first, which change nothing."""
    with box(latency) as world:
        place = str(project(world))
        inv(world, "setup", "--json", REMOTE_DEV_PACKAGES__FOLDER=place)
        return [inv(world, "setup", "--json", REMOTE_DEV_PACKAGES__FOLDER=place).seconds for _ in range(times)]


def run(quick: bool) -> list[Row]:
    """Run setup and script alternately."""
    pairs = 1 if quick else 5
    far = [(run_setup("aks"), run_script("aks")) for _ in range(pairs)]
    near = [(run_setup("real", *CLUSTER_ONLY), run_script("real", cluster_only=True)) for _ in range(pairs)]
    return [
        of("the steps together, to their critical path", [ours.steps / ours.path for ours, _ in far], "x", 1.10),
        of(
            "from start to end, Python and Invoke too, to the critical path",
            [ours.wall / ours.path for ours, _ in far],
            "x",
        ),
        of("from start to end, to the script", [ours.wall / script for ours, script in far], "x", 0.5),
        of("inv setup from start to end", [ours.wall for ours, _ in far], "s"),
        of("the script", [script for _, script in far], "s"),
        of(
            "without packages and registry, to the three commands",
            [ours.wall / script for ours, script in near],
            "x",
            0.75,
            "latencies of the real programs",
        ),
        of("inv setup without packages and registry", [ours.wall for ours, _ in near], "s"),
        of("the three commands", [script for _, script in near], "s"),
        of("inv setup a second time", run_again("real", 2 * pairs), "s", 0.8, "latencies of the real programs"),
    ]
