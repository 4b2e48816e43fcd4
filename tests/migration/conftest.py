"""Pairs of repositories to migrate: made once, copied for each test."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from migration import cli
from migration.cli import Flags
from migration.engine import MigrationPlan
from sandbox import control
from sandbox.legacy.pair import make
from tasks.core import ui
from tests.migration.desk import Desk


@dataclass(frozen=True)
class Pair:
    """A copy of a pair."""

    folder: Path

    @property
    def core(self) -> Path:
        return self.folder / "ameide-core"

    @property
    def gitops(self) -> Path:
        return self.folder / "ameide-gitops"

    def flags(self, **typed: object) -> Flags:
        return Flags(str(self.core), str(self.gitops), **typed)  # type: ignore[arg-type]

    def git(self, repo: str, *args: str) -> str:
        folder = self.core if repo == "core" else self.gitops
        return subprocess.run(
            ["git", "-C", str(folder), *args], check=True, capture_output=True, text=True
        ).stdout.strip()

    def tree(self, repo: str) -> str:
        return self.git(repo, "rev-parse", "HEAD^{tree}")

    def subjects(self, repo: str) -> list[str]:
        return self.git(repo, "log", "--format=%s").splitlines()

    def plan(self, phases: tuple[int, ...] = cli.ALL, **flags: object) -> MigrationPlan:
        found = cli.planned(cli.request(self.flags(**flags), phases))
        found.simulation.repositories.close()
        return found

    def run(self, number: int, **flags: object) -> int:
        """One phase, as the task runs it; its exit code."""
        return code_of(lambda: cli.phase(self.flags(yes=True, **flags), number))

    def commit(self, repo: str, path: str, data: bytes, mode: int = 0o644) -> None:
        folder = self.core if repo == "core" else self.gitops
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
        (folder / path).chmod(mode)
        self.git(repo, "add", "--all", "--", path)
        self.git(repo, "commit", "--quiet", "-m", f"by hand: {path}")


def code_of(work: Callable[[], None]) -> int:
    """The exit code of a task's body; a Trouble has its own."""
    from tasks.core.errors import Trouble

    try:
        work()
    except SystemExit as left:
        return int(left.code or 0)
    except Trouble as why:
        ui.talk(why.text())
        return int(why.code)
    return 0


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Pairs by their faults, each made once."""
    made: dict[tuple[object, ...], Path] = {}

    def template(*faults: str, remotes: bool = False) -> Path:
        key = (faults, remotes)
        if key not in made:
            folder = tmp_path_factory.mktemp("pair") / "it"
            make(folder, "S", faults, remotes)
            made[key] = folder
        return made[key]

    return template


@pytest.fixture
def pair(templates: Callable[..., Path], tmp_path: Path) -> Callable[..., Pair]:
    """A fresh copy of a pair with these faults."""

    def copy(*faults: str, remotes: bool = False) -> Pair:
        folder = tmp_path / "pair"
        if folder.exists():  # a second one to compare with
            folder = tmp_path / f"pair-{'-'.join(faults)}"
        if remotes:  # its clones name their remotes by absolute paths
            make(folder, "S", faults, True)
        else:
            shutil.copytree(templates(*faults), folder, symlinks=True)
        return Pair(folder)

    return copy


@pytest.fixture(scope="session")
def migrated_template(templates: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pair after phases 1 to 3, for tests of phase 4."""
    folder = tmp_path_factory.mktemp("migrated") / "it"
    shutil.copytree(templates(), folder, symlinks=True)
    repos = Pair(folder)
    for number in (1, 2, 3):
        assert repos.run(number) == 0
    return folder


@pytest.fixture
def ready(migrated_template: Path, tmp_path: Path) -> Pair:
    """A pair for which only phases 4 and 5 are left."""
    shutil.copytree(migrated_template, tmp_path / "ready", symlinks=True)
    return Pair(tmp_path / "ready")


@pytest.fixture(scope="session")
def finished(templates: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A pair after one plan of all five phases. Only to be read."""
    folder = tmp_path_factory.mktemp("finished") / "it"
    shutil.copytree(templates(), folder, symlinks=True)
    repos, saved = Pair(folder), str(folder.parent / "plan.json")
    assert code_of(lambda: cli.plan(repos.flags(), saved)) == 0
    assert code_of(lambda: cli.apply_file(repos.flags(yes=True), saved)) == 0
    return repos


@pytest.fixture
def desk(finished: Pair, tmp_path: Path) -> Iterator[Desk]:
    """A developer in the migrated core, in a sandbox."""
    shutil.copytree(finished.folder, tmp_path / "it", symlinks=True)
    box = control.up()
    yield Desk(box, Pair(tmp_path / "it"))
    control.down(box)


def blocks(plan: MigrationPlan, reason: str = "") -> set[tuple[str, str, str]]:
    """Path, reason and place of every block."""
    return {(b.path, b.reason, b.where) for o in plan.results for b in o.blocks if not reason or b.reason == reason}


@pytest.fixture(scope="session", autouse=True)
def suite_as_it_was() -> None:
    """The suite's files are read once: a plan must not change because somebody edits the suite while tests run."""
    from migration import carried_suite
    from tasks.core.repository import repository_root

    carried, own = carried_suite.files(Path("/nonexistent"))
    templates = {
        str(p.relative_to(repository_root())): p.read_bytes() for p in (repository_root() / ".devcontainer").iterdir()
    }
    carried_suite.files = lambda core: (dict(carried), own)
    carried_suite.template = templates.get  # type: ignore[assignment]
    recorded = carried_suite.here()
    carried_suite.here = lambda: recorded
