"""The context of a docker command: its arguments, the engine, the images, the logins."""

from __future__ import annotations

from typing import Any

from sandbox.protocol.call import Call
from sandbox.standins.docker.registry import DockerError, Logins
from sandbox.standins.go.flags import Words
from sandbox.standins.go.format import BadTemplate, shown
from sandbox.world.state import World

CLIENT = {
    "Version": "28.2.2",
    "ApiVersion": "1.50",
    "DefaultAPIVersion": "1.50",
    "GitCommit": "e6534b4",
    "GoVersion": "go1.24.3",
    "Os": "linux",
    "Arch": "amd64",
    "BuildTime": "Fri May 30 12:07:14 2025",
    "Context": "default",
}
_SOCKET = "unix:///var/run/docker.sock"


class Docker:
    """One command: its arguments, the engine's images, the logins."""

    def __init__(self, call: Call, world: World, parsed: Words, host: str) -> None:
        self.call, self.world, self.parsed = call, world, parsed
        self.host = host or call.env.get("DOCKER_HOST") or _SOCKET
        self.logins = Logins(call, world)
        with world.lock:
            self.images: dict[str, dict[str, Any]] = world.user(call).notes.setdefault("docker images", {})

    def engine_problem(self) -> str:
        """Why the engine does not answer; empty if it does."""
        if self.world.fault("docker-forbidden"):
            return (
                "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get "
                '"http://%2Fvar%2Frun%2Fdocker.sock/v1.50/info": dial unix /var/run/docker.sock: connect: permission denied'
            )
        if self.host != _SOCKET or self.world.fault("docker-no-engine"):
            return f"Cannot connect to the Docker daemon at {self.host}. Is the docker daemon running?"
        return ""

    def require_engine(self) -> None:
        """Raise DockerError if the engine does not answer."""
        problem = self.engine_problem()
        if problem:
            raise DockerError(problem)

    def image(self, name: str) -> dict[str, Any] | None:
        """Find an image by reference or id."""
        image = self.images.get(tagged(name))
        return image or next(
            (
                candidate
                for candidate in self.images.values()
                if candidate["Id"].removeprefix("sha256:").startswith(name)
            ),
            None,
        )


def tagged(ref: str) -> str:
    """The reference with its tag, `latest` by default."""
    return ref if ":" in ref.rsplit("/", 1)[-1] or "@" in ref else f"{ref}:latest"


def filled(template: str, data: dict[str, Any], kind: str) -> str:
    """Fill a `--format` template. Raises DockerError for an unknown field."""
    try:
        return shown(template.removeprefix("table "), data, kind)
    except BadTemplate as why:
        raise DockerError(str(why)) from None
