"""What control may ask of a running world: plant and take away faults, look, and play a colleague."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from tasks.sandbox.faults import FAULTS
from tasks.sandbox.world import World


def fault(world: World, name: str, on: bool) -> dict[str, Any]:
    """Plant or take away one fault, with what it does at once."""
    if name not in FAULTS:
        raise ValueError(f"no fault is called '{name}'")
    with world.lock:
        (world.faults.add if on else world.faults.discard)(name)
    tool, _, what = name.rpartition("-")
    program = world.box / "bin" / tool
    if what == "missing" and tool in ("az", "kubelogin", "kubectl", "telepresence", "pnpm", "helm", "tilt", "docker"):
        if on and program.is_symlink():
            program.unlink()
        elif not on and not program.is_symlink():
            program.symlink_to("../client")
    effect = _EFFECTS.get(name)
    if effect is not None:
        effect(world, on)
    return {"name": name, "on": on}


def faults(world: World) -> dict[str, Any]:
    """All faults: help and whether planted."""
    return {name: {"help": text, "on": name in world.faults} for name, text in FAULTS.items()}


def _production(world: World, on: bool) -> None:
    labels = world.cluster.namespaces[world.places.namespace].labels
    for key, value in world.places.production_labels.items():
        if on:
            labels[key] = value
        else:
            labels.pop(key, None)


def _stopped(world: World, on: bool) -> None:
    world.cluster.running = not on


def _read_only(world: World, on: bool) -> None:
    """HOME as a read-only file system where that may be mounted (root), else without the right to write."""
    home = world.users["developer"].home
    if on:
        if os.getuid() != 0 or subprocess.run(["mount", "--bind", "-o", "ro", home, home], capture_output=True).returncode:
            home.chmod(0o500)
        else:
            subprocess.run(["mount", "-o", "remount,ro,bind", home], capture_output=True, check=False)
    else:
        release(world.box)


def release(box: Path) -> None:
    """Undo what planting did to the box's folders, so that they can be removed."""
    home = box / "home"
    if os.path.ismount(home):
        subprocess.run(["umount", "-l", str(home)], capture_output=True, check=False)
    if home.is_dir():
        home.chmod(0o700)


_EFFECTS: dict[str, Any] = {
    "production-labels": _production,
    "cluster-stopped": _stopped,
    "home-read-only": _read_only,
}


def credentials(world: World, user: str, home: str) -> dict[str, Any]:
    """Context, namespace, server and a token for a kubeconfig that needs no az and no kubelogin."""
    with world.lock:
        person = world.users.get(user) or world.add_user(user, Path(home))
    where = world.places
    token = world.issue(person.name, 12 * 3600.0).text
    return {"context": where.context, "namespace": where.namespace, "server": world.cluster.server, "token": token}


VERBS: dict[str, Any] = {"fault": fault, "faults": faults, "credentials": credentials}
