"""Faults for the scan: what makes clusters in CI, words that only look like it, a chart that the product publishes."""

from __future__ import annotations

from sandbox.legacy.archive import Entry
from sandbox.legacy.model import Draft, Fault

CI_CLUSTERS = {
    ".github/workflows/e2e-kind.yml": (
        "on: [pull_request]\njobs:\n  e2e:\n    runs-on: ubuntu-latest\n    steps:\n"
        "      - uses: helm/kind-action@v1\n      - run: kind load docker-image ameide/graph:dev\n"
    ),
    "justfile": "cluster:\n  k3d cluster create ci --registry-create ci-registry\n",
    "mise.toml": '[tools]\nctlptl = "0.8.34"\n',
    "tests/e2e/cluster.yaml": "apiVersion: ctlptl.dev/v1alpha1\nkind: Cluster\nproduct: kind\n",
}
"""Path -> text. Each makes a local cluster or pins what makes one."""

DECOYS = 240
PUBLISHED = "charts/client"


def ci_clusters(draft: Draft) -> None:
    """Add workflows, targets, pins and files that make a local cluster in CI."""
    for path, text in CI_CLUSTERS.items():
        _add(draft, path, text)


def cluster_decoys(draft: Draft) -> None:
    """Add the words of local clusters where they make none: in code, tests and documents."""
    for number in range(DECOYS):
        text = f'package decoys\n\nconst Context{number} = "k3d-dev-{number}" // kind create cluster\n'
        _add(draft, f"services/graph/decoys/context_{number}.go", text)
    _add(draft, "docs/clusters.md", "    k3d cluster create\n    kind load docker-image\n")


def published_chart(draft: Draft) -> None:
    """Add a chart that a release workflow packages: it is a part of the product."""
    _add(draft, f"{PUBLISHED}/Chart.yaml", "apiVersion: v2\nname: client\nversion: 1.0.0\n")
    _add(draft, f"{PUBLISHED}/templates/service.yaml", "apiVersion: v1\nkind: Service\nmetadata: {name: client}\n")
    _add(
        draft,
        ".github/workflows/release-client.yml",
        f"jobs:\n  publish:\n    steps:\n      - run: helm package {PUBLISHED}\n",
    )


def _add(draft: Draft, path: str, text: str) -> None:
    draft.core[path] = Entry(text.encode())


SCAN = (
    Fault("ci-clusters", "workflows, targets and pins make local clusters in CI", write=ci_clusters),
    Fault("cluster-decoys", "code, tests and documents have the words of local clusters", write=cluster_decoys),
    Fault("published-chart", "a release workflow packages a chart of core", write=published_chart),
)
