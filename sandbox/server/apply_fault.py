"""The requests of sandbox.control to a running sandbox: switch faults on and off, list them, issue credentials."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from sandbox.faults.catalogue import FAULTS
from sandbox.world import platform
from sandbox.world.state import TOOLS, World

_ROOT_IN_CONTAINER = {"container-root", "status-wrong"}


def fault(world: World, name: str, on: bool) -> dict[str, Any]:
    """Switch one fault on or off, with its immediate effects. Raises OSError or ValueError where this machine forbids them."""
    if name not in FAULTS:
        raise ValueError(f"'{name}' is not a fault")
    with world.lock:
        (world.faults.add if on else world.faults.discard)(name)
    tool, _, what = name.rpartition("-")
    if what == "missing" and tool in TOOLS:
        _missing(world.box, tool, on)
    effect = _EFFECTS.get(name)
    if effect is not None:
        try:
            effect(world, on)
        except (OSError, ValueError):
            world.faults.discard(name)
            raise
    if world.api is not None:
        world.api.follow()
    return {"name": name, "on": on}


def _missing(box: Path, tool: str, on: bool) -> None:
    """Remove a program from the sandbox's PATH. A real program of the same name on the machine is hidden too."""
    program = box / "bin" / tool
    if on and program.is_symlink():
        program.unlink()
        for folder in box.glob("path*"):
            if folder.is_symlink() and (folder / tool).exists():
                real = folder.resolve()
                folder.unlink()
                folder.mkdir()
                for entry in os.scandir(real):
                    if entry.name not in TOOLS:
                        (folder / entry.name).symlink_to(entry.path)
    elif not on and not program.is_symlink():
        program.symlink_to("../client")


def faults(world: World) -> dict[str, Any]:
    """All faults with their help text and state."""
    return {name: {"help": text, "on": name in world.faults} for name, text in FAULTS.items()}


def _production_labels(world: World, on: bool) -> None:
    labels = world.cluster.namespaces[world.places.namespace].labels
    for key, value in world.places.production_labels.items():
        if on:
            labels[key] = value
        else:
            labels.pop(key, None)


def _cluster_stopped(world: World, on: bool) -> None:
    world.cluster.running = not on


def _read_only(world: World, on: bool) -> None:
    """Make HOME read-only: by a mount for root, else by the modes of everything in it."""
    home = world.users["developer"].home
    if not on:
        release(world.box)
    elif os.geteuid() != 0:
        _let_write(home, False)
    else:
        for options in (["--bind"], ["-o", "remount,ro,bind"]):
            done = subprocess.run(["mount", *options, home, home], capture_output=True, text=True, check=False)
            if done.returncode:
                release(world.box)
                raise ValueError(f"root may write everywhere, and may not mount here: {done.stderr.strip()}")


def _let_write(home: Path, on: bool) -> None:
    """Give the owner the right to write to this folder and all in it, or take it."""
    for folder, _, files in os.walk(home):  # a folder without this right can still be listed
        for path in (folder, *(os.path.join(folder, file) for file in files)):
            with suppress(FileNotFoundError):  # a program has deleted it meanwhile
                found = os.lstat(path).st_mode
                if not stat.S_ISLNK(found):
                    os.chmod(path, stat.S_IMODE(found) | 0o200 if on else stat.S_IMODE(found) & ~0o222)


def _root_in_container(world: World, on: bool) -> None:
    """Let the Python programs that start from now on see themselves as root in a container, or no longer."""
    place = world.box / "root-in-container"
    if _ROOT_IN_CONTAINER & world.faults:
        place.touch()
    else:
        place.unlink(missing_ok=True)


def release(box: Path) -> None:
    """Undo what faults did to the box's folders, so that they can be deleted."""
    home = box / "home"
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:  # os.path.ismount does not recognise bind mounts
        mounted = sum(line.split()[4] == str(home) for line in mounts)
    for _ in range(mounted):
        subprocess.run(["umount", "-l", str(home)], capture_output=True, check=False)
    if home.is_dir():
        _let_write(home, True)


