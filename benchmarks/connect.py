"""`inv tp.connect` with the session's credential helper, against the same with a plain token in the kubeconfig.

The latencies are those of the real programs. The helper holds a token, as after `inv setup`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks import Row, _world, of
from benchmarks._world import VERSION, box, frozen, inv
from sandbox import control
from sandbox.control import Box


@contextmanager
def with_token(world: Box) -> Iterator[dict[str, str]]:
    """Yield the variables of a workstation with a plain token in its kubeconfig, and a state folder of its own."""
    folder = world.path / "plain"
    folder.mkdir(exist_ok=True)
    own = {"KUBECONFIG": str(folder / "config"), "REMOTE_DEV_STATE": str(folder / "state")}
    control.give_kubeconfig(world, world.environment(**own))
    yield own


def connected(world: Box, own: dict[str, str]) -> float:
    """Return the seconds of a connect, which is ended again. The token of this workstation is used once before."""
    _world.run(["kubectl", "--kubeconfig", str(frozen(world, **own)), *VERSION], world.environment(**own))
    seconds = inv(world, "tp.connect", "--json", **own).seconds
    disconnect(world, **own)
    return seconds


def disconnect(world: Box, **own: str) -> None:
    """End the session without `inv`, which would forget the token."""
    _world.run(["telepresence", "quit", "--stop-daemons"], world.environment(**own))


def run(quick: bool) -> list[Row]:
    """Connect both ways alternately."""
    pairs = 2 if quick else 7
    helper: dict[str, str] = {}
    with box("real") as world, with_token(world) as token:
        inv(world, "setup", "--skip", "packages", "--skip", "registry", "--json")
        disconnect(world)
        inv(world, "tp.connect", "--json", **token)
        disconnect(world, **token)
        both = [(connected(world, helper), connected(world, token)) for _ in range(pairs)]
    return [
        of("with the helper, to the same with a plain token", [ours / plain for ours, plain in both], "x", 1.05),
        of("inv tp.connect", [ours for ours, _ in both], "s"),
        of("the same with a plain token", [plain for _, plain in both], "s"),
    ]
