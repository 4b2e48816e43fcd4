"""What the scan proposes: folders that move, folders that stay and why, words of the local cluster, services, settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.migration.scan_repository import (
    CHART,
    KUSTOMIZATION,
    MANIFEST,
    TERRAFORM,
    git,
    make,
    paths,
    proposal,
    values,
)

CODE = {f"src/{n}.go": "package src\n" for n in range(5)}
CHARTS = {
    "ops/charts/web/Chart.yaml": CHART,
    "ops/charts/web/values.yaml": "",
    **{f"ops/charts/web/templates/{name}.yaml": "a: {{ .b }}\n" for name in "abc"},
}


@pytest.mark.parametrize(
    ("files", "folder"),
    [
        ({**CHARTS}, "ops/"),
        ({"deploy/base/kustomization.yaml": KUSTOMIZATION, "deploy/base/x.yaml": MANIFEST}, "deploy/"),
        ({"iac/aws/main.tf": TERRAFORM, "iac/aws/README.md": "text"}, "iac/"),
        ({"infra/main.bicep": "param a string\n", "infra/env.bicepparam": "x\n"}, "infra/"),
        ({"cloud/Pulumi.yaml": "name: x\n", "cloud/index.ts": "x\n", "cloud/package.json": "{}"}, "cloud/"),
        ({"play/ansible.cfg": "", "play/site.yml": "- hosts: all\n"}, "play/"),
        ({"apps/a.yaml": "apiVersion: argoproj.io/v1alpha1\nkind: Application\n"}, "apps/"),
        ({"xp/a.yaml": "apiVersion: pkg.crossplane.io/v1\nkind: Provider\n"}, "xp/"),
        ({"k8s/a.yaml": MANIFEST, "k8s/b.yaml": MANIFEST}, "k8s/"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_highest_folder_that_is_infrastructure_moves(tmp_path: Path, files: dict[str, str], folder: str):
    found = proposal(tmp_path, {**CODE, **files})
    assert paths(found, "moves").keys() == {folder}
    assert values(found, "moves")[0] == {"from": folder, "to": folder}
    assert "infrastructure" in found.rows("moves")[0].evidence[0]


def test_infrastructure_beside_code_is_named_and_not_moved(tmp_path: Path):
    found = proposal(tmp_path, {**CODE, "src/configmap.yaml": MANIFEST})
    assert values(found, "moves") == []
    assert any("in src: configmap.yaml" in text for text in found.person)


@pytest.mark.parametrize(
    "folder", ["docs/x", "examples/x", "pkg/testdata", "test/e2e", "vendor/x", ".github/x", "node_modules/x"]
)
def test_manifests_of_tests_and_documents_move_nothing(tmp_path: Path, folder: str):
    found = proposal(tmp_path, {**CODE, f"{folder}/a.yaml": MANIFEST, f"{folder}/b.yaml": MANIFEST})
    assert values(found, "moves") == []


CONSUMERS = [
    ("Dockerfile", "FROM x\nCOPY ops/charts /charts\n", "sure"),
    ("build/app.Dockerfile", "FROM x\nADD --chown=1:1 ops /ops\n", "sure"),
    ("ops/embed.go", "package ops\n\n//go:embed charts/web\nvar files string\n", "sure"),
    (".goreleaser.yaml", "release:\n  extra_files:\n    - glob: ./ops/charts/*.tgz\n", "sure"),
    ("Makefile", "package:\n\thelm package ops/charts/web\n", "sure"),
    ("Makefile", "CHART ?= ops/charts/web\n\npackage:\n\thelm package \\\n\t  $(CHART)\n", "sure"),
    (
        ".github/workflows/release.yml",
        "      - uses: helm/chart-releaser-action@v1\n        with:\n          charts_dir: ops/charts\n",
        "sure",
    ),
    ("Makefile", "generate:\n\tcontroller-gen crd output:crd:dir=ops/charts/web/crds\n", "sure"),
    ("src/render.go", 'package src\n\nvar chart = "../ops/charts/web"\n', "sure"),
    ("src/render_test.go", 'package src\n\nvar chart = filepath.Join("..", "ops", "charts", "web")\n', "maybe"),
    ("Makefile", "test:\n\thelm unittest ops/charts/web\n", "maybe"),
]


@pytest.mark.parametrize(
    ("path", "text", "degree"), CONSUMERS, ids=[f"{path}-{n}" for n, (path, *_) in enumerate(CONSUMERS)]
)
def test_what_the_product_needs_stays_with_the_place_that_needs_it(tmp_path: Path, path: str, text: str, degree: str):
    found = proposal(tmp_path, {**CODE, **CHARTS, path: text})
    assert paths(found, "kept") == {"ops/": degree}
    assert values(found, "moves") == []
    assert path in found.rows("kept")[0].evidence[0]


DEPLOYING = [
    ("Makefile", "up:\n\thelm upgrade --install web ops/charts/web\n"),
    ("scripts/up.sh", "kubectl apply -f ops/charts/web/crds\n"),
    ("Tiltfile", "k8s_yaml(helm('ops/charts/web'))\n"),
    ("README.md", "The chart is in ops/charts/web.\n"),
    (".github/workflows/ci.yml", "on:\n  push:\n    paths:\n      - ops/charts/**\n"),
    ("src/api.go", 'package src\n\nvar url = "ops/status"\n'),
    ("src/import.go", 'import "github.com/x/y/ops/charts/web"\n'),
]


@pytest.mark.parametrize(("path", "text"), DEPLOYING, ids=[path for path, _ in DEPLOYING])
def test_what_only_deploys_it_does_not_keep_it(tmp_path: Path, path: str, text: str):
    found = proposal(tmp_path, {**CODE, **CHARTS, path: text})
    assert paths(found, "moves").keys() == {"ops/"}
    assert values(found, "kept") == []


def test_a_folder_is_divided_where_the_product_needs_a_part_alone(tmp_path: Path):
    files = {"ops/crds/a.yaml": MANIFEST, "ops/crds/b.yaml": MANIFEST, "ops/cluster/main.tf": TERRAFORM}
    found = proposal(tmp_path, {**CODE, **files, "src/a.go": 'package src\n\nvar crds = "../ops/crds"\n'})
    assert paths(found, "kept") == {"ops/crds/": "sure"}
    assert paths(found, "moves") == {"ops/cluster/": "maybe"}


def test_parts_that_refer_to_each_other_stay_together(tmp_path: Path):
    files = {
        "ops/crds/kustomization.yaml": KUSTOMIZATION,
        "ops/crds/x.yaml": MANIFEST,
        "ops/app/kustomization.yaml": "resources:\n  - ../crds\n",
    }
    found = proposal(tmp_path, {**CODE, **files, "src/a.go": 'package src\n\nvar crds = "../ops/crds"\n'})
    assert values(found, "moves") == []
    assert "ops/" in paths(found, "kept")


def test_a_chart_for_strangers_stays_perhaps(tmp_path: Path):
    chart = CHART + "icon: https://example.com/a.png\n"
    found = proposal(tmp_path, {**CODE, **CHARTS, "ops/charts/web/Chart.yaml": chart})
    assert paths(found, "kept") == {"ops/": "maybe"}
    assert "ops/charts/web/Chart.yaml:4" in found.rows("kept")[0].evidence[0]


KIND = "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nname: dev\nnodes:\n  - extraPortMappings:\n      - hostPort: 8443\n"
TILTFILE = """# kind-nothing, localhost:5009/registry
allow_k8s_contexts('kind-dev')
default_registry("localhost:5005")
print('kind-of strange', 'localhost:7233')
"""


def test_words_of_the_tiltfile_are_those_that_its_code_says(tmp_path: Path):
    found = proposal(tmp_path, {**CODE, "Tiltfile": TILTFILE, "dev/kind.yaml": KIND})
    assert values(found, "tiltfile.local") == ["kind-dev", "localhost:5005"]
    assert found.rows("tiltfile.local")[0].evidence == ("Tiltfile:2 allow_k8s_contexts",)


CONTAINER = """{
  // ours
  "features": {"ghcr.io/x/k3d:1": {}, "ghcr.io/x/kubectl-helm-minikube:1": {}, "ghcr.io/x/kindle:1": {}},
  "forwardPorts": [3000, 8443, 5000],
  "containerEnv": {"K3D_VERSION": "5", "KINDLY": "1"},
  "postCreateCommand": "bash .devcontainer/setup.sh",
  "postStartCommand": ".devcontainer/start.sh",
}
"""
SETUP = "#!/bin/bash\n# minikube start\nkind create cluster\nk3d cluster create\npnpm install\n"


def test_members_of_the_dev_container_that_only_a_local_cluster_needs(tmp_path: Path):
    files = {
        ".devcontainer/devcontainer.json": CONTAINER,
        ".devcontainer/setup.sh": SETUP,
        ".devcontainer/start.sh": "ls\n",
    }
    found = proposal(tmp_path, {**CODE, **files, "dev/kind.yaml": KIND})
    assert values(found, "dev_container.drop_features") == ["/k3d(:|$)"]
    assert values(found, "dev_container.drop_ports") == [8443, 5000]
    assert values(found, "dev_container.drop_env") == ["^K3D_VERSION$"]
    assert values(found, "post_create.path") == [".devcontainer/setup.sh"]
    assert values(found, "post_create.also") == [".devcontainer/start.sh"]
    assert values(found, "post_create.obsolete") == [r"\bk3d\b", r"\bkind\s+(create|delete|load|get)\b"]


def test_what_only_makes_a_local_cluster_is_superseded_unless_ci_uses_it(tmp_path: Path):
    files = {"dev/kind.yaml": KIND, "hack/k3d-up.sh": "k3d image import x\n", "ci/kind-ci.yaml": KIND}
    workflow = "      - uses: helm/kind-action@v1\n        with: {config: ci/kind-ci.yaml}\n"
    found = proposal(tmp_path, {**CODE, **files, ".github/workflows/e2e.yml": workflow})
    assert paths(found, "superseded") == {"dev/kind.yaml": "sure", "hack/k3d-up.sh": "sure"}
    assert any(text.startswith("ci/kind-ci.yaml") and ".github/workflows/e2e.yml" in text for text in found.person)


def test_the_users_of_files_with_one_name_are_found_for_each(tmp_path: Path):
    files = {"a/k3d.sh": "k3d cluster create\n", "b/k3d.sh": "k3d cluster create\n", "up.sh": ". b/k3d.sh\n"}
    assert paths(proposal(tmp_path, files), "superseded") == {"a/k3d.sh": "maybe", "b/k3d.sh": "maybe"}


def test_the_words_of_local_clusters_in_code_propose_nothing(tmp_path: Path):
    decoys = {f"pkg/a{n}.go": 'var x = "kind-dev" // k3d-dev, kind create cluster\n' for n in range(240)}
    found = proposal(tmp_path, {**decoys, "docs/a.md": "kind create cluster\n"})
    assert values(found, "superseded") == []
    assert values(found, "tiltfile.local") == []
    assert not any("local cluster" in text for text in found.person)


def test_services_come_from_tilt_compose_and_skaffold(tmp_path: Path):
    files = {
        "Tiltfile": "docker_build('reg/acme_api', 'api')\nk8s_resource('acme-api', port_forwards='9000:8080')\n",
        "api/go.mod": "module api\n",
        "api/main.go": "package main\n",
        "compose.yaml": 'services:\n  web:\n    build: {context: ./web}\n    ports: ["3000:3001"]\n  db: {image: postgres}\n',
        "web/package.json": '{"scripts": {"dev": "vite"}}',
        "skaffold.yaml": "apiVersion: skaffold/v4\nkind: Config\nbuild:\n  artifacts:\n    - {image: jobs, context: jobs}\n",
        "jobs/requirements.txt": "x\n",
        "jobs/main.py": "",
        "java/pom.xml": "<x/>",
        "docker-compose.yml": "services:\n  legacy: {build: java}\n",
    }
    found = proposal(tmp_path, files)
    rows = {row.value["name"]: row.value for row in found.services}
    assert {name: (row["folder"], row["language"]) for name, row in rows.items()} == {
        "acme-api": ("api", "go"),
        "web": ("web", "node"),
        "jobs": ("jobs", "python"),
    }
    assert rows["acme-api"]["ports"] == [{"name": "http", "port": 8080}]
    assert rows["web"]["ports"] == [{"name": "http", "port": 3001}]
    assert rows["web"]["dev"] == {"command": ["pnpm", "run", "dev"]}
    assert rows["acme-api"]["dev"] == {"command": ["go", "run", "."]}
    assert "ports" not in rows["jobs"]
    assert rows["jobs"]["kind"] == "worker"
    assert "chart.path" in rows["jobs"]["guessed"]
    assert any(text.startswith("service legacy") and "Java" in text for text in found.person)


def test_a_folder_with_a_dockerfile_and_a_project_is_a_service(tmp_path: Path):
    files = {"services/pay/Dockerfile": "FROM x\nEXPOSE 8081\n", "services/pay/go.mod": "module pay\n"}
    found = proposal(tmp_path, {**files, "tools/Dockerfile": "FROM x\n", "test/x/Dockerfile": "", "test/x/go.mod": ""})
    assert [row.value["name"] for row in found.services] == ["pay"]
    assert found.services[0].value["ports"] == [{"name": "http", "port": 8081}]


def test_settings_come_from_what_deploys(tmp_path: Path):
    workflow = "      - run: az aks get-credentials --name acme-dev --resource-group acme-rg\n"
    files = {**CODE, ".github/workflows/deploy.yml": workflow, "Makefile": "REGISTRY ?= acme.azurecr.io\n"}
    found = proposal(tmp_path, files)
    rows = {key: row.value for key, row in found.settings.items()}  # type: ignore[union-attr]
    assert rows["cluster.name"] == rows["cluster.context"] == "acme-dev"
    assert rows["cluster.resource_group"] == "acme-rg"
    assert (rows["registry.host"], rows["registry.kind"]) == ("acme.azurecr.io", "acr")
    assert rows["cluster.namespace"] == "change-me"
    assert "settings.yaml: fill in cluster.namespace" in found.person


@pytest.mark.parametrize("is_azure", [True, False])
def test_the_name_of_a_local_cluster_of_ci_is_not_that_of_the_shared_one(tmp_path: Path, is_azure: bool):
    uses = "azure/aks-set-context@v4" if is_azure else "AbsaOSS/k3d-action@v2"
    step = f"      - uses: {uses}\n        with:\n          cluster-name: acme-1\n"
    step += "          resource-group: acme-rg\n" if is_azure else ""
    found = proposal(tmp_path, {**CODE, ".github/workflows/ci.yml": step})
    rows = {key: row.value for key, row in found.settings.items()}  # type: ignore[union-attr]
    assert rows["cluster.context"] == ("acme-1" if is_azure else "change-me")
    assert found.settings["registry.kind"].degree == "maybe"  # type: ignore[union-attr]


def test_a_submodule_for_infrastructure_is_gitops(tmp_path: Path):
    inner = make(tmp_path / "inner", {"README.md": "x"})
    core = make(tmp_path / "core", CODE)
    git(core, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "gitops/acme")
    git(core, "commit", "-q", "-m", "a submodule")
    row = proposal(core, {}).settings["repositories.gitops"]
    assert (row.value, row.degree) == ("gitops/acme", "sure")  # type: ignore[union-attr]
