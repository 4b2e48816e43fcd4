"""`inv tilt.up --dry-run` in the sample repository: the time of everything that the suite does before Tilt starts."""

from __future__ import annotations

from benchmarks import Row, of
from benchmarks._world import box, inv
from sandbox.sample import repositories
from tasks.core.config.catalogue import catalogue
from tasks.core.config.settings import settings


def run(quick: bool) -> list[Row]:
    """Plan one release repeatedly."""
    s = settings()
    with box() as world:
        pair = repositories.make(
            world.path / "sample", catalogue(), registry=s.registry.host, submodule=s.repositories.gitops
        )
        env = {
            "REMOTE_DEV_REPOSITORIES__CORE": str(pair.core),
            "REMOTE_DEV_REPOSITORIES__GITOPS": str(pair.core / pair.submodule),
        }
        inv(world, "setup", "--skip", "packages", "--skip", "submodules", "--json", **env)
        service = catalogue().services[0].name
        seconds = [
            inv(world, "tilt.up", "--only", service, "--dry-run", **env).seconds for _ in range(2 if quick else 7)
        ]
    return [of("inv tilt.up --dry-run from start to end", seconds, "s", 1.5)]
