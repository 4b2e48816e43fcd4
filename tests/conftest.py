"""What every test gets: an own HOME and state, no real tool by accident, settings read afresh."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import plumbum.machines.local  # noqa: F401  # its import starts `uname`: it must not happen inside a faked one
import pytest

from tasks.core.config import catalogue, settings
from tasks.core.process import running
from tasks.tools import assessed
from tests.buildings import needs_missing

ROOT = Path(__file__).resolve().parent.parent
if (ROOT / "sandbox").is_dir():  # contracts are tested against its stand-ins
    import sandbox.resolver.sitecustomize  # noqa: F401  # names of a sandbox resolve in tests that run tasks in this process
    from tests.contracts.summary import pytest_terminal_summary as pytest_terminal_summary


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Ignore tests of, or with, a building that this copy of the repository does not have."""
    return needs_missing(collection_path, ROOT) or None


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--contracts DIR`: hold tests/contracts against the real programs in DIR too."""
    parser.addoption("--contracts", default="", metavar="DIR", help="a folder with real programs, see tests/contracts")


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `inv`, as it is on PATH in the dev container: messages name it as it is typed."""
    folder = tmp_path_factory.mktemp("programs")
    (folder / "inv").symlink_to(ROOT / "scripts" / "inv")
    return folder


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, programs: Path) -> Iterator[None]:
    """Each test has its own HOME and state folder; nothing of the developer's environment leaks in."""
    for name in list(os.environ):
        if name.startswith(("REMOTE_DEV_", "AZURE_", "TELEPRESENCE", "KUBE", "LOCAL_USER", "GITHUB_USER")):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("REMOTE_DEV_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ.get('PATH') or os.defpath}")
    monkeypatch.chdir(ROOT)  # and back again, whatever the test did
    assessed.forget()
    running.reset()  # as in a process of its own: a test before may have been interrupted
    settings.settings.cache_clear()
    catalogue.catalogue.cache_clear()
    yield
    settings.settings.cache_clear()
    catalogue.catalogue.cache_clear()
