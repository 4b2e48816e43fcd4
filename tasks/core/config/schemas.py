"""JSON Schemas of config/settings.yaml and config/services.yaml, generated from the structs that read them.

`python -m tasks.core.config.schemas` writes them to config/schema/.
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

from tasks.core.repository import repository_root

FOLDER = "config/schema"


def generate() -> dict[str, str]:
    """Return file name -> content for config/schema/."""
    from tasks.core.config.catalogue import Catalogue
    from tasks.core.config.settings import Settings

    return {"settings.json": schema_of("settings", Settings), "services.json": schema_of("services", Catalogue)}


def schema_of(name: str, kind: Any) -> str:
    """Return the JSON Schema of config/NAME.yaml, as text."""
    import msgspec

    schema = _dedented(msgspec.json.schema(kind))
    documented = field_docstrings(kind)
    for struct, definition in schema.get("$defs", {}).items():
        for field, text in documented.get(struct, {}).items():
            if field in definition.get("properties", {}):
                definition["properties"][field].setdefault("description", text)
        for own in [key for key in definition.get("properties", {}) if key.startswith("_")]:
            del definition["properties"][own]  # the loader sets it
    body = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"config/{name}.yaml", **schema}
    return json.dumps(body, indent=1, sort_keys=True) + "\n"


def field_docstrings(kind: Any) -> dict[str, dict[str, str]]:
    """Return the text below each field, by class and field, of the module that defines this struct."""
    tree = ast.parse(inspect.getsource(sys.modules[kind.__module__]))
    found: dict[str, dict[str, str]] = {}
    for node in [node for node in tree.body if isinstance(node, ast.ClassDef)]:
        for field, below in pairwise(node.body):
            match field, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    found.setdefault(node.name, {})[name] = inspect.cleandoc(text)
    return found


def _dedented(node: Any) -> Any:
    """Return the schema with dedented descriptions: Python 3.13 dedents docstrings itself, older ones do not."""
    if isinstance(node, dict):
        return {
            key: inspect.cleandoc(value) if key == "description" and isinstance(value, str) else _dedented(value)
            for key, value in node.items()
        }
    return [_dedented(item) for item in node] if isinstance(node, list) else node


def write(schemas: dict[str, str], root: Path) -> None:
    """Write the schemas below this repository root."""
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in schemas.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(generate(), repository_root())
