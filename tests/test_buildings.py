"""A copy without `migration/`, and one without `sandbox/`: the daily tasks run, and the other tests pass."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sandbox import control
from tests.buildings import buildings, imported, needs_missing

ROOT = Path(__file__).resolve().parent.parent
MIGRATION = (
    "migration/",
    "tasks/migrate.py",
    "config/migration.yaml",
    "config/schema/migration.json",
    "tests/migration/",
)
SANDBOX = ("sandbox/",)
QUICK = {
    MIGRATION: (
        "tests/docs/test_docs.py",
        "tests/tasks/test_tree.py",
        "tests/test_house.py",
        "tests/tasks/core/config",
    ),
    SANDBOX: ("tests/test_house.py", "tests/tasks/core/config", "tests/tasks/core/plan", "tests/tasks/tools"),
}


def copied(folder: Path, without: tuple[str, ...]) -> Path:
    """A copy of what git has here, without these files and folders."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listing.stdout.split("\0")):
        if name.startswith(without) or not (ROOT / name).is_file():
            continue
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Callable[[tuple[str, ...]], Path]:
    """Copies of the repository by what they lack, each made once."""
    made: dict[tuple[str, ...], Path] = {}

    def copy(without: tuple[str, ...]) -> Path:
        if without not in made:
            made[without] = copied(tmp_path_factory.mktemp("copy") / "repository", without)
        return made[without]

    return copy


def run(root: Path, *argv: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run this Python in the copy. Nothing of this checkout is on its path, but what a sandbox's environment names."""
    return subprocess.run(
        [sys.executable, *argv],
        cwd=root,
        env=env or {**os.environ, "PYTHONPATH": ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


def inv(root: Path, *words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return run(root, str(root / "tasks.py"), *words, env=env)


@pytest.mark.slow
@pytest.mark.parametrize(("without", "absent"), [(MIGRATION, "migrate."), (SANDBOX, "")], ids=["migration", "sandbox"])
def test_the_tasks_of_a_copy_are_listed(copies: Callable[..., Path], without: tuple[str, ...], absent: str):
    done = inv(copies(without), "--list")
    assert done.returncode == 0, done.stderr
    assert "tp.connect" in done.stdout
    assert ("migrate." in done.stdout) == (absent == "")


@pytest.mark.slow
@pytest.mark.parametrize("without", [MIGRATION, SANDBOX], ids=["migration", "sandbox"])
def test_the_tests_of_a_copy_are_collected_and_a_quick_part_passes(
    copies: Callable[..., Path], without: tuple[str, ...]
):
    root = copies(without)
    collected = run(root, "-m", "pytest", "--collect-only", "-q")
    assert collected.returncode == 0, collected.stdout[-2000:] + collected.stderr[-2000:]
    assert "tests/tasks/core/" in collected.stdout
    for name in without:
        assert f"tests/{name}" not in collected.stdout
    done = run(root, "-m", "pytest", "-q", "-m", "not slow", *QUICK[without])
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]


@pytest.mark.slow
def test_setup_and_an_intercept_work_without_the_migration(copies: Callable[..., Path]):
    root = copies(MIGRATION)
    box = control.up()
    try:
        for words in (("setup", "--skip", "packages"), ("intercept", "www-ameide-platform", "--no-run"), ("leave",)):
            done = inv(root, *words, env=box.environment())
            assert done.returncode == 0, done.stdout + done.stderr
    finally:
        control.down(box)


@pytest.mark.slow
@pytest.mark.parametrize("words", [("demo",), ("sandbox.up",), ("sandbox.legacy", "pair"), ("demo", "--migration")])
def test_a_task_that_needs_the_sandbox_says_where_it_is(copies: Callable[..., Path], words: tuple[str, ...]):
    done = inv(copies(SANDBOX), *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: sandbox is not in this repository\n")
    assert "the suite's own checkout" in done.stderr


@pytest.mark.slow
def test_the_demo_of_the_migration_says_where_the_migration_is(copies: Callable[..., Path]):
    done = inv(copies(MIGRATION), "demo", "--migration")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: migration is not in this repository\n")


# --- which tests need what
def test_imports_are_followed_through_the_helpers_of_the_tests(tmp_path: Path):
    (tmp_path / "tests/sub").mkdir(parents=True)
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tests/helper.py").write_text("def box():\n    from sandbox import control\n    return control\n")
    (tmp_path / "tests/sub/conftest.py").write_text("from tests import helper\n")
    (tmp_path / "tests/sub/test_a.py").write_text("import tests.helper\nimport tasks.core\n")
    (tmp_path / "tests/test_b.py").write_text("import os\nfrom tasks.core import ui\n")
    assert buildings(tmp_path / "tests/sub/test_a.py", tmp_path) == {"sandbox", "tasks"}
    assert set(imported(tmp_path / "tests/test_b.py")) == {"os", "tasks.core", "tasks.core.ui"}
    assert needs_missing(tmp_path / "tests/sub/test_a.py", tmp_path)
    assert needs_missing(tmp_path / "tests/sub", tmp_path)
    assert not needs_missing(tmp_path / "tests/test_b.py", tmp_path)
    assert not needs_missing(tmp_path / "tests", tmp_path)
    (tmp_path / "sandbox").mkdir()
    assert not needs_missing(tmp_path / "tests/sub/test_a.py", tmp_path)


def test_nothing_is_ignored_where_every_building_is():
    assert [p for p in (ROOT / "tests").rglob("*.py") if needs_missing(p, ROOT)] == []
