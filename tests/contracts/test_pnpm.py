"""What the suite relies on in pnpm."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest

from tasks.core.config.settings import Settings
from tasks.core.errors import ToolError
from tasks.core.plan.change import perform
from tasks.core.signatures import explain
from tasks.tools import pnpm, versions
from tests.contracts.programs import Program

TOOL = "pnpm"
pytestmark = pytest.mark.contract
LOCK = "lockfileVersion: '9.0'\n\nsettings:\n  autoInstallPeers: true\n  excludeLinksFromLockfile: false\n\nimporters:\n\n  .: {}\n"


@pytest.fixture
def project(program: Program, suite: Settings) -> Path:
    """A project without dependencies, which needs no registry."""
    place = program.home / "project"
    place.mkdir()
    (place / "package.json").write_text(json.dumps({"name": "project", "version": "1.0.0"}))
    (program.home / ".npmrc").write_text("registry=http://127.0.0.1:1/\nfetch-retries=0\n")
    return place


def there(s: Settings, place: Path) -> Settings:
    """The settings for this project."""
    return msgspec.structs.replace(s, root=str(place))


def test_its_version_is_read_in_a_folder_without_a_project(program: Program, suite: Settings):
    done = program.call("--version", cwd=os.sep)
    assert done.exit == 0
    found = versions.installed(suite, TOOL)
    assert found is not None
    assert found.version == done.out.strip()


def test_an_installation_leaves_the_files_that_the_suite_checks(program: Program, suite: Settings, project: Path):
    (project / "pnpm-lock.yaml").write_text(LOCK)
    s = there(suite, project)
    assert pnpm.missing(s) == "node_modules is not there"
    perform(pnpm.install(s, "test"))
    assert pnpm.missing(s) == ""


def test_a_workspace_of_its_own_packages_is_installed(program: Program, suite: Settings, project: Path):
    (project / "pnpm-workspace.yaml").write_text("packages: [packages/*]\n")
    for name, wanted in (("x", {}), ("y", {"x": "workspace:*"})):
        folder = project / "packages" / name
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(json.dumps({"name": name, "version": "1.0.0", "dependencies": wanted}))
    assert program.call("install", "--no-frozen-lockfile", cwd=project, env={"CI": "true"}).exit == 0
    assert pnpm.missing(there(suite, project)) == ""


@pytest.mark.parametrize(
    ("lock", "package", "code"),
    [
        ("", {"dependencies": {"left-pad": "1.3.0"}}, "ERR_PNPM_NO_LOCKFILE"),
        (LOCK, {"dependencies": {"left-pad": "1.3.0"}}, "ERR_PNPM_OUTDATED_LOCKFILE"),
        ("a: [\n", {}, "ERR_PNPM_BROKEN_LOCKFILE"),
    ],
)
def test_problems_of_the_lock_file_are_reported_on_stdout(
    program: Program, suite: Settings, project: Path, lock: str, package: dict[str, object], code: str
):
    (project / "package.json").write_text(json.dumps({"name": "project", "version": "1.0.0", **package}))
    if lock:
        (project / "pnpm-lock.yaml").write_text(lock)
    done = program.call(*pnpm.install_args(suite), cwd=project, env={"CI": "true"})
    assert done.exit == 1
    assert code in done.out
    assert explain(TOOL, done.said)[1]
    with pytest.raises(ToolError) as why:
        perform(pnpm.install(there(suite, project), "test"))
    assert why.value.why


def test_a_registry_that_refuses_is_reported(program: Program, suite: Settings, project: Path):
    if not program.is_real:
        program.fault("packages-refused")
    (project / "package.json").write_text(
        json.dumps({"name": "p", "version": "1.0.0", "dependencies": {"left-pad": "1.3.0"}})
    )
    done = program.call("install", "--no-frozen-lockfile", cwd=project, env={"CI": "true"})
    assert done.exit == 1
    assert "registry does not answer" in explain(TOOL, done.said)[0]


def test_both_frozen_flags_are_accepted(program: Program, suite: Settings, project: Path):
    (project / "pnpm-lock.yaml").write_text(LOCK)
    for flag in ("--frozen-lockfile", "--no-frozen-lockfile"):
        assert program.call("install", flag, cwd=project).exit == 0, flag
    assert program.call("install", "--no-such-flag", cwd=project).exit == 1
