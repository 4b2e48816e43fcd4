"""JSON Schemas of the files in config/, made from the structs that read them: `python -m tasks.core.schemas` writes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tasks.core.settings import repository_root

FOLDER = "config/schema"


def all_of_them() -> dict[str, str]:
    """File name -> content, as it is to stand in config/schema/."""
    import msgspec

    from tasks.core.catalogue import Catalogue
    from tasks.core.migration_mapping import Mapping
    from tasks.core.settings import Settings

    kinds: dict[str, Any] = {"settings": Settings, "services": Catalogue, "migration": Mapping}
    found = {}
    for name, kind in kinds.items():
        schema = msgspec.json.schema(kind)
        for definition in schema.get("$defs", {}).values():
            for own in [key for key in definition.get("properties", {}) if key.startswith("_")]:
                del definition["properties"][own]  # set by the loader, never by a person
        body = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": f"config/{name}.yaml",
            **schema,
        }
        found[f"{name}.json"] = json.dumps(body, indent=1, sort_keys=True) + "\n"
    return found


def write(root: Path) -> None:
    """Write them below this repository root."""
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in all_of_them().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(repository_root())
