"""Whether the lock file is installed is read from pnpm's own files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tasks.core.config.settings import Settings
from tasks.core.errors import ToolError
from tasks.core.plan.change import perform
from tasks.tools import pnpm
from tests.made import settings


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "core"
    folder.mkdir()
    (folder / "package.json").write_text("{}")
    (folder / "pnpm-lock.yaml").write_text("lockfileVersion: '9.0'\n")
    return folder


def of(folder: Path) -> Settings:
    return settings(packages__folder=str(folder))


def installed(folder: Path, age: float = 0) -> None:
    (folder / "node_modules/.pnpm").mkdir(parents=True)
    done = folder / "node_modules/.modules.yaml"
    done.write_text("")
    if age:
        at = (folder / "pnpm-lock.yaml").stat().st_mtime - age
        os.utime(done, (at, at))


def test_nothing_to_install_without_a_package_json(tmp_path: Path):
    assert pnpm.missing(of(tmp_path)) == ""


def test_what_was_never_installed_is_missing(project: Path):
    assert pnpm.missing(of(project)) == "node_modules is not there"


def test_a_half_made_node_modules_is_missing(project: Path):
    (project / "node_modules/left-pad").mkdir(parents=True)
    assert pnpm.missing(of(project)) == "node_modules is not there"


def test_what_was_installed_after_the_lock_file_is_there(project: Path):
    installed(project)
    assert pnpm.missing(of(project)) == ""


def test_a_newer_lock_file_is_missing_unless_its_content_is_the_installed_one(project: Path):
    installed(project, age=60)
    assert "newer" in pnpm.missing(of(project))
    (project / "node_modules/.pnpm/lock.yaml").write_bytes((project / "pnpm-lock.yaml").read_bytes())
    assert pnpm.missing(of(project)) == ""


def test_a_newer_lock_file_of_other_content_than_the_installed_one_is_missing(project: Path):
    installed(project, age=60)
    (project / "node_modules/.pnpm/lock.yaml").write_text("lockfileVersion: '6.0'\n")
    assert "newer" in pnpm.missing(of(project))


def test_the_installation_is_frozen_and_asks_nobody(project: Path, fp):
    fp.register(["pnpm", fp.any()])
    perform(pnpm.install(of(project), "why"))
    (call,) = fp.calls
    assert call[1:] == ["install", "--frozen-lockfile"]
    assert pnpm.install_args(settings(packages__frozen="false")) == ("install", "--no-frozen-lockfile")


def test_an_outdated_lock_file_is_explained_although_pnpm_prints_it_on_stdout(project: Path, fp):
    said = (
        '\u2009ERR_PNPM_OUTDATED_LOCKFILE\u2009 Cannot install with "frozen-lockfile" because pnpm-lock.yaml is not up to date\n\n'
        "    Failure reason:\n  * 1 dependencies were added: left-pad@1.3.0\n\n"
    )
    fp.register(["pnpm", fp.any()], stdout=said.encode(), returncode=1)
    with pytest.raises(ToolError) as why:
        perform(pnpm.install(of(project), "why"))
    assert "does not match package.json" in why.value.why
    assert why.value.fix == "pnpm install, then commit pnpm-lock.yaml"


@pytest.mark.parametrize(
    ("stdout", "stderr", "said"),
    [
        (
            "\u2009ERR_PNPM_BROKEN_LOCKFILE\u2009 The lockfile is broken (2:1)\n\n 1 | a: [\n-----^\n",
            "",
            "ERR_PNPM_BROKEN_LOCKFILE The lockfile is broken (2:1)",
        ),
        (
            "Progress: resolved 1\n\u2009ECONNREFUSED\u2009 request to http://127.0.0.1:1/x failed\n\nFetchError\n    at x (node:internal:21)\n",
            "",
            "ECONNREFUSED request to http://127.0.0.1:1/x failed",
        ),
        (
            "",
            "\u2009ERROR\u2009 This project is configured to use yarn\nFor help, run: pnpm help install\n",
            "ERROR This project is configured to use yarn",
        ),
    ],
)
def test_the_error_is_pnpms_own_line_and_not_what_it_prints_below(
    project: Path, fp, stdout: str, stderr: str, said: str
):
    """As recorded of pnpm 10.34.9."""
    fp.register(["pnpm", fp.any()], stdout=stdout.encode(), stderr=stderr.encode(), returncode=1)
    with pytest.raises(ToolError) as caught:
        perform(pnpm.install(of(project), "why"))
    assert caught.value.what == f"pnpm install: {said}"
