"""config/schema/migration.json is generated from the mapping's structs, and config/migration.yaml fits it."""

from __future__ import annotations

import json

import jsonschema
import yaml

from migration import schema
from tasks.core.config import schemas
from tasks.core.repository import repository_root


def test_the_committed_schema_is_current():
    committed = (repository_root() / schemas.FOLDER / "migration.json").read_text()
    assert committed == schema.generate()["migration.json"], "run: python -m migration.schema"


def test_the_committed_mapping_fits_its_schema():
    published = json.loads((repository_root() / schemas.FOLDER / "migration.json").read_text())
    document = yaml.safe_load((repository_root() / "config/migration.yaml").read_text())
    jsonschema.Draft202012Validator(published).validate(document)
