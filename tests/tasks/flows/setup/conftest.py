"""A workstation in a sandbox, with a core repository of its own."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from sandbox import control
from sandbox.control import Box
from tasks.core import ui
from tasks.core.config.settings import Settings, load
from tasks.core.repository import repository_root
from tasks.flows.setup.cli import run

GIT = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "protocol.file.allow",
       "GIT_CONFIG_VALUE_0": "always", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com",
       "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com"}  # fmt: skip


@dataclass
class Workstation:
    """A sandbox as one developer sees it."""

    box: Box
    core: Path
    changed: dict[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return load(repository_root(), {**os.environ, **self.changed})

    def setup(self, **how: Any) -> int:
        """Run setup here; its exit code."""
        return run(self.settings, **how)

    def outcomes(self, capsys: pytest.CaptureFixture[str], **how: Any) -> dict[str, dict[str, Any]]:
        """Run setup with --json; the steps by key."""
        capsys.readouterr()
        run(self.settings, as_json=True, **how)
        return {step["key"]: step for step in json.loads(capsys.readouterr().out)["steps"]}

    def calls(self, *words: str) -> list[list[str]]:
        """The calls of stand-ins whose program and arguments contain these words."""
        found = [[call["tool"], *call["argv"]] for call in self.box.calls()]
        return [call for call in found if all(word in call for word in words)]

    def writes(self) -> list[list[str]]:
        """The calls that changed something."""
        return [[c["tool"], *c["argv"]] for c in self.box.calls() if c["writes"]]

    def forget_calls(self) -> None:
        self.box.log.write_text("")

    def fault(self, name: str, on: bool = True) -> None:
        control.fault(self.box, name, on)

    @property
    def kubeconfig(self) -> Path:
        return Path(os.environ["KUBECONFIG"])

    def fingerprint(self) -> dict[str, str]:
        """Every file of HOME, state and repository with the hash of its content."""
        roots = (self.box.path / "home", self.box.path / "state", self.core)
        files = [p for root in roots for p in root.rglob("*") if p.is_file() or p.is_symlink()]
        return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture
def core(tmp_path: Path) -> Path:
    """A clone of a core repository: a package.json with a lock file, and a submodule that is not checked out."""
    env = {**os.environ, **GIT}

    def git(folder: Path, *args: str) -> None:
        subprocess.run(["git", *args], cwd=folder, env=env, check=True, capture_output=True)

    gitops, origin = tmp_path / "gitops", tmp_path / "origin"
    for folder in (gitops, origin):
        folder.mkdir()
        git(folder, "init", "-q", "-b", "main")
    (gitops / "values.yaml").write_text("a: 1\n")
    git(gitops, "add", ".")
    git(gitops, "commit", "-qm", "values")
    (origin / "package.json").write_text('{"name": "core", "dependencies": {"left-pad": "1.3.0"}}\n')
    (origin / "pnpm-lock.yaml").write_text(
        "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      left-pad:\n        specifier: 1.3.0\n"
        "        version: 1.3.0\npackages:\n  left-pad@1.3.0:\n    resolution: {integrity: sha512-x}\nsnapshots:\n  left-pad@1.3.0: {}\n"
    )
    git(origin, "submodule", "add", "-q", str(gitops), "gitops/team-gitops")
    git(origin, "add", ".")
    git(origin, "commit", "-qm", "core")
    git(tmp_path, "clone", "-q", str(origin), "core")
    return tmp_path / "core"


@pytest.fixture
def workstation(core: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workstation]:
    """A fresh sandbox, logged in, with nothing set up."""
    box = control.up()
    monkeypatch.setattr(ui, "can_ask", lambda: False)
    for name, value in {**box.env, **GIT}.items():
        monkeypatch.setenv(name, value)
    # Names of the cluster resolve in the sandbox's own processes only, and setup runs in this one.
    monkeypatch.setenv("REMOTE_DEV_REPOSITORIES__CORE", str(core))
    monkeypatch.setenv("REMOTE_DEV_REPOSITORIES__GITOPS", str(core / "gitops/team-gitops"))
    monkeypatch.setenv("REMOTE_DEV_PACKAGES__FOLDER", str(core))
    try:
        yield Workstation(box, core)
    finally:
        control.down(box)
