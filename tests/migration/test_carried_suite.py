"""What a team's repository gets: the daily suite, the migration until it is over, and nothing else."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from migration import carried_suite
from migration.phases import phase2
from sandbox import control
from sandbox.legacy.faults_suite import CONFIG_PACKAGE, OWN_TASKS
from starlark_harness import evaluate
from tasks.core import origin
from tasks.core.repository import repository_root
from tests.migration.conftest import Pair, blocks
from tests.migration.desk import share_environment

MIGRATION = (
    "migration/",
    "starlark_harness/",
    "tasks/migrate.py",
    "config/migration.yaml",
    "config/schema/migration.json",
)
HIDDEN = ".remote-first/config"


def test_core_gets_the_daily_suite_and_the_migration_and_nothing_else():
    carried, own = carried_suite.files(Path("/nonexistent"))
    assert {path.partition("/")[0] for path in carried} == {
        "tasks.py", "tasks", "config", "scripts", "tilt", "migration", "starlark_harness"
    }  # fmt: skip
    assert {path for path in carried if path.endswith(".lock")} == {
        "scripts/requirements.lock",
        "migration/requirements.lock",
    }
    assert own == carried.keys()
    assert carried["scripts/inv"][0] == "100755"


def test_without_the_migration_it_is_small():
    daily = {p: data for p, (_, data) in carried_suite.files(Path("/"))[0].items() if not p.startswith(MIGRATION)}
    assert sum(data.count(b"\n") for p, data in daily.items() if p.endswith(".py")) < 20_500


def test_all_that_the_tiltfile_loads_or_runs_is_carried():
    carried, _ = carried_suite.files(Path("/nonexistent"))
    wanted = {str(p.relative_to(repository_root())) for p in (repository_root() / "tilt").rglob("*") if p.is_file()}
    assert wanted <= carried.keys(), "add it to tasks/.carried"


def test_it_says_whose_it_is():
    carried, _ = carried_suite.files(Path("/nonexistent"))
    assert carried["tasks/LICENSE"][1] == (repository_root() / "LICENSE").read_bytes()
    assert b"remote-first" in carried["tasks/README.md"][1]


def test_what_only_develops_the_suite_stays_in_its_own_checkout():
    carried, _ = carried_suite.files(Path("/nonexistent"))
    imported = {
        module
        for path, (_, data) in carried.items()
        if path.endswith(".py")
        for module in re.findall(
            rb"^\s*(?:from|import) (sandbox|benchmarks|tests|tasks\.(?:demo|sandbox|development))\b", data, re.M
        )
    }
    assert imported == set()
    assert not carried.keys() & {"tasks/development.py", "tasks/demo.py", "tasks/sandbox.py", "migration/schema.py"}


@pytest.mark.slow
def test_a_migrated_core_lists_what_works_there_and_records_its_origin(finished: Pair, tmp_path: Path):
    files = finished.git("core", "ls-files").splitlines()
    assert "migration/engine.py" in files
    assert [p for p in files if p.startswith(("sandbox/", "scripts/requirements-test"))] == []
    record = origin.read(finished.git("core", "show", f"HEAD:{origin.MANIFEST}"))
    assert record.commit == carried_suite.here().commit
    assert {*record.files, origin.MANIFEST} <= {*files}
    assert record.files["tasks.py"] == f"100644 {finished.git('core', 'rev-parse', 'HEAD:tasks.py')}"
    core = cloned(finished.core, tmp_path)
    listed = inv(core, "--list").stdout
    assert "tp.connect" in listed
    assert not re.findall(r"^  (demo|test|bench|sandbox\S*) ", listed, re.M)
    refused = inv(core, "sandbox.up")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("error: sandbox is not in this repository\n")


@pytest.mark.parametrize(("team", "added"), [("", [".remote-dev/", "config/settings.local.yaml", ".env", "__pycache__/"]),
    (".env\n__pycache__\nconfig/settings.local.yaml\n", [".remote-dev/"])])  # fmt: skip
def test_what_the_suite_makes_while_it_runs_is_ignored(team: str, added: list[str]):
    written: list[bytes] = []
    draft: Any = SimpleNamespace(
        simulation=SimpleNamespace(core=SimpleNamespace(text=lambda path: team.encode()), config="config"),
        write=lambda repository, path, data, text: written.append(data),
    )
    phase2._ignore_local_files(draft)
    assert written[0].decode() == team + "".join(f"{pattern}\n" for pattern in added)


@pytest.mark.slow
def test_a_config_folder_of_the_team_stays_the_teams(pair: Callable[..., Pair], tmp_path: Path):
    repos = pair("config-package")
    assert [repos.run(number) for number in (1, 2, 3)] == [0, 0, 0]
    for path, data in CONFIG_PACKAGE.items():
        assert (repos.core / path).read_bytes() == data
    files = repos.git("core", "ls-files", "config", HIDDEN).splitlines()
    assert {p for p in files if p.startswith("config/")} == CONFIG_PACKAGE.keys()
    assert {f"{HIDDEN}/settings.yaml", f"{HIDDEN}/schema/settings.json"} <= {*files}
    assert f"{HIDDEN}/settings.local.yaml" in (repos.core / ".gitignore").read_text().splitlines()
    assert repos.plan((2,)).pending is False
    core = cloned(repos.core, tmp_path)
    assert inv(core, "--list").returncode == 0
    read = evaluate(core / "Tiltfile", (), context=context_in(core), env={"HOME": "/home/x"})
    assert [name for name in read.manifests if name.startswith("intercept-")]
    box = control.up()
    try:
        found = json.loads(inv(core, "status", "--json", **box.env).stdout)
        assert "error" not in found
        planned = json.loads(inv(core, "setup", "--dry-run", "--json", **box.env).stdout)
        assert "error" not in planned
        (core / HIDDEN / "settings.yaml").write_text("clutser: {}\n")
        refused = inv(core, "setup", "--dry-run", **box.env)
        assert f"{HIDDEN}/settings.yaml:1" in refused.stderr
    finally:
        control.down(box)


def context_in(core: Path) -> str:
    """The cluster's context in the hidden settings."""
    return str(yaml.safe_load((core / HIDDEN / "settings.yaml").read_text())["cluster"]["context"])


