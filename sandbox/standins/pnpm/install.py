"""pnpm install: its errors, and the files that record what was installed. Packages are generated, not downloaded."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import time
from pathlib import Path
from typing import Any

from sandbox.protocol.call import Answer, Call
from sandbox.standins.pnpm.project import (
    VERSION,
    PnpmError,
    Project,
    labelled,
    lockfile,
    members,
    nearest,
    outdated,
    root_of,
)
from sandbox.world.state import World

_STATE = ".pnpm-workspace-state-v1.json"
_REGISTRY = "https://registry.npmjs.org"
_REFUSED = "connect ECONNREFUSED 127.0.0.1:443"


def install(call: Call, world: World, folder: Path, flags: dict[str, str]) -> Answer:
    """Install the workspace of this folder. Raises PnpmError."""
    began = time.monotonic()
    root = root_of(folder)
    packages = _packages(root, folder)
    lock = lockfile(root)
    wants = any(package.wanted for package in packages)
    frozen = _frozen(call, flags, lock)
    if frozen:
        _check_lock(lock, root, packages, wants)
    scope = f"Scope: all {len(packages)} workspace projects\n" if len(packages) > 1 else ""
    if not frozen and (lock is None or _differs(lock, root, packages)):
        lock = _resolve(world, root, packages)
    elif wants:
        scope += "Lockfile is up to date, resolution step is skipped\n"
    return _link(world, root, packages, lock or {}, flags, scope, began)


def _packages(root: Path, folder: Path) -> list[Project]:
    """The workspace's packages, or the nearest one. Raises PnpmError if one needs another pnpm."""
    own = nearest(folder)
    if own is None:
        raise PnpmError("ERR_PNPM_NO_PKG_MANIFEST", f"No package.json found in {folder}")
    packages = members(root) or [own]
    for package in packages:
        _engines(package)
    return packages


def _check_lock(lock: dict[str, Any] | None, root: Path, packages: list[Project], wants: bool) -> None:
    """Raise PnpmError if --frozen-lockfile forbids this installation. wants: whether any dependency is declared."""
    if lock is not None:
        outdated(lock, root, packages)
    elif wants:
        raise PnpmError(
            "ERR_PNPM_NO_LOCKFILE",
            'Cannot install with "frozen-lockfile" because pnpm-lock.yaml is absent\n\nNote that in CI environments this '
            'setting is true by default. If you still need to run install in such cases, use "pnpm install '
            '--no-frozen-lockfile"',
        )


def _frozen(call: Call, flags: dict[str, str], lock: dict[str, Any] | None) -> bool:
    if "frozen-lockfile" in flags:
        return flags["frozen-lockfile"] == "true"
    ci = call.env.get("CI", "") not in ("", "0", "false")
    return ci and bool(lock and lock.get("packages"))


def _differs(lock: dict[str, Any], root: Path, packages: list[Project]) -> bool:
    try:
        outdated(lock, root, packages)
    except PnpmError:
        return True
    return False


def _engines(package: Project) -> None:
    wanted = str((package.manifest.get("engines") or {}).get("pnpm") or "")
    at_least = re.fullmatch(r">=?\s*(\d+)(?:\.\S*)?", wanted)
    if at_least and int(at_least[1]) > int(VERSION.split(".")[0]):
        raise PnpmError(
            "ERR_PNPM_UNSUPPORTED_ENGINE",
            "Unsupported environment (bad pnpm and/or Node.js version)\n\nYour pnpm version is incompatible with "
            f'"{package.folder}".\n\nExpected version: {wanted}\nGot: {VERSION}\n\nThis is happening because the package\'s '
            "manifest has an engines.pnpm field specified.\nTo fix this issue, install the required pnpm version "
            'globally.\n\nTo install the latest version of pnpm, run "pnpm i -g pnpm".\nTo check your pnpm version, run '
            '"pnpm -v".',
        )


def _resolve(world: World, root: Path, packages: list[Project]) -> dict[str, Any]:
    """Generate a lock file: every range resolves to its lowest version."""
    import yaml

    importers: dict[str, Any] = {}
    resolved: dict[str, Any] = {}
    for package in packages:
        key = "." if package.folder == root else str(package.folder.relative_to(root))
        importers[key] = {
            group: {n: {"specifier": r, "version": _version(r)} for n, r in wanted.items()}
            for group, wanted in package.groups().items()
        }
        for name, wanted_range in package.wanted.items():
            if world.fault("packages-refused"):
                url = f"{_REGISTRY}/{name}"
                raise PnpmError(
                    "ERR_PNPM_META_FETCH_FAIL",
                    f"GET {url}: request to {url} failed, reason: {_REFUSED}\n\nThis error happened while installing a "
                    f"direct dependency of {package.folder}",
                )
            if not wanted_range.startswith(("workspace:", "link:", "file:")):
                resolved[f"{name}@{_version(wanted_range)}"] = {"resolution": {"integrity": "sha512-sandbox"}}
    settings = {"autoInstallPeers": True, "excludeLinksFromLockfile": False}
    lock = {"lockfileVersion": "9.0", "settings": settings, "importers": importers, "packages": resolved}
    lock["snapshots"] = {name: {} for name in resolved}
    _room(world, root / "pnpm-lock.yaml")
    (root / "pnpm-lock.yaml").write_text(yaml.safe_dump(lock, sort_keys=False))
    return lock


