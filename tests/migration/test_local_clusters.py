"""What makes a local cluster is found wherever it is run; the same words in code, tests and documents are not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from migration import local_clusters
from migration.git.objects import Blobs, Git, Tree
from migration.local_clusters import Place, Use, in_file

MAKING = [
    (".github/workflows/e2e.yaml", "      - uses: helm/kind-action@v1\n", Use.ACTION),
    (".github/workflows/e2e.yaml", "      - uses: AbsaOSS/k3d-action@v2.4.0\n", Use.ACTION),
    (".github/actions/cluster/action.yml", "    - uses: medyagh/setup-minikube@latest\n", Use.ACTION),
    (".github/workflows/e2e.yaml", "        run: kind load docker-image app:dev --name ci\n", Use.COMMAND),
    (".gitlab-ci.yml", "    - minikube start --driver=docker\n", Use.COMMAND),
    (".circleci/config.yml", "      - run: ctlptl create cluster kind\n", Use.COMMAND),
    ("Makefile", "\t$(KIND) create cluster --name dev\n", Use.COMMAND),
    ("Makefile", "\t@./bin/k3d cluster create dev\n", Use.COMMAND),
    ("hack/Makefile.e2e", "\tKUBECONFIG=x kind create cluster\n", Use.COMMAND),
    ("justfile", "up:\n  k3d cluster create dev\n", Use.COMMAND),
    ("Taskfile.yml", "      - kind delete cluster\n", Use.COMMAND),
    ("package.json", '  "up": "k3d image import app:dev -c dev",\n', Use.COMMAND),
    ("scripts/up.sh", 'if ! "${KIND}" get clusters | grep -q dev; then\n', Use.COMMAND),
    ("scripts/up.sh", "minikube image load app:dev\n", Use.COMMAND),
    ("Tiltfile", "local('kind load docker-image app')\n", Use.COMMAND),
    ("Makefile", "\tGOBIN=$(BIN) go install sigs.k8s.io/kind@v0.23.0\n", Use.INSTALL),
    ("scripts/tools.sh", "curl -s https://raw.githubusercontent.com/k3d-io/k3d/main/install.sh | bash\n", Use.INSTALL),
    ("scripts/tools.sh", "brew install kind\n", Use.INSTALL),
    (".tool-versions", "golang 1.22\nk3d 5.6.0\n", Use.PIN),
    ("mise.toml", '[tools]\nkind = "0.23.0"\n', Use.PIN),
    ("devbox.json", '    "kind@latest",\n', Use.PIN),
    (".devcontainer/devcontainer.json", '    "ghcr.io/x/features/k3d:1": {},\n', Use.PIN),
    ("dev/kind-config.yaml", "# c\nkind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n", Use.CLUSTER),
    ("dev/k3d.yaml", "apiVersion: k3d.io/v1alpha5\nkind: Simple\n", Use.CLUSTER),
    ("dev/cluster.yaml", "apiVersion: ctlptl.dev/v1alpha1\nkind: Cluster\n", Use.CLUSTER),
]
DECOYS = [
    ("pkg/cluster.go", 'exec.Command("kind", "create", "cluster") // k3d cluster create\n'),
    ("pkg/kind_test.go", 'name := "kind-kind"\n'),
    ("README.md", "    kind create cluster\n"),
    ("docs/dev.sh", "kind create cluster\n"),
    ("vendor/github.com/x/Makefile", "\tkind create cluster\n"),
    ("Makefile", "# kind create cluster\nKIND_NAME ?= dev\n"),
    ("Makefile", '\t@echo "run kind create cluster first"\n'),
    ("scripts/up.sh", "echo please run: k3d cluster create\nthis_kind of thing\n"),
    ("deploy/kind.yaml", "apiVersion: v1\nkind: ConfigMap\n"),
    (".github/workflows/ci.yaml", "name: kind-of-test\n      - uses: actions/checkout@v4\n"),
    ("tools/mankind create clusters.sh", "mankind create clusters\n"),
]


@pytest.mark.parametrize(("path", "text", "use"), MAKING, ids=lambda value: str(value)[:40])
def test_what_makes_a_local_cluster_is_found(path: str, text: str, use: Use):
    found = list(in_file(path, text.encode()))
    assert [place.use for place in found] == [use]
    assert text.split("\n")[found[0].line - 1].strip()


def repository(folder: Path, files: dict[str, str]) -> list[Place]:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    for words in (["init", "-q"], ["add", "-A", "-f"]):
        subprocess.run(["git", "-C", str(folder), *words], check=True)
    git = Git(folder)
    root = git.line("write-tree")
    blobs = Blobs(git)
    try:
        return local_clusters.find(Tree.parse(git.read("ls-tree", "-r", "-t", "-z", root), root).files, blobs)
    finally:
        blobs.close()


def test_every_path_is_read_that_may_make_one(tmp_path: Path):
    files = dict(sorted({path: text for path, text, _ in MAKING}.items()))
    assert {place.path for place in repository(tmp_path, files)} == set(files)


@pytest.mark.parametrize(("path", "text"), DECOYS, ids=lambda value: str(value)[:40])
def test_the_words_alone_do_not_count(tmp_path: Path, path: str, text: str):
    assert repository(tmp_path, {path: text}) == []


def test_files_of_a_development_loop_are_named(tmp_path: Path):
    files = {"skaffold.yaml": "apiVersion: skaffold/v4\n", "web/devspace.yaml": "version: v2\n"}
    assert [(p.path, p.where, p.use) for p in repository(tmp_path, files)] == [
        ("skaffold.yaml", "skaffold.yaml", Use.LOOP),
        ("web/devspace.yaml", "web/devspace.yaml", Use.LOOP),
    ]


def test_the_summary_counts_and_names_every_file_or_says_how_many_more():
    places = [Place(f"s{n}.sh", n + 1, Use.COMMAND, "kind create cluster") for n in range(20)]
    first, *rest = local_clusters.summary([*places, Place("s3.sh", 9, Use.INSTALL, "brew install kind")], most=5)
    assert first.startswith("21 places in 20 files")
    assert rest[0] == "s3.sh:4, 9: kind create cluster"
    assert rest[-1].startswith("and 15 more files")
    assert len(rest) == 6
    assert list(local_clusters.summary([])) == []