def _conflict(world: World, on: bool) -> None:
    """Let the colleague intercept the first service with a port."""
    from sandbox.world import rollout
    from sandbox.world.cluster import Intercept, new_id

    cluster, colleague = world.cluster, world.users["colleague"]
    with world.lock:
        cluster.intercepts = [i for i in cluster.intercepts if not i.id.startswith("fault-")]
        world.alive_sessions.discard("fault")
        if not on:
            return
        workload = next(w for w in cluster.workloads if w.ports)
        session = f"fault-{new_id()}"
        made = Intercept(
            id=f"{session}:{workload.name}",
            name=workload.name,
            workload=workload.name,
            namespace=workload.namespace,
            client=colleague.client,
            session=session,
            user=colleague.key,
            port=workload.ports[0],
            local_port=65000,
        )
        world.alive_sessions.add(session)
        made.routed = rollout.inject(world, workload, time.monotonic(), evicts=False)
        cluster.intercepts.append(made)


def _session_lost(world: World, on: bool) -> None:
    """Kill every daemon of the developer, as kill -9 does, without notice."""
    if not on:
        return
    for daemon in list(world.users["developer"].daemons):
        for process in (daemon.process, daemon.root):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
    until = time.monotonic() + 2
    while time.monotonic() < until and any(d.state != "dead" for d in world.users["developer"].daemons):
        time.sleep(0.01)


def _stale_sockets(world: World, on: bool) -> None:
    """Leave what a container restart leaves: cache files that name ended daemon processes."""
    user = world.users["developer"]
    user.notes.pop("unstuck", None)
    cache = user.home / ".cache/telepresence"
    for name in ("daemons/stale.json", "userd/daemon.json"):
        path = cache / name
        if on:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"pid": 999999, "port": 1, "name": "stale"}), encoding="utf-8")
        else:
            path.unlink(missing_ok=True)


def _agent_never(world: World, on: bool) -> None:
    """Once the agent's image is available again, the pods that waited for it become ready."""
    if on:
        return
    with world.lock:
        for workload in world.cluster.workloads:
            for pod in workload.pods:
                if pod.stuck:
                    pod.stuck, pod.ready = False, time.monotonic() + world.profile.gap


_EFFECTS: dict[str, Any] = {
    "conflict": _conflict,
    "agent-orphaned": platform.add_agents,
    "agent-wrong-manager": platform.add_agents,
    "session-lost": _session_lost,
    "stale-sockets": _stale_sockets,
    "agent-never": _agent_never,
    "production-labels": _production_labels,
    "cluster-stopped": _cluster_stopped,
    "home-read-only": _read_only,
    **dict.fromkeys(_ROOT_IN_CONTAINER, _root_in_container),
}


def credentials(world: World, user: str, home: str) -> dict[str, Any]:
    """Context, namespace, server and token for a kubeconfig that works without az and kubelogin."""
    with world.lock:
        person = world.users.get(user) or world.add_user(user, Path(home))
    where = world.places
    token = world.issue(person.name, 12 * 3600.0).text
    return {"context": where.context, "namespace": where.namespace, "server": world.cluster.server, "token": token}


def revoke(world: World, token: str) -> dict[str, Any]:
    """Let the API server refuse this token. Raises KeyError for one that was never issued."""
    world.revoke(token)
    return {}


def processes(world: World) -> dict[str, Any]:
    """What the server knows of telepresence's processes: sessions with a running daemon, and pids of commands."""
    with world.lock:
        children = [i.child for cluster in world.clusters.values() for i in cluster.intercepts if i.child]
        return {"sessions": sorted(world.alive_sessions), "children": children}


VERBS: dict[str, Any] = {
    "fault": fault,
    "faults": faults,
    "credentials": credentials,
    "processes": processes,
    "revoke": revoke,
}