@pytest.mark.slow
def test_tasks_of_the_team_block_with_their_paths_and_nothing_is_copied(pair: Callable[..., Pair]):
    repos = pair("own-tasks")
    assert repos.run(1) == 0
    before = repos.git("core", "rev-parse", "HEAD")
    assert repos.run(2, only=("RF-20", "DC-14")) == 3
    assert repos.git("core", "rev-parse", "HEAD") == before
    plan = repos.plan((2,), only=("RF-20",))
    assert {path for path, _, _ in blocks(plan)} == {"tasks.py", "tasks/__init__.py"}
    accepted = repos.run(2, only=("RF-20",), accept=("tasks.py", "tasks/__init__.py"))
    assert accepted == 0
    for path in ("tasks/mail.py", "Makefile"):
        assert (repos.core / path).read_bytes() == OWN_TASKS[path]


@pytest.mark.slow
def test_a_newer_suite_leaves_what_was_carried_to_suite_update(ready: Pair, monkeypatch: pytest.MonkeyPatch):
    files = carried_suite.files

    def newer(core: Path):
        carried, own = files(core)
        return carried | {"tasks/status.py": ("100644", b"# newer\n")}, own

    ready.git("core", "rm", "-q", "tasks/aks.py")
    ready.commit("core", "tasks/tilt.py", b"# edited by the team\n")
    monkeypatch.setattr(carried_suite, "files", newer)
    plan = ready.plan((2,), only=("RF-20",))
    (result,) = plan.results
    assert (result.changes, result.blocks) == ((), ())
    assert "inv suite.update --from" in " ".join(result.notes)


@pytest.mark.slow
def test_a_newer_suite_comes_into_a_migrated_core_and_out_again(finished: Pair, tmp_path: Path):
    core = cloned(finished.core, tmp_path)
    newer = tmp_path / "newer"
    own = ("tasks/flows/suite_update", "tasks/tools/git_update.py")
    files = carried_suite.files(Path("/nonexistent"))[0]
    for name in own:
        for place in [repository_root() / name, *(repository_root() / name).glob("*.py")]:
            if place.is_file():
                files[str(place.relative_to(repository_root()))] = ("100644", place.read_bytes())
    for path, (mode, data) in files.items():
        (newer / path).parent.mkdir(parents=True, exist_ok=True)
        (newer / path).write_bytes(data)
        (newer / path).chmod(int(mode[-3:], 8))
    committed(newer, "init", "-q")
    committed(newer)
    with (newer / "tasks/status.py").open("a") as file:
        file.write("\nNEWER = True\n")
    committed(newer)
    (core / "tasks/status.py").write_text(f"# ours\n{(core / 'tasks/status.py').read_text()}")
    (core / "tasks/demo.py").write_text("# no task\n")
    committed(core)
    assert inv(core, "suite.check", "--check").returncode == 2
    found = json.loads(inv(core, "suite.check", "--json").stdout)
    assert {f["path"]: f["state"] for f in found["files"]} == {"tasks/status.py": "edited"}
    done = inv(core, "suite.update", "--from", str(newer), "--json", "--yes")
    assert done.returncode == 0, done.stderr
    assert [(f["path"], f["action"]) for f in json.loads(done.stdout)["files"]] == [("tasks/status.py", "merge")]
    text = (core / "tasks/status.py").read_text()
    assert (text.startswith("# ours\n"), text.endswith("NEWER = True\n")) == (True, True)
    assert inv(core, "--list").returncode == 0
    assert inv(core, "suite.update", "--from", str(core)).stderr.endswith(" --from CHECKOUT\n")


def committed(folder: Path, *words: str) -> None:
    given = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    for args in [words] if words else [("add", "-A"), ("commit", "-qm", "x")]:
        subprocess.run(["git", "-C", str(folder), *given, *args], check=True)


def cloned(core: Path, folder: Path) -> Path:
    """A copy of a core with this checkout's environment."""
    shutil.copytree(core, folder / "copy", symlinks=True)
    share_environment(folder / "copy")
    return folder / "copy"


def inv(core: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [str(core / "scripts/inv"), *words],
        cwd=core,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
