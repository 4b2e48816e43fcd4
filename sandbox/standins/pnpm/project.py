"""A pnpm project on disk: package.json, workspace members, the lock file and its differences."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VERSION = "10.34.9"
_GROUPS = ("dependencies", "devDependencies", "optionalDependencies")


class PnpmError(Exception):
    """An error of pnpm. Most are on stdout, usage errors on stderr."""

    def __init__(self, code: str, text: str, *, usage: bool = False, exit: int = 1) -> None:
        super().__init__(text)
        self.text, self.usage, self.exit = labelled(code, text), usage, exit


def labelled(code: str, text: str) -> str:
    """`code` with the thin spaces that pnpm prints around it."""
    return f"\u2009{code}\u2009 {text}\n"


@dataclass(frozen=True)
class Project:
    """One package: its folder and its package.json."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.manifest.get("name") or self.folder.name)

    @property
    def wanted(self) -> dict[str, str]:
        """Every dependency with its range."""
        return {str(k): str(v) for group in _GROUPS for k, v in (self.manifest.get(group) or {}).items()}

    def groups(self) -> dict[str, dict[str, str]]:
        """The dependencies by group, without empty groups."""
        return {group: dict(self.manifest[group]) for group in _GROUPS if self.manifest.get(group)}


def project(folder: Path) -> Project | None:
    """The project in this folder; None without a package.json. Raises PnpmError for a broken one."""
    path = folder / "package.json"
    try:
        manifest = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    except ValueError as why:
        raise PnpmError("ERR_PNPM_JSON_PARSE", f"{why} while parsing '{path}'") from None
    return Project(folder, manifest if isinstance(manifest, dict) else {})


def nearest(folder: Path) -> Project | None:
    """The project of this folder or of the nearest one above it."""
    for place in (folder, *folder.parents):
        candidate = project(place)
        if candidate:
            return candidate
    return None


def root_of(folder: Path) -> Path:
    """The workspace's root: the folder with pnpm-workspace.yaml, else with the nearest package.json, else the folder itself."""
    for place in (folder, *folder.parents):
        if (place / "pnpm-workspace.yaml").is_file():
            return place
    nearest_project = nearest(folder)
    return nearest_project.folder if nearest_project else folder


def members(root: Path) -> list[Project]:
    """The packages of the workspace, its root first."""
    folders = {root}
    patterns = _patterns(root)
    for pattern in patterns:
        if not pattern.startswith("!"):
            matches = root.glob(pattern.removeprefix("./"))
            folders |= {f for f in matches if (f / "package.json").is_file() and "node_modules" not in f.parts}
    for pattern in patterns:
        if pattern.startswith("!"):
            folders -= set(root.glob(pattern[1:].removeprefix("./")))
    return [member for f in sorted(folders, key=lambda f: (f != root, str(f))) if (member := project(f))]


def _patterns(root: Path) -> list[str]:
    """The globs in pnpm-workspace.yaml; those with `!` exclude packages."""
    import yaml

    path = root / "pnpm-workspace.yaml"
    if not path.is_file():
        return []
    return [str(glob) for glob in (yaml.safe_load(path.read_text()) or {}).get("packages") or []]


def lockfile(root: Path) -> dict[str, Any] | None:
    """The content of pnpm-lock.yaml; None if absent. Raises PnpmError if it is not YAML."""
    import yaml

    path = root / "pnpm-lock.yaml"
    try:
        text = path.read_text()
    except FileNotFoundError:
        return None
    try:
        content = yaml.safe_load(text)
    except yaml.MarkedYAMLError as why:
        mark = why.problem_mark
        place = f" ({mark.line + 1}:{mark.column + 1})" if mark else ""
        lines = "".join(f" {n} | {line}\n" for n, line in enumerate([*text.splitlines(), ""], 1))
        raise PnpmError(
            "ERR_PNPM_BROKEN_LOCKFILE", f'The lockfile at "{path}" is broken: {why.problem}{place}\n\n{lines}-----^'
        ) from None
    return content if isinstance(content, dict) else {}


def locked(lock: dict[str, Any], root: Path, member: Project) -> dict[str, str]:
    """The lock file's dependencies of this member with their ranges."""
    key = "." if member.folder == root else str(member.folder.relative_to(root))
    importer = (lock.get("importers") or {}).get(key) or (lock if key == "." else {})
    return {
        str(name): str(entry.get("specifier") if isinstance(entry, dict) else entry)
        for group in _GROUPS
        for name, entry in (importer.get(group) or {}).items()
    }


def outdated(lock: dict[str, Any], root: Path, members_: list[Project]) -> None:
    """Raise PnpmError if the lock file's ranges differ from those in a package.json."""
    for member in members_:
        reasons = _differences(locked(lock, root, member), member.wanted)
        if not reasons:
            continue
        where = "" if member.folder == root else f"{member.folder.relative_to(root)}/"
        raise PnpmError(
            "ERR_PNPM_OUTDATED_LOCKFILE",
            'Cannot install with "frozen-lockfile" because pnpm-lock.yaml is not up to date with '
            f"<ROOT>/{where}package.json\n\nNote that in CI environments this setting is true by default. If you still need "
            'to run install in such cases, use "pnpm install --no-frozen-lockfile"\n\n  Failure reason:\n'
            "  specifiers in the lockfile don't match specifiers in package.json:\n" + "\n".join(reasons) + "\n",
        )


def _differences(have: dict[str, str], want: dict[str, str]) -> list[str]:
    """The differences between the lock file's ranges and the wanted ones, as pnpm lists them."""
    added = [f"{name}@{want[name]}" for name in want if name not in have]
    removed = [f"{name}@{have[name]}" for name in have if name not in want]
    other = [name for name in want if name in have and have[name] != want[name]]
    reasons = [f"* {len(added)} dependencies were added: {', '.join(added)}"] if added else []
    reasons += [f"* {len(removed)} dependencies were removed: {', '.join(removed)}"] if removed else []
    if other:
        reasons.append(f"* {len(other)} dependencies are mismatched:")
        reasons += [f"  - {name} (lockfile: {have[name]}, manifest: {want[name]})" for name in other]
    return reasons
