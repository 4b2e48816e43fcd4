"""A small suite in its own repository, and a team's repository that it was carried into; git is real."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tasks.core import origin
from tasks.flows.suite import cli, copies
from tasks.flows.suite_update import cli as updating
from tasks.flows.suite_update import plan
from tests.made import settings

RULES = "tasks/\ntilt/\nscripts/inv\nconfig/settings.yaml\nconfig/schema/\nmigration/\n!tasks/dev.py # stays\n!tasks/.origin.json\n"
FIRST = {
    "tasks/.carried": RULES,
    "tasks/dev.py": "# only here\n",
    "tasks/code.py": "".join(f"line_{n} = {n}\n" for n in range(20)),
    "tasks/old.py": "old = 1\n",
    "tilt/x.star": "x = 1\n",
    "scripts/inv": "#!/bin/sh\nconfig=config # the folder\nexec true\n",
    "config/settings.yaml": "cluster: {name: theirs}\ntilt: {port: 1, gone: 2}\n",
    "config/schema/settings.json": "{}\n",
    "migration/engine.py": "engine = 1\n",
}


@dataclass(frozen=True)
class Repository:
    folder: Path

    def git(self, *args: str) -> str:
        return subprocess.run(
            ["git", "-C", str(self.folder), *args], check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(self, files: dict[str, str | None], subject: str = "x") -> None:
        """Write these files, delete those without a text, and commit all."""
        for path, text in files.items():
            place = self.folder / path
            if text is None:
                place.unlink()
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
            place.chmod(0o755 if path == "scripts/inv" else 0o644)
        self.git("add", "-A")
        self.git("commit", "-qm", subject)

    def read(self, path: str) -> str:
        return (self.folder / path).read_text()


@dataclass(frozen=True)
class Both:
    suite: Repository
    team: Repository
    capsys: pytest.CaptureFixture[str]

    def run(self, *, keep: tuple[str, ...] = (), **flags: bool) -> tuple[int, dict]:
        """`inv suite.update --json` in the team's repository: exit code and document."""
        given = {"yes": True, "dry": False, "check": False, **flags}
        return self._said(lambda: self.update(keep, json=True, **given))

    def update(self, keep: tuple[str, ...] = (), **flags: bool) -> None:
        """The update as the newer suite runs it."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(updating, "repository_root", lambda: self.suite.folder)
            updating.update(settings(), self.team.folder, keep, **flags)

    def check(self, *, check: bool = False) -> tuple[int, dict]:
        return self._said(lambda: cli.check(settings(), check=check, json=True))

    def _said(self, work) -> tuple[int, dict]:
        from tasks.core.errors import Trouble

        code = 0
        try:
            work()
        except Trouble as why:
            return int(why.code), {"error": why.what}
        except SystemExit as left:
            code = int(left.code or 0)
        return code, json.loads(self.capsys.readouterr().out)

    def actions(self, **flags) -> dict[str, str]:
        return {f["path"]: f["action"] for f in self.run(**flags)[1]["files"]}


def made(folder: Path, files: dict[str, str]) -> Repository:
    folder.mkdir()
    repository = Repository(folder)
    repository.git("init", "-q", "-b", "main")
    repository.git("config", "user.name", "t")
    repository.git("config", "user.email", "t@example.com")
    repository.commit(dict(files))
    return repository


def carry(suite: Repository, team: Repository, folder: str) -> None:
    """What the migration does: copy, at the place of the settings, and record."""
    found = copies.suite_in(settings(), suite.folder)
    recorded = plan.origin_of(settings(), found)
    files: dict[str, str | None] = {
        origin.placed(path, folder): origin.adapted(path, (suite.folder / path).read_bytes(), folder).decode()
        for path in found.files
    }
    team.commit({**files, origin.MANIFEST: recorded.text()})


@pytest.fixture(params=["config", ".remote-first/config"])
def folder(request: pytest.FixtureRequest) -> str:
    """Where the team has the suite's settings."""
    return request.param


@pytest.fixture
def both(tmp_path: Path, folder: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Both:
    suite = made(tmp_path / "suite", FIRST)
    team = made(tmp_path / "team", {"README.md": "team\n", "config/app.go": "package config\n"})
    carry(suite, team, folder)
    monkeypatch.setattr(cli, "repository_root", lambda: team.folder)
    return Both(suite, team, capsys)
