"""Applications in the cluster that sync from core block a deletion; so does a cluster that cannot be queried."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox import control
from sandbox.control import Box
from tests.migration.conftest import Pair
from tests.world import inv

pytestmark = pytest.mark.slow
TEAM = "ameide"  # the namespace in which the sandbox developer may write; the suite is configured to find Argo CD there
ASKED = {"REMOTE_DEV_CLUSTER__ARGOCD_NAMESPACE": TEAM}
DELETED_FOLDER = "infra/kubernetes/scripts"


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    made = control.up()
    try:
        done = inv(made, "aks.credentials")
        assert done.returncode == 0, done.stderr
        yield made
    finally:
        control.down(made)


def application(box: Box, name: str, url: str, path: str) -> None:
    """Let Argo CD sync this path."""
    spec = {"source": {"repoURL": url, "path": path, "targetRevision": "main"}, "project": "default"}
    manifest = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": TEAM},
        "spec": spec,
    }
    subprocess.run(
        [str(box.path / "bin" / "kubectl"), "apply", "-f", "-"],
        input=json.dumps(manifest),
        env=box.environment(),
        check=True,
        capture_output=True,
        text=True,
    )


def delete(box: Box, name: str) -> None:
    """Delete the Application."""
    argv = [str(box.path / "bin" / "kubectl"), "delete", "applications.argoproj.io", name, "-n", TEAM]
    subprocess.run(argv, env=box.environment(), check=True, capture_output=True)


def phase4(box: Box, repos: Pair, **env: str) -> tuple[int, list[dict[str, Any]], str]:
    """A dry run of phase 4: exit code, blocks, everything that was said."""
    words = ("migrate.phase4", "--dry-run", "--json", "--core", str(repos.core), "--gitops", str(repos.gitops))
    done = inv(box, *words, env=env)
    document = json.loads(done.stdout)
    blocks = [b for p in document["phases"] for s in p["steps"] for b in s["blocks"]]
    return done.returncode, blocks, done.stdout + done.stderr


@pytest.mark.parametrize(
    "url", ["https://github.com/ameideio/ameide-core.git", "git@github.com:AmeideIO/ameide-core", "ssh://git@github.com/ameideio/ameide.git/"]
)  # fmt: skip
def test_an_application_that_syncs_a_path_to_delete_blocks_it(box: Box, ready: Pair, url: str):
    application(box, "old-scripts", url, DELETED_FOLDER)
    try:
        code, blocks, _ = phase4(box, ready, **ASKED)
    finally:
        delete(box, "old-scripts")
    assert code == 3
    (block,) = [b for b in blocks if b["reason"] == "consumed"]
    assert block["path"] == f"{DELETED_FOLDER}/"
    assert block["where"].endswith("Application old-scripts")
    # The scripts stay for now, and so does what they name, and what that names.
    assert [b["where"] for b in blocks if b != block and not b["where"].startswith("infra/")] == []


def test_an_application_that_syncs_gitops_or_a_remaining_path_does_not_block(box: Box, ready: Pair):
    application(box, "charts", "https://github.com/ameideio/ameide-gitops.git", DELETED_FOLDER)
    application(box, "app", "https://github.com/ameideio/ameide-core.git", "services/platform/deploy")
    try:
        code, blocks, said = phase4(box, ready, **ASKED)
    finally:
        delete(box, "charts")
        delete(box, "app")
    assert (code, blocks) == (0, [])
    assert "unknown" not in said


@pytest.mark.parametrize("fault", ["rbac", "api-refused"])
def test_a_cluster_that_cannot_be_queried_is_unknown(box: Box, ready: Pair, fault: str):
    control.fault(box, fault)
    try:
        _, _, said = phase4(box, ready)
    finally:
        control.fault(box, fault, False)
    assert "live Argo CD Applications are unknown" in said


def test_an_application_in_core_blocks_while_the_cluster_cannot_be_queried(box: Box, ready: Pair):
    body = (
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: old}\nspec:\n  source:\n"
        f"    repoURL: https://github.com/ameideio/ameide-core.git\n    path: {DELETED_FOLDER}\n"
    )
    ready.commit("core", "services/platform/old-app.yaml", body.encode())
    control.fault(box, "rbac")
    try:
        code, blocks, _ = phase4(box, ready)
    finally:
        control.fault(box, "rbac", False)
    assert code == 3
    assert (f"{DELETED_FOLDER}/", "consumed") in {(b["path"], b["reason"]) for b in blocks}
    assert phase4(box, ready, **ASKED)[1] != blocks
