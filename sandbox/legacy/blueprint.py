"""The trees of the repositories, before anything is written to disk."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

import yaml

from sandbox.legacy.archive import Entry, Member, Tree, members
from sandbox.legacy.definition import Definition, Service, definition
from sandbox.legacy.paths import recorded
from sandbox.legacy.tiltfile import tiltfile
from sandbox.legacy.vendored import more, vendored

_CORE = ("core-root", "core-devcontainer", "core-tilt", "core-tools", "core-infra", "core-kubernetes")
_TWINS = ("infra/bicep/managed-application", "infra/azure/managed-application")
_ALWAYS = "infra/kubernetes/charts_old/apps/platform/"  # the smallest pair needs an old chart too


@dataclass
class Blueprint:
    """The files of each repository. Submodules are not in `core`: their commits are known only when they are written."""

    core: Tree
    gitops: Tree
    backlog: Tree

    def __len__(self) -> int:
        return len(self.core) + len(self.gitops)


def blueprint(files: int) -> Blueprint:
    """Both repositories with `files` tracked files in total, including the two submodules and .gitmodules."""
    names = definition()
    made = Blueprint({}, {}, {})
    later: list[tuple[str, str, Entry]] = []
    for repository, prefix, member, values in _written(names):
        path, entry = member.fill(values)
        tree: Tree = getattr(made, repository)
        if member.later:
            later.append((repository, prefix + path, entry))
        else:
            tree[prefix + path] = entry
    made.core["Tiltfile"] = Entry(tiltfile(names.services).encode())
    made.core[".gitmodules"] = Entry(_gitmodules(names))
    made.core["pnpm-lock.yaml"] = Entry(b"")  # included in the number of files
    _grow(made, later, files - len(names.submodules))
    made.core["pnpm-lock.yaml"] = Entry(_lock(made.core).encode())
    return made


def _lock(core: Tree) -> str:
    """The lock file for every package.json of the workspace."""
    manifests = {PurePosixPath(path).parent: json.loads(entry.data) for path, entry in core.items() if _member(path)}
    folders = {package["name"]: folder for folder, package in manifests.items()}
    importers: dict[str, dict[str, object]] = {}
    for folder, manifest in sorted(manifests.items()):
        importers[str(folder)] = {
            kind: {
                name: {
                    "specifier": wanted,
                    "version": f"link:{'../' * len(folder.parts)}{folders[name]}" if name in folders else wanted,
                }
                for name, wanted in manifest[kind].items()
            }
            for kind in ("dependencies", "devDependencies")
            if kind in manifest
        }
    return yaml.safe_dump(
        {"lockfileVersion": "9.0", "settings": {"autoInstallPeers": True}, "importers": importers}, sort_keys=False
    )


def _member(path: str) -> bool:
    return re.fullmatch(r"((packages|services|tests)/[^/]+/)?package\.json", path) is not None


def _written(names: Definition) -> Iterator[tuple[str, str, Member, dict[str, str]]]:
    """Every file of the archives with its repository, folder and placeholders."""
    for archive in _CORE:
        yield from (("core", "", member, {}) for member in members(archive))
    for twin in _TWINS:
        yield from (("core", f"{twin}/", member, {}) for member in members("modules"))
    yield from (("gitops", "", member, {}) for member in members("gitops"))
    yield from (("backlog", "", member, {}) for member in members("backlog"))
    for service in names.services:
        values = service.placeholders()
        yield from (("core", "", member, values) for member in members(f"service-{service.language}"))
        yield from (("gitops", "", member, values) for member in members("chart") if _has(service, member))


def _has(service: Service, member: Member) -> bool:
    """The charts of a service: a worker has no Service, and only some services have a route."""
    if member.path.endswith("/service.yaml"):
        return bool(service.ports)
    return service.route if member.path.endswith("/httproute.yaml") else True


def _grow(made: Blueprint, later: list[tuple[str, str, Entry]], files: int) -> None:
    """Add files up to `files`: the archives' files marked `later`, then recorded paths, then invented ones."""
    made.core.update((path, vendored(path)) for path in recorded() if path.startswith(_ALWAYS))
    for repository, path, entry in later:
        if len(made) >= files:
            return
        getattr(made, repository)[path] = entry
    recordings = [(repository, path) for repository, path in _recordings() if path not in getattr(made, repository)]
    wanted = max(files - len(made), 0)
    if wanted < len(recordings):
        recordings = [recordings[index * len(recordings) // wanted] for index in range(wanted)]
    for repository, path in recordings:
        getattr(made, repository)[path] = vendored(path)
    invented = more()
    while len(made) < files:
        repository, path = next(invented)
        getattr(made, repository)[path] = vendored(path)


def _recordings() -> Iterator[tuple[str, str]]:
    """The recorded paths, each with the repository that holds it."""
    folders = {path: repository for repository, path in definition().submodules.items()}
    for path in recorded():
        for folder, repository in folders.items():
            if path.startswith(f"{folder}/"):
                yield repository, path.removeprefix(f"{folder}/")
                break
        else:
            yield "core", path


def _gitmodules(names: Definition) -> bytes:
    """.gitmodules with relative URLs: the submodules' remotes are next to core's remote."""
    rows = []
    for repository, folder in names.submodules.items():
        remote = f"../{getattr(names, repository)}.git"
        rows.append(f'[submodule "{folder}"]\n\tpath = {folder}\n\turl = {remote}\n\tbranch = main\n')
    return "".join(rows).encode()
