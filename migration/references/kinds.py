"""What kind of file a reference is in, as the plan names it."""

from __future__ import annotations

import posixpath

from migration.model import ReferenceKind

_NAMES = {
    "CODEOWNERS": ReferenceKind.CODEOWNERS,
    "Makefile": ReferenceKind.MAKEFILE,
    "package.json": ReferenceKind.PACKAGE_JSON,
    "Tiltfile": ReferenceKind.TILTFILE,
    ".gitmodules": ReferenceKind.GITMODULES,
    ".gitignore": ReferenceKind.GITIGNORE,
    ".dockerignore": ReferenceKind.DOCKERIGNORE,
}
_EXTENSIONS = {
    "sh": ReferenceKind.SCRIPT,
    "bash": ReferenceKind.SCRIPT,
    "py": ReferenceKind.PYTHON,
    "star": ReferenceKind.STARLARK,
    "tilt": ReferenceKind.STARLARK,
    "bzl": ReferenceKind.STARLARK,
    "yaml": ReferenceKind.YAML,
    "yml": ReferenceKind.YAML,
    "json": ReferenceKind.JSON,
    "jsonc": ReferenceKind.JSON,
    "toml": ReferenceKind.TOML,
    "md": ReferenceKind.DOCUMENT,
    "mk": ReferenceKind.MAKEFILE,
}


def kind_of(path: str) -> ReferenceKind:
    """The kind of a reference in this file."""
    name = posixpath.basename(path)
    if path.startswith(".github/workflows/"):
        return ReferenceKind.WORKFLOW
    if name in _NAMES:
        return _NAMES[name]
    if name.startswith("Dockerfile") or name.endswith(".Dockerfile"):
        return ReferenceKind.DOCKERFILE
    extension = name.rpartition(".")[2].lower()
    return _EXTENSIONS.get(extension, ReferenceKind.TEXT)
