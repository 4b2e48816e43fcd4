"""What may be deleted, and what blocks it: each defect blocks exactly its path."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from migration import cli
from migration.engine import MigrationPlan
from sandbox.legacy.faults_needs import NEEDS
from sandbox.legacy.faults_written import VICTIMS
from tests.migration.conftest import Pair, blocks, code_of

REFERENCES = {
    "text": "scripts/ops/paths.ini:2",
    "helm-yaml": "services/platform/deploy/templates/migrate.yaml:12",
    "starlark": "tilt/extra.tilt:2",
    "workflow": ".github/workflows/extra-bicep.yml:4",
    "dockerfile": "services/graph/Dockerfile.migrate:2",
    "package-json": "tests/migrations/package.json:1",
    "makefile": "services/agents/Makefile:2",
    "symlink": "scripts/run-migrations.sh",
    "bash-dirname": "scripts/ci/extra.sh:3",
    "composed-path": "scripts/ops/policies.py:6",
    "codeowners": ".github/CODEOWNERS:9",
}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("one-byte", "differs"), ("mode-bit", "mode"), ("uncommitted", "uncommitted"), ("unpinned", "unpinned")],
)
def test_a_copy_with_a_defect_blocks_its_path_and_no_other(pair: Callable[..., Pair], fault: str, reason: str):
    found = blocks(pair(fault).plan((4,)))
    assert {(p, r) for p, r, _ in found if r != "referenced"} == {(VICTIMS[fault], reason)}


def test_an_unpushed_copy_blocks_its_path(pair: Callable[..., Pair]):
    found = blocks(pair("unpushed", remotes=True).plan((4,)))
    assert {(p, r) for p, r, _ in found if r != "referenced"} == {(VICTIMS["unpushed"], "unpushed")}


def test_a_copy_that_gitops_has_changed_since_does_not_block(pair: Callable[..., Pair]):
    assert {r for _, r, _ in blocks(pair("moved-on").plan((4,)))} == {"referenced"}


@pytest.mark.parametrize("kind", sorted(REFERENCES))
def test_every_kind_of_reference_is_found(pair: Callable[..., Pair], kind: str):
    found = blocks(pair(f"extra-reference-{kind}").plan((4,)), "referenced")
    assert REFERENCES[kind] in {where for _, _, where in found}


def test_a_submodule_in_a_folder_to_delete_blocks(pair: Callable[..., Pair]):
    assert ("infra/kubernetes/policies/shared", "custom") in {
        (p, r) for p, r, _ in blocks(pair("extra-reference-submodule").plan((4,)))
    }


def test_decoys_neither_block_nor_change(pair: Callable[..., Pair]):
    without, with_them = pair().plan((4,)), pair("decoys").plan((4,))
    assert blocks(with_them) == blocks(without)
    assert [o.changes for o in with_them.results] == [o.changes for o in without.results]
    places = {where.rpartition(":")[0] for _, r, where in blocks(with_them) if r == "referenced"}
    assert places
    for decoy in (
        "registries.mjs",
        "links.mjs",
        "index.ts",
        "application.json",
        "history.md",
        "notes.sh",
        "k3d_test.py",
    ):
        assert not any(p.endswith(decoy) for p in places)
    assert not any("decoy" in c.path for o in with_them.results for c in o.changes)


def test_an_application_in_gitops_that_syncs_a_path_to_delete_is_a_consumer(pair: Callable[..., Pair]):
    repos = pair("argo-consumer")
    for number in (1, 2, 3):
        repos.run(number)
    (row,) = blocks(repos.plan((4,)), "consumed")
    assert row[0] == "infra/kubernetes/gitops/argocd/applications/"
    assert row[2].startswith("gitops:environments/staging/")


def test_a_dry_run_of_phase_4_on_an_unmigrated_pair_writes_nothing(pair: Callable[..., Pair], capsys):
    repos = pair()
    before = fingerprint(repos.folder, Path.home())
    assert code_of(lambda: cli.phase(repos.flags(dry=True, verbose=True), 4)) == 3
    assert fingerprint(repos.folder, Path.home()) == before
    said = capsys.readouterr().out
    assert "Makefile:8" in said
    assert "fix:" in said
    assert "copy it: inv migrate.phase1" in said


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_a_dry_run_of_each_phase_writes_nothing(pair: Callable[..., Pair], number: int):
    repos = pair()
    before = fingerprint(repos.folder, Path.home())
    code_of(lambda: cli.phase(repos.flags(dry=True), number))
    code_of(lambda: cli.status(repos.flags()))
    assert fingerprint(repos.folder, Path.home()) == before


def fingerprint(*folders: Path) -> str:
    """Everything in the folders: names, modes, contents, .git as well."""
    digest = hashlib.sha256()
    for folder in folders:
        for root, names, files in os.walk(folder):
            names.sort()
            for name in sorted(files):
                path = os.path.join(root, name)
                digest.update(os.fsencode(path) + oct(os.lstat(path).st_mode).encode())
                digest.update(os.fsencode(os.readlink(path)) if os.path.islink(path) else Path(path).read_bytes())
    return digest.hexdigest()


@pytest.mark.slow
def test_untracked_files_and_their_folder_are_kept(pair: Callable[..., Pair]):
    repos = pair("ignored-files")
    for number in (1, 2, 3, 4):
        assert repos.run(number) == 0
    assert (repos.core / "infra/kubernetes/environments/local/.env").read_text().startswith("GITHUB_TOKEN")
    assert (repos.core / "infra/bicep/notes-of-a-person.txt").exists()


@pytest.mark.slow
def test_accept_applies_only_to_the_given_path(ready: Pair):
    ready.commit("core", "infra/kubernetes/odd/a.txt", b"a")
    ready.commit("core", "infra/kubernetes/odd/b.txt", b"b")
    assert ready.run(4, accept=["infra/kubernetes/odd/a.txt"]) == 3
    assert [str(p.relative_to(ready.core)) for p in (ready.core / "infra").rglob("*") if p.is_file()] == [
        "infra/kubernetes/odd/b.txt"
    ]
    assert blocks(ready.plan((4,))) == {("infra/kubernetes/odd/b.txt", "unmapped", "config/migration.yaml")}


@pytest.mark.slow
def test_unmapped_infrastructure_is_kept_and_reported_by_the_fourth_criterion(pair: Callable[..., Pair]):
    from migration.criteria import infrastructure

    repos = pair("terraform")
    for number in (1, 2, 3, 4):
        repos.run(number)
    left = infrastructure(repos.plan())
    assert left
    assert [p for p in left if not p.startswith("infra/terraform/")] == ["services/platform/k8s/deployment.yaml"]


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        ("dirty-tree", 3, "uncommitted changes"),
        ("dirty-gitops", 3, "uncommitted changes"),
        ("merge-in-progress", 3, "a merge is in progress"),
        ("rebase-in-progress", 3, "a rebase is in progress"),
        ("detached-head", 3, "switch main"),
        ("shallow", 3, "--unshallow"),
        ("no-gitops", 3, "does not exist"),
        ("bare-gitops", 3, "bare"),
        ("index-lock", 3, "index.lock"),
    ],
)
def test_each_obstacle_is_reported_in_one_line_and_nothing_changes(
    pair: Callable[..., Pair], capsys, fault: str, code: int, said: str
):
    repos = pair(fault)
    before = repos.git("core", "rev-parse", "HEAD")
    assert repos.run(1) == code
    assert said in capsys.readouterr().err
    assert repos.git("core", "rev-parse", "HEAD") == before


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["odd-names", "crlf", "bom", "team-lines", "no-default-registry"])
def test_unusual_content_passes_all_phases(pair: Callable[..., Pair], fault: str):
    repos = pair(fault)
    for number in (1, 2, 3, 4):
        assert repos.run(number) == 0
    assert repos.git("core", "status", "--porcelain", "-uno", "--ignore-submodules") == ""
    assert repos.git("gitops", "status", "--porcelain", "-uno") == ""


def test_an_unparsable_tiltfile_blocks_with_its_line(pair: Callable[..., Pair]):
    found = blocks(pair("broken-tiltfile").plan((2, 3)), "custom")
    assert ("Tiltfile", "custom", "Tiltfile:45") in found


@pytest.mark.parametrize(
    ("fault", "path", "other"),
    [
        (
            "diverged-twins",
            "infra/azure/managed-application/modules/aks.bicep",
            "infra/bicep/managed-application/modules/aks.bicep",
        ),
        ("two-sources", "tools/bootstrap/configs/dev.yaml", "infra/environments/dev/bootstrap.yaml"),
    ],
)
def test_diverged_files_are_reported_with_both_paths(pair: Callable[..., Pair], fault: str, path: str, other: str):
    assert (path, "diverged", other) in blocks(pair(fault).plan((1,)))


def notes(plan: MigrationPlan) -> dict[str, str]:
    """The references that do not block: place and target."""
    return {r.where: r.target for o in plan.results for r in o.references}


@pytest.mark.slow
def test_an_uncertain_reference_is_reported_but_does_not_block(ready: Pair):
    ready.commit("core", "scripts/own/all.sh", b"L=.devcontainer/lib\nfor m in argocd helm; do . $L/$m.sh; done\n")
    ready.commit("core", "services/own/compose.yaml", b"env_file: infra/environments/dev/.env\n")
    ready.commit("core", "services/own/own.toml", b'exclude = ["infra"]\n')
    found = ready.plan((4,))
    assert blocks(found) == set()
    targets = notes(found)
    assert targets["scripts/own/all.sh:2"] == ".devcontainer/lib/*.sh"
    assert targets["services/own/compose.yaml:1"] == "infra/environments/dev/.env"  # not tracked, but expected there
    assert targets["services/own/own.toml:1"] == "infra/*"


@pytest.mark.slow
def test_documents_are_also_reported_while_paths_are_blocked_for_another_reason(pair: Callable[..., Pair]):
    assert any(where.startswith("docs/") for where in notes(pair().plan((4,))))


def test_a_symlink_to_the_checkout_of_the_repository_is_a_reference(ready: Pair):
    (ready.core / "run-it").symlink_to("/workspaces/ameide-core/infra/kubernetes/scripts/common.sh")
    ready.git("core", "add", "run-it")
    ready.git("core", "commit", "--quiet", "-m", "a link")
    assert ("infra/kubernetes/scripts/common.sh", "referenced", "run-it") in blocks(ready.plan((4,)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("sources/own/kustomization.yaml", "resources:\n  - https://github.com/ameideio/ameide.git//infra/bicep?ref=main\n"),
        ("sources/own/kustomization.yaml", "resources:\n- github.com/ameideio/ameide-core//infra/bicep/?ref=v1\n"),
        ("sources/own/main.tf", 'module "a" {\n  source = "git::ssh://git@github.com/ameideio/ameide.git//infra/bicep?ref=x"\n'),
        ("sources/own/main.tf", 'module "a" {\n  source = "git::git@github.com:ameideio/ameide.git//infra/bicep"\n'),
    ],
)  # fmt: skip
def test_a_base_or_module_in_core_that_gitops_uses_is_a_consumer(ready: Pair, path: str, text: str):
    ready.commit("gitops", path, text.encode())
    found = ready.plan((4,))
    assert ("infra/bicep/", "consumed", f"gitops:{path}:2") in blocks(found)


def test_a_remaining_file_blocks_what_it_refers_to_and_what_that_refers_to(ready: Pair):
    ready.commit("core", "scripts/own/mode.sh", b"exec tools/dev/devcontainer-mode.sh\n")
    found = blocks(ready.plan((4,)), "referenced")
    assert {
        ("tools/dev/devcontainer-mode.sh", "referenced", "scripts/own/mode.sh:1"),
        ("tools/bootstrap/bootstrap-v2.sh", "referenced", "tools/dev/devcontainer-mode.sh:10"),
        ("infra/environments/dev/bootstrap.yaml", "referenced", "tools/dev/devcontainer-mode.sh:10"),
        ("infra/argocd/install/argo-cd-v3.2.1.yaml", "referenced", "infra/environments/dev/bootstrap.yaml:8"),
    } <= found


def test_a_pattern_does_not_block_when_the_file_that_holds_it_is_accepted(ready: Pair):
    """Accepting one of the files that it matches does not waive it: that file would be missing."""
    holder, pattern = "scripts/own/all.sh", "infra/kubernetes/helmfiles/*-*.yaml"
    ready.commit("core", holder, b"for f in 10 20; do run infra/kubernetes/helmfiles/$f-*.yaml; done\n")
    found = ready.plan((4,), accept=["infra/kubernetes/helmfiles/10-bootstrap.yaml"])
    assert {path for path, _, where in blocks(found, "referenced") if where == f"{holder}:1"} == {pattern}
    accepted = ready.plan((4,), accept=[holder])
    assert blocks(accepted) == set()
    assert notes(accepted)[f"{holder}:1"] == pattern


def test_a_base_in_another_repository_is_not_a_consumer(ready: Pair):
    text = (
        "resources:\n- github.com/other/one//infra/bicep?ref=v1\n# - github.com/ameideio/ameide//infra/bicep?ref=v1\n"
    )
    ready.commit("gitops", "sources/own/kustomization.yaml", text.encode())
    assert blocks(ready.plan((4,)), "consumed") == set()


def deleted_from_core(plan: MigrationPlan) -> set[str]:
    """The paths of core that the plan deletes."""
    return {path for commit in plan.commits if commit.repo == "core" for path, e in commit.edits.items() if e is None}


def test_what_a_kept_or_blocked_file_needs_by_a_relative_path_stays(pair: Callable[..., Pair]):
    targets = {need.target for need in NEEDS.values()}
    assert targets <= deleted_from_core(pair().plan())
    plan = pair(*(f"needs-{kind}" for kind in NEEDS)).plan()
    assert targets & deleted_from_core(plan) == set()
    places = {where.rpartition(":")[0] or where for _, _, where in blocks(plan, "referenced")}
    assert {need.file for need in NEEDS.values()} <= places
    assert "infra/kubernetes/helmfiles/10-bootstrap.yaml" in deleted_from_core(plan)
