"""A small repository whose files are moved, changed and deleted."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

FILES = {
    "keep.txt": b"keep\n",
    "gone/a.txt": b"a\n",
    "gone/deep/b.sh": b"b\n",
    "gone/new\nline": b"n\n",
    'gone/quo"te': b"q\n",
    "changed.txt": b"old\n",
}


def git(folder: Path, *args: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *args], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    git(folder, "config", "user.name", "A")
    git(folder, "config", "user.email", "a@example.test")
    for name, data in FILES.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    (folder / "gone/deep/b.sh").chmod(0o755)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "first")
    (folder / ".gitignore").write_text("*.env\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "ignore")
    (folder / "gone/deep/x.env").write_text("TOKEN=1")
    return folder
