"""The files that an import may mean, in languages whose imports omit the extension or name modules instead of paths."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import NamedTuple

from migration.references.removal import ancestors

SCRIPTS = (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".cts", ".vue")
_ENDINGS = (*SCRIPTS, ".d.ts", ".json", "/index.ts", "/index.tsx", "/index.js", "/index.mjs", "/index.cjs")
_COMPILED = re.compile(r"\.([cm]?)js(x?)\Z")  # TypeScript imports x.ts by the name of its result, x.js
_FROM = re.compile(r"^[ \t]*from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n#]+)", re.MULTILINE)
_IMPORT = re.compile(r"(?:^|;|\b(?:try|else):)[ \t]*import[ \t]+([\w., \t]+)", re.MULTILINE)
_DYNAMIC = re.compile(r"""\b(?:import_module|run_module)\(\s*["'](\.*)([\w.]+)["']""")
_MOST_NAMES = 50  # of one import statement


class Import(NamedTuple):
    """An import. places: the files that it may mean; start: where it is in the text."""

    start: int
    places: list[str]


def script_endings(place: str) -> Iterator[str]:
    """The files that an import of this place may mean in JavaScript and TypeScript."""
    yield from (place + ending for ending in _ENDINGS)
    compiled = _COMPILED.search(place)
    if compiled:
        yield f"{place[: compiled.start()]}.{compiled[1]}ts{compiled[2]}"


def python_imports(path: str, text: str) -> Iterator[Import]:
    """The imports of a Python file: relative to its package, or from its folder or a folder above it."""
    for statement in _FROM.finditer(text):
        dots, module, names = statement.groups()
        module = module.replace(".", "/")
        below = [name.split()[0] for name in names.strip("() \t").split(",")[:_MOST_NAMES] if name.split()]
        modules = [module, *(posixpath.join(module, name) for name in below)]
        yield Import(statement.start(), list(_python_files(path, len(dots), modules)))
    for statement in _IMPORT.finditer(text):
        modules = [name.split()[0].replace(".", "/") for name in statement[1].split(",") if name.split()]
        yield Import(statement.start(), list(_python_files(path, 0, modules)))
    for statement in _DYNAMIC.finditer(text):
        dots, module = statement.groups()
        yield Import(statement.start(), list(_python_files(path, len(dots), [module.replace(".", "/")])))


def _python_files(path: str, dots: int, modules: list[str]) -> Iterator[str]:
    above = [*ancestors(path), ""]
    for folder in above[dots - 1 : dots] if dots else above:
        for module in filter(None, modules):
            place = posixpath.join(folder, module)
            yield from (f"{place}.py", f"{place}/__init__.py")
