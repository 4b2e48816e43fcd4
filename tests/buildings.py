"""Which tests need a building, a top-level package, that this copy of the repository does not have.

A repository whose migration is over has no `migration/`; a team's repository has no `sandbox/`. The other tests run there.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

BUILDINGS = ("tasks", "migration", "sandbox", "starlark_harness", "benchmarks")


def needs_missing(path: Path, root: Path) -> bool:
    """Whether this test module, or the conftest.py of this folder, imports a building that does not exist in root.

    Imports inside functions count, and so do those of the `tests.*` modules that it imports.
    """
    module = path / "conftest.py" if path.is_dir() else path
    if module.suffix != ".py" or not module.is_file():
        return False
    return any(not (root / name).is_dir() for name in buildings(module, root))


@cache
def buildings(module: Path, root: Path) -> frozenset[str]:
    """Return the buildings that this module imports, directly or through `tests.*` modules."""
    needed: set[str] = set()
    seen: set[Path] = set()
    waiting = [module]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        for name in imported(current):
            top = name.partition(".")[0]
            if top in BUILDINGS:
                needed.add(top)
            elif top == "tests":
                waiting += _files(name, root)
    return frozenset(needed)


def imported(module: Path) -> Iterator[str]:
    """Yield the dotted names that this module imports. `from a import b` yields `a` and `a.b`: b may be a module."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _files(name: str, root: Path) -> list[Path]:
    """Return the file of a module, if the dotted name is one."""
    place = root / name.replace(".", "/")
    return [file for file in (place.with_suffix(".py"), place / "__init__.py") if file.is_file()]