def _version(wanted: str) -> str:
    number = re.search(r"\d+(?:\.\d+)*(?:[-+][\w.]+)?", wanted)
    if not number or "-" in number[0]:
        return wanted.lstrip("^~")
    return ".".join([*number[0].split("."), "0", "0"][:3])


def _link(
    world: World,
    root: Path,
    packages: list[Project],
    lock: dict[str, Any],
    flags: dict[str, str],
    output: str,
    began: float,
) -> Answer:
    names = sorted(lock.get("packages") or {})
    modules = root / "node_modules"
    same = _is_installed(root, names)
    if not same and names:
        _fetched(world, names, flags, output)
    if not same:
        _room(world, modules)
        _make(root, packages)
    elapsed = f"Done in {max(1, round((time.monotonic() - began) * 1000))}ms using pnpm v{VERSION}\n"
    if same or not names:
        return Answer(0, f"{output}Already up to date\n\n{elapsed}", writes=not same)
    count = len(names)
    output += (
        f"Progress: resolved {count}, reused 0, downloaded 0, added 0\nPackages: +{count}\n{'+' * min(count, 80)}\n"
    )
    output += f"Progress: resolved {count}, reused 0, downloaded {count}, added {count}, done\n"
    for group, wanted in packages[0].groups().items():
        output += f"\n{group}:\n" + "".join(f"+ {name} {_version(r)}\n" for name, r in wanted.items())
    return Answer(0, f"{output}\n{elapsed}", writes=True)


def _is_installed(root: Path, names: list[str]) -> bool:
    modules, source = root / "node_modules", root / "pnpm-lock.yaml"
    if not any((modules / name).is_file() for name in (".modules.yaml", _STATE)):
        return False
    copy = modules / ".pnpm" / "lock.yaml"
    return not names or (copy.is_file() and source.is_file() and copy.read_bytes() == source.read_bytes())


def _fetched(world: World, names: list[str], flags: dict[str, str], output: str) -> None:
    """Raise PnpmError if the packages cannot be downloaded."""
    name, _, version = names[0].rpartition("@")
    url = f"{_REGISTRY}/{name}/-/{name.rpartition('/')[2]}-{version}.tgz"
    count = len(names)
    progress = f"{output}Progress: resolved {count}, reused 0, downloaded 0, added 0\nPackages: +{count}\n{'+' * min(count, 80)}\n"
    if flags.get("offline") == "true":
        raise _after(
            progress,
            PnpmError(
                "ERR_PNPM_NO_OFFLINE_TARBALL",
                "A package is missing from the store but cannot download it in offline mode. The missing package may be "
                f"downloaded from {url}.",
            ),
        )
    if world.fault("packages-refused"):
        reason = f"request to {url} failed, reason: {_REFUSED}"
        raise _after(progress, PnpmError("ECONNREFUSED", f"{reason}\n\nFetchError: {reason}"))


def _after(output: str, error: PnpmError) -> PnpmError:
    error.text = output + error.text
    return error


def _make(root: Path, packages: list[Project]) -> None:
    """Write node_modules as pnpm does: the store's folder, links, .modules.yaml; without dependencies only the state."""
    modules = root / "node_modules"
    modules.mkdir(parents=True, exist_ok=True)
    if any(package.wanted for package in packages):
        _make_modules(root, packages)
    now = int(time.time() * 1000)
    state = {
        "lastValidatedTimestamp": now,
        "projects": {str(package.folder): {"name": package.name} for package in packages},
    }
    (modules / _STATE).write_text(json.dumps(state, indent=2))


def _make_modules(root: Path, packages: list[Project]) -> None:
    modules = root / "node_modules"
    (modules / ".pnpm").mkdir(exist_ok=True)
    own = {package.name: package.folder for package in packages}
    for package in packages:
        for name, wanted in package.wanted.items():
            place = package.folder / "node_modules" / name
            if place.is_symlink():
                place.unlink()
            place.parent.mkdir(parents=True, exist_ok=True)
            if wanted.startswith(("workspace:", "link:")) and name in own:
                shutil.rmtree(place, ignore_errors=True)
                place.symlink_to(os.path.relpath(own[name], place.parent))
                continue
            stored = modules / ".pnpm" / f"{name.replace('/', '+')}@{_version(wanted)}" / "node_modules" / name
            stored.mkdir(parents=True, exist_ok=True)
            (stored / "package.json").write_text(json.dumps({"name": name, "version": _version(wanted)}))
            shutil.rmtree(place, ignore_errors=True)
            place.symlink_to(os.path.relpath(stored, place.parent))
    source = root / "pnpm-lock.yaml"
    if source.is_file():
        shutil.copyfile(source, modules / ".pnpm" / "lock.yaml")
    kept = {
        "hoistPattern": ["*"],
        "included": {"dependencies": True, "devDependencies": True, "optionalDependencies": True},
        "layoutVersion": 5,
        "nodeLinker": "isolated",
        "packageManager": f"pnpm@{VERSION}",
        "registries": {"default": f"{_REGISTRY}/"},
        "virtualStoreDir": ".pnpm",
    }
    (modules / ".modules.yaml").write_text(json.dumps(kept, indent=2))


def _room(world: World, path: Path) -> None:
    if world.fault("disk-full"):
        raise OSError(errno.ENOSPC, "no space left on device", str(path))


def missing_modules(folder: Path) -> str:
    """The warning after a failed script if node_modules is missing."""
    if (folder / "node_modules").is_dir():
        return ""
    return labelled("WARN", " Local package.json exists, but node_modules missing, did you mean to install?")
