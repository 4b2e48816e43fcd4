"""JSON Schema of config/migration.yaml: `python -m migration.schema` writes it to config/schema/."""

from __future__ import annotations

from tasks.core.config import schemas
from tasks.core.repository import repository_root


def generate() -> dict[str, str]:
    """Return file name -> content for config/schema/."""
    from migration.mapping import Mapping

    return {"migration.json": schemas.schema_of("migration", Mapping)}


if __name__ == "__main__":
    schemas.write(generate(), repository_root())
