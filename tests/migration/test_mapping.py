"""config/migration.yaml: every mistake is reported with its line, before anything is planned."""

from __future__ import annotations

from pathlib import Path

import pytest

from migration import mapping_file
from tasks.core.errors import Trouble

FILE = Path(__file__).resolve().parents[2] / "config/migration.yaml"


def test_the_committed_mapping_is_valid():
    assert mapping_file.read(FILE).moves


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("to: policies/", "to: ../policies/", "not a path inside"),
        ("to: policies/", 'to: "poli\\0cies/"', "it holds a character that no file name"),
        ("to: policies/", "to: .git/hooks/", "not a path inside"),
        ("DOC-10: docs/dev-workflows/telepresence.md", "DOC-10: ../x.md", "not a path inside"),
        ("kept_in: .devcontainer/postCreate.team.sh", "kept_in: /etc/x.sh", "not a path inside"),
        ("also: [.devcontainer/postStartCommand.sh]", "also: [../x.sh]", "not a path inside"),
        ("  path: Tiltfile", "  path: ../Tiltfile", "not a path inside"),
        ("folder: .devcontainer", "folder: ../x", "not a path inside"),
        ("never: [services/", "never: [../services/", "not a path inside"),
        ("obsolete: [k3d,", "obsolete: ['(',", "not a regular expression"),
        ("drop_features: [k3d]", "drop_features: ['[']", "not a regular expression"),
        ("replacement: '\\1.'", "replacement: '\\7.'", "does not fit the pattern"),
    ],
)
def test_a_mistake_is_reported_with_its_line(tmp_path: Path, old: str, new: str, said: str):
    text = FILE.read_text()
    assert old in text
    (tmp_path / "migration.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(Trouble, match=r"migration\.yaml:\d+: .*" + said):
        mapping_file.read(tmp_path / "migration.yaml")
