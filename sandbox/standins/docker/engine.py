"""docker version, info, ps, rm, login and logout."""

from __future__ import annotations

import json

from sandbox.protocol.call import Answer
from sandbox.standins.docker.client import CLIENT, Docker, filled
from sandbox.standins.docker.registry import DockerError, accepts, unreachable


def version(docker: Docker) -> Answer:
    """Client and engine."""
    problem = docker.engine_problem()
    server = None if problem else {"Version": "28.2.2", "ApiVersion": "1.50", "Os": "linux", "Arch": "amd64"}
    warning = f"{problem}\n" if problem else ""
    form = docker.parsed.value("format")
    if form:
        text = (
            json.dumps({"Client": CLIENT, "Server": server}, separators=(",", ":"))
            if form == "json"
            else filled(form, {"Client": CLIENT, "Server": server}, "types.versionInfo")
        )
        return Answer(1 if problem else 0, f"{text}\n", warning)
    text = (
        "Client:\n Version:           28.2.2\n API version:       1.50\n Go version:        go1.24.3\n Git commit:        e6534b4\n"
        " Built:             Fri May 30 12:07:14 2025\n OS/Arch:           linux/amd64\n Context:           default\n"
    )
    if server:
        text += "\nServer:\n Engine:\n  Version:          28.2.2\n  API version:      1.50 (minimum version 1.24)\n  OS/Arch:          linux/amd64\n"
    return Answer(1 if problem else 0, text, warning)


def info(docker: Docker) -> Answer:
    """The client, and the engine if it answers."""
    problem = docker.engine_problem()
    data = {
        "ServerVersion": "" if problem else "28.2.2",
        "OSType": "" if problem else "linux",
        "Architecture": "" if problem else "x86_64",
        "NCPU": 0 if problem else 4,
        "MemTotal": 0 if problem else 8 << 30,
        "Images": len(docker.images),
        "ContainersRunning": 0,
        "ClientInfo": {"Version": "28.2.2", "Context": "default"},
    }
    form = docker.parsed.value("format")
    if form:
        text = json.dumps(data, separators=(",", ":")) if form == "json" else filled(form, data, "system.dockerInfo")
        return Answer(1 if problem else 0, f"{text}\n", f"{problem}\n" if problem else "")
    text = "Client:\n Version:    28.2.2\n Context:    default\n Debug Mode: false\n\nServer:\n"
    if not problem:
        text += f" Containers: 0\n  Running: 0\n Images: {len(docker.images)}\n Server Version: 28.2.2\n Operating System: Debian\n"
        text += " OSType: linux\n Architecture: x86_64\n CPUs: 4\n Total Memory: 8GiB\n"
    return Answer(1 if problem else 0, text, f"{problem}\n" if problem else "")


def ps(docker: Docker) -> Answer:
    """List no containers: none ever runs here."""
    docker.require_engine()
    if docker.parsed.value("format") or docker.parsed.on("quiet"):
        return Answer()
    return Answer(stdout="CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES\n")


def rm(docker: Docker) -> Answer:
    """Remove containers, of which none exists."""
    docker.require_engine()
    lines = [f"Error response from daemon: No such container: {name}\n" for name in docker.parsed.words]
    return Answer(0 if docker.parsed.on("force") else 1, stderr="".join(lines))


def login(docker: Docker) -> Answer:
    """Check a login with the registry and store it."""
    parsed, world = docker.parsed, docker.world
    host = (parsed.words[0] if parsed.words else "docker.io").removeprefix("https://").split("/")[0]
    user, warning = parsed.value("username"), ""
    if parsed.on("password-stdin"):
        if not user:
            raise DockerError("the --password-stdin option requires --username to be set")
        secret = world.stdin(docker.call).decode("utf-8", "replace").rstrip("\r\n")
    elif "password" in parsed.flags:
        secret = parsed.value("password")
        warning = "WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n"
    else:
        stored = docker.logins.find(host)
        if not stored or user:
            raise DockerError("Error: Cannot perform an interactive login from a non TTY device")
        user, secret = stored
    problem = unreachable(world, host)
    if problem:
        raise DockerError(f"{warning}{problem}")
    if not accepts(world, docker.call, user, secret):
        raise DockerError(
            f'{warning}Error response from daemon: Get "https://{host}/v2/": unauthorized: authentication required, visit '
            "https://aka.ms/acr/authorization for more information."
        )
    if not docker.logins.keep(host, user, secret):
        warning += (
            f"\nWARNING! Your credentials are stored unencrypted in '{docker.logins.path}'.\n"
            "Configure a credential helper to remove this warning. See\nhttps://docs.docker.com/go/credential-store/\n\n"
        )
    return Answer(0, "Login Succeeded\n", warning, writes=True)


def logout(docker: Docker) -> Answer:
    """Delete a login."""
    host = docker.parsed.words[0] if docker.parsed.words else "https://index.docker.io/v1/"
    return Answer(0, f"Removing login credentials for {host}\n", writes=docker.logins.drop(host))
