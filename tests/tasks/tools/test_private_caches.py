"""A dry run works on copies of az's files."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tasks.core.errors import Trouble
from tasks.tools.private_caches import variables, without_trace


@pytest.fixture
def profile() -> Path:
    file = Path.home() / ".azure" / "azureProfile.json"
    file.parent.mkdir()
    file.write_text("{}")
    return file


def test_programs_get_a_copy_during_the_block(profile: Path):
    with without_trace():
        copy = Path(variables()["AZURE_CONFIG_DIR"])
        assert (copy / profile.name).read_text() == "{}"
    assert not copy.exists()
    assert variables() == {}


def test_files_of_another_user_are_named_with_the_fix(profile: Path, monkeypatch: pytest.MonkeyPatch):
    def denied(source: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied", str(source))

    monkeypatch.setattr(shutil, "copy2", denied)
    with pytest.raises(Trouble) as caught, without_trace():
        pass
    assert str(profile) in caught.value.what
    assert f"chown -R {os.getuid()}:{os.getgid()} {profile.parent}" in caught.value.fix
