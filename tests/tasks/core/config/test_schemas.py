"""The JSON schemas in config/schema/ are those of the structs, and the committed files match them."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from tasks.core.config import schemas
from tasks.core.repository import repository_root

NAMES = sorted(schemas.generate())


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_schema_is_current(name: str):
    committed = (repository_root() / schemas.FOLDER / name).read_text()
    assert committed == schemas.generate()[name], "run: python -m tasks.core.config.schemas"


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_file_matches_its_schema(name: str):
    schema = json.loads((repository_root() / schemas.FOLDER / name).read_text())
    document = yaml.safe_load((repository_root() / "config" / name.replace(".json", ".yaml")).read_text())
    jsonschema.Draft202012Validator(schema).validate(document)


def test_an_unknown_key_does_not_match_the_schema():
    schema = json.loads((repository_root() / schemas.FOLDER / "settings.json").read_text())
    document = yaml.safe_load((repository_root() / "config/settings.yaml").read_text())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate({**document, "clustr": {}})


def test_schemas_are_written_to_a_folder_that_may_be_missing(tmp_path: Path):
    for text in ("{}", "{ }"):
        schemas.write({"a.json": text}, tmp_path)
        assert (tmp_path / schemas.FOLDER / "a.json").read_text() == text
