"""The five phases on a fresh pair: planned, carried out, run again, undone."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from migration import cli, undo
from tests.migration.conftest import Pair, code_of

pytestmark = pytest.mark.slow


def planned(repos: Pair, path: Path) -> dict:
    assert code_of(lambda: cli.plan(repos.flags(), str(path))) == 0
    return json.loads(path.read_text())


def apply(repos: Pair, path: Path, **flags: object) -> int:
    return code_of(lambda: cli.apply_file(repos.flags(yes=True, **flags), str(path)))


def test_a_plan_ends_at_the_predicted_trees_and_a_second_run_makes_no_commit(pair: Callable[..., Pair], tmp_path: Path):
    repos = pair()
    document = planned(repos, tmp_path / "plan.json")
    before = lost_blobs_base(repos)
    assert apply(repos, tmp_path / "plan.json") == 0
    for name in ("core", "gitops"):
        assert repos.tree(name) == document[name]["predicted_tree"]
        assert repos.git(name, "status", "--porcelain", "-uno", "--ignore-submodules") == ""
    heads = [repos.git(n, "rev-parse", "HEAD") for n in ("core", "gitops")]
    assert code_of(lambda: cli.status(repos.flags(check=True))) == 0
    assert apply(repos, tmp_path / "plan.json") == 0
    assert [repos.git(n, "rev-parse", "HEAD") for n in ("core", "gitops")] == heads
    assert nothing_lost(repos, before) == []
    assert not list(repos.core.glob("infra/**/*"))
    assert code_of(lambda: undo.undo(repos.core, repos.gitops, yes=True, dry=False, json=False)) == 0
    assert repos.tree("core") == document["core"]["tree"]
    assert repos.tree("gitops") == document["gitops"]["tree"]


def lost_blobs_base(repos: Pair) -> dict[str, tuple[str, str]]:
    rows = repos.git("core", "ls-tree", "-r", "HEAD").splitlines()
    return {row.split("\t")[1]: (row.split()[0], row.split()[2]) for row in rows}


def nothing_lost(repos: Pair, before: dict[str, tuple[str, str]]) -> list[str]:
    """From git alone: every blob that core had and no longer has is in gitops' history, or its path is superseded."""
    import yaml

    now = {row.split("\t")[1] for row in repos.git("core", "ls-tree", "-r", "HEAD").splitlines()}
    ever = {tuple(w) for w in _history(repos)}
    text = Path("config/migration.yaml").read_text()
    superseded = [row["path"].rstrip("*") for row in yaml.safe_load(text)["superseded"]]
    lost = []
    for path, (mode, blob) in before.items():
        named = any(path == s or (s.endswith("/") and path.startswith(s)) for s in superseded)
        globbed = path.startswith("tilt/") and "k3d" in path
        if path not in now and (mode, blob) not in ever and not named and not globbed:
            lost.append(path)
    return lost


def _history(repos: Pair) -> list[list[str]]:
    raw = repos.git("gitops", "log", "--raw", "--no-abbrev", "--no-renames", "--root", "-m", "--format=")
    return [[line.split()[1], line.split()[3]] for line in raw.splitlines() if line.startswith(":")]


def test_with_remotes_apply_stops_until_gitops_is_pushed_then_goes_on(pair: Callable[..., Pair], tmp_path: Path):
    repos = pair(remotes=True)
    document = planned(repos, tmp_path / "plan.json")
    kinds = [c["kind"] for p in document["phases"] for s in p["steps"] for c in s["changes"]]
    assert "person" in kinds
    core_before = repos.git("core", "rev-parse", "HEAD")
    assert apply(repos, tmp_path / "plan.json") == 3
    assert repos.tree("gitops") == document["gitops"]["predicted_tree"]
    assert repos.git("core", "rev-parse", "HEAD") == core_before
    repos.git("gitops", "push", "--quiet")
    assert apply(repos, tmp_path / "plan.json") == 0
    assert repos.tree("core") == document["core"]["predicted_tree"]
    assert repos.git("core", "rev-parse", "HEAD:gitops/ameide-gitops") == repos.git("gitops", "rev-parse", "HEAD")


def test_a_plan_is_refused_after_another_commit(pair: Callable[..., Pair], tmp_path: Path):
    repos = pair()
    planned(repos, tmp_path / "plan.json")
    repos.commit("core", "new.txt", b"x")
    head = repos.git("core", "rev-parse", "HEAD")
    assert apply(repos, tmp_path / "plan.json") == 3
    assert repos.git("core", "rev-parse", "HEAD") == head


def test_shellcheck_hadolint_and_json5_accept_the_written_files(ready: Pair):
    folder = ready.core / ".devcontainer"
    for name in ("postCreate.sh", "postCreate.team.sh", "postStartCommand.sh"):
        subprocess.run(["bash", "-n", str(folder / name)], check=True)
        subprocess.run([".remote-dev/venv/bin/shellcheck", str(folder / name)], check=True)
    subprocess.run([".remote-dev/venv/bin/hadolint", str(folder / "Dockerfile")], check=True)
    import json5

    found = json5.loads((folder / "devcontainer.json").read_text())
    assert found["capAdd"] == ["NET_ADMIN"]
    assert found["customizations"]["ameide"] == {"owner": "team-platform", "costCentre": "4711"}
    assert "// Tilt builds images with the host's Docker." in (folder / "devcontainer.json").read_text()
    tiltfile = (ready.core / "Tiltfile").read_text()
    assert len({w for w in tiltfile.split("'") if w.startswith("apps-") and w.endswith("-tilt")}) == 12
    assert "k3d-" not in tiltfile
    assert "TILT_REMOTE" not in tiltfile


def test_with_kept_history_git_log_reaches_the_old_authors(pair: Callable[..., Pair]):
    repos = pair()
    plain = repos.plan((1,)).simulation.gitops.tree.id()
    assert repos.run(1, history="keep") == 0
    assert repos.tree("gitops") == plain
    assert "Bo Lindqvist" in repos.git("gitops", "log", "--follow", "--format=%an", "bootstrap/bootstrap.sh")


@pytest.mark.parametrize("last", [1, 2, 3])
def test_undo_restores_the_tagged_trees_from_each_phase(pair: Callable[..., Pair], last: int):
    repos = pair()
    before = [repos.tree(n) for n in ("core", "gitops")]
    for number in range(1, last + 1):
        assert repos.run(number) == 0
    assert code_of(lambda: undo.undo(repos.core, repos.gitops, yes=True, dry=False, json=False)) == 0
    assert [repos.tree(n) for n in ("core", "gitops")] == before


def test_undo_keeps_later_changes(ready: Pair):
    assert ready.run(4) == 0
    ready.commit("core", "README.md", b"somebody's own\n")
    ready.commit("core", "own.txt", b"own\n")
    assert code_of(lambda: undo.undo(ready.core, ready.gitops, yes=True, dry=False, json=False)) == 3
    assert (ready.core / "README.md").read_text() == "somebody's own\n"
    assert (ready.core / "own.txt").exists()
    assert (ready.core / "infra/kubernetes/scripts/common.sh").exists()
