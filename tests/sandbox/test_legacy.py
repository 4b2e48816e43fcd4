"""The legacy pair: deterministic, valid, of the requested size, with the paths in the migration's tables."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sandbox.legacy import Pair, make
from sandbox.legacy.archive import EXECUTABLE, LINK, Tree
from sandbox.legacy.blueprint import blueprint
from sandbox.legacy.definition import definition
from sandbox.legacy.git import git
from sandbox.legacy.paths import SIZES, count_of, recorded
from tasks.core.errors import Trouble


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return make(tmp_path_factory.mktemp("legacy") / "S")


def listed(repository: Path) -> set[str]:
    return set(git(repository, "ls-files", "-z").rstrip("\0").split("\0"))


def committed(repository: Path) -> dict[str, tuple[str, str]]:
    """Path -> mode and blob, without submodules."""
    rows = git(repository, "ls-tree", "-r", "-z", "HEAD").rstrip("\0").split("\0")
    split = (row.split(None, 3) for row in rows)
    return {path: (mode, blob) for mode, kind, blob, path in split if kind == "blob"}


def test_the_same_arguments_give_the_same_commits_in_any_folder(pair: Pair, tmp_path: Path):
    again = make(tmp_path / "a folder" / "elsewhere", faults=())
    assert [git(repository, "rev-parse", "HEAD") for repository in (pair.core, pair.gitops)] == [
        git(repository, "rev-parse", "HEAD") for repository in (again.core, again.gitops)
    ]


def test_the_configuration_of_the_machine_changes_nothing(pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "home" / ".gitconfig").write_text("[core]\n\tautocrlf = true\n[init]\n\tdefaultBranch = other\n")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Somebody")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    again = make(tmp_path / "again")
    assert git(again.core, "rev-parse", "main") == git(pair.core, "rev-parse", "main")


def test_both_repositories_and_the_remotes_pass_fsck(pair: Pair):
    for repository in (pair.core, pair.gitops, pair.submodule, *pair.remotes.values()):
        assert git(repository, "fsck", "--strict") == ""


def test_nothing_is_uncommitted_and_all_is_pushed(pair: Pair):
    for repository in (pair.core, pair.gitops, pair.submodule):
        assert git(repository, "status", "--porcelain", "--branch") == "## main...origin/main"


def test_core_pins_the_head_of_gitops_and_has_it_checked_out(pair: Pair):
    head = git(pair.gitops, "rev-parse", "HEAD")
    assert git(pair.core, "rev-parse", f"HEAD:{definition().submodules['gitops']}") == head
    assert git(pair.submodule, "rev-parse", "HEAD") == head
    assert git(pair.submodule, "symbolic-ref", "--short", "HEAD") == "main"


def test_the_last_commit_has_exactly_the_blueprint(pair: Pair):
    plan = blueprint(SIZES["S"])
    trees: list[tuple[Path, Tree]] = [(pair.core, plan.core), (pair.gitops, plan.gitops)]
    for repository, tree in trees:
        assert {path: mode for path, (mode, _) in committed(repository).items()} == {
            path: entry.mode for path, entry in tree.items()
        }
        for path, entry in tree.items():
            place = repository / path
            assert (str(place.readlink()).encode() if entry.mode == LINK else place.read_bytes()) == entry.data


def test_the_history_has_authors_a_merge_and_follows_a_rename(pair: Pair):
    assert len(set(git(pair.core, "log", "--format=%an").splitlines())) >= 4
    assert git(pair.core, "log", "--merges", "--format=%s")
    subjects = git(pair.core, "log", "--follow", "--format=%s", "--", "tools/bootstrap/bootstrap-v2.sh").splitlines()
    assert len(subjects) == 2
    assert "infra/environments/dev/bootstrap-minimal.yaml" in git(
        pair.core, "log", "--diff-filter=D", "--name-only", "--format="
    )


@pytest.mark.parametrize("size", ["S", "M", "1k"])
def test_a_pair_has_the_requested_size(size: str, tmp_path: Path):
    pair = make(tmp_path / "pair", size)
    files = len(listed(pair.core)) + len(listed(pair.gitops))
    assert abs(files - count_of(size)) <= count_of(size) // 10
    assert files == pair.files


def test_large_pairs_are_planned_with_the_requested_size():
    for size in ("L", "100k"):
        plan = blueprint(count_of(size))
        assert len(plan) + len(definition().submodules) == count_of(size)
        assert len(plan.core) > len(plan) // 3
        assert len(plan.gitops) > len(plan) // 4


def test_the_middle_size_has_every_recorded_path(tmp_path: Path):
    pair = make(tmp_path / "pair", "M")
    there = listed(pair.core) | {f"gitops/ameide-gitops/{path}" for path in listed(pair.gitops)}
    assert [path for path in recorded() if path not in there and not path.startswith("backlog/")] == []


def test_an_invalid_size_is_refused():
    for word in ("XL", "-5", "12", "1e3", "", "9999999"):
        with pytest.raises(Trouble, match="is not a size"):
            count_of(word)


def test_a_folder_with_files_is_not_touched(tmp_path: Path):
    (tmp_path / "mine").write_text("x")
    with pytest.raises(Trouble, match="not an empty folder"):
        make(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "mine"]


def test_a_pair_without_remotes_has_none(tmp_path: Path):
    pair = make(tmp_path / "pair", remotes=False)
    assert pair.remotes == {}
    for repository in (pair.core, pair.gitops, pair.submodule):
        assert git(repository, "remote") == ""
        assert git(repository, "for-each-ref", "refs/remotes") == ""
        assert git(repository, "fsck", "--strict") == ""
    assert sorted(path.name for path in (tmp_path / "pair").iterdir()) == ["ameide-core", "ameide-gitops"]


NAMED = """
.devcontainer/devcontainer.json .devcontainer/Dockerfile .devcontainer/postCreate.sh .devcontainer/lib/k3d.sh
.devcontainer/lib/argocd.sh .devcontainer/lib/helm.sh .devcontainer/lib/codex-cli.sh .devcontainer/export-cert.sh
.devcontainer/install-cert.sh .devcontainer/manage-host-domains.sh Tiltfile tilt/tilt-argocd-sync.sh
tilt/tilt-helm-adopt.sh tilt/tilt-orphan-check.sh tilt/infra_layers.tilt tilt/ext/helm_resource/Tiltfile
tools/bootstrap/bootstrap-v2.sh tools/bootstrap/README.md tools/bootstrap/lib/common.sh tools/dev/telepresence.sh
tools/dev/devcontainer-mode.sh infra/README.md infra/kubernetes/README.md infra/kubernetes/helmfile.yaml
infra/kubernetes/helmfiles/10-bootstrap.yaml infra/kubernetes/values/platform/agents.yaml
infra/kubernetes/environments/production/values.yaml infra/kubernetes/gitops/argocd/README.md
infra/kubernetes/charts/test-job-runner/Chart.yaml infra/kubernetes/policies/vault/apps-read.hcl
infra/kubernetes/scripts/common.sh infra/argocd/install/argo-cd-v3.2.1.yaml infra/environments/dev/bootstrap.yaml
infra/environments/dev/bootstrap-telepresence.yaml infra/environments/staging/bootstrap.yaml
infra/bicep/managed-application/modules/aks.bicep infra/azure/managed-application/modules/aks.bicep
infra/azure/local/main.bicep infra/docker/local/k3d.yaml scripts/infra/ensure-k3d-cluster.sh
scripts/infra/apply-registries-config.sh scripts/infra/ensure-buildx-k8s.sh scripts/build-all-images-dev.sh
scripts/registry-gc.sh .github/CODEOWNERS .github/workflows/ci-helm.yml .gitmodules package.json Makefile go.work
pnpm-workspace.yaml docs/dev-workflows/telepresence.md README.md
"""


def test_every_path_in_the_migrations_tables_exists(pair: Pair):
    there = listed(pair.core)
    assert [path for path in NAMED.split() if path not in there] == []
    assert any(path.startswith("infra/kubernetes/charts_old/") for path in there)
    assert {"gitops/ameide-gitops", "backlog"} <= there


def test_every_service_has_its_code_its_chart_and_its_values_with_tilt_ones(pair: Pair):
    assert len(definition().services) == 12
    for service in definition().services:
        assert (pair.core / "services" / service.dir / "Dockerfile.dev").is_file()
        assert (pair.gitops / "sources/charts/apps" / service.name / "Chart.yaml").is_file()
        for values in (
            f"_shared/apps/apps-{service.name}",
            f"dev/apps/apps-{service.name}",
            f"dev/apps/{service.release}",
        ):
            assert (pair.gitops / "sources/values" / f"{values}.yaml").is_file()


def test_every_unusual_kind_of_file_exists(pair: Pair):
    modes = {mode for mode, _ in committed(pair.core).values()}
    assert {EXECUTABLE, LINK} <= modes
    contents = [path.read_bytes() for path in pair.core.rglob("*") if path.is_file() and ".git" not in path.parts]
    assert any(data.startswith(b"\xef\xbb\xbf") for data in contents)
    assert any(b"\r\n" in data for data in contents)
    assert any(b"\0" in data for data in contents)


def test_no_placeholder_is_left(pair: Pair):
    import re

    left = re.compile(rb"@(name|dir|var|port|ports|serviceports|release|health|module|devhost|tilthost|only|live)@")
    for repository in (pair.core, pair.gitops):
        bad = [
            path
            for path in listed(repository)
            if (repository / path).is_file() and left.search((repository / path).read_bytes())
        ]
        assert bad == []


def test_shell_files_are_bash_and_python_files_compile(pair: Pair):
    scripts = sorted(path for path in listed(pair.core) if path.endswith(".sh"))
    assert len(scripts) > 50
    for path in scripts:
        done = subprocess.run(["bash", "-n", path], cwd=pair.core, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), path
    for path in sorted(path for path in listed(pair.core) if path.endswith(".py")):
        compile((pair.core / path).read_text(), path, "exec")
