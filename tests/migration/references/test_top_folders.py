"""A folder directly in the root, which most repositories have: its name is a single word, which is seldom the folder."""

from __future__ import annotations

import pytest

from tests.migration.references.test_need import doomed_of, review


@pytest.mark.parametrize(
    ("reader", "text"),
    [
        ("scripts/x.sh", "cd ../infra && terraform apply\n"),
        ("scripts/x.sh", 'cd "$(git rev-parse --show-toplevel)/infra"\nterraform apply\n'),
        ("scripts/x.sh", 'D="$(git rev-parse --show-toplevel)/infra"\nhelm -f "$D/values-$e.yaml"\n'),
        ("scripts/x.sh", 'D=infra\nhelm -f "$D/x.yaml"\n'),
        ("scripts/x.sh", "kubectl apply -R -f infra\n"),
        ("scripts/x.sh", "terraform -chdir=infra apply\n"),
        ("scripts/x.sh", "rsync -a infra host:\n"),
        ("scripts/x.sh", "find infra -name '*.yaml' | xargs cat\n"),
        (".github/workflows/ci.yml", "defaults:\n  run:\n    working-directory: infra\n"),
        (".github/workflows/ci.yml", "steps:\n- run: make\n  working-directory: ./infra\n"),
        (".github/workflows/ci.yml", "steps:\n- with:\n    context: infra\n"),
        (".github/dependabot.yml", "updates:\n- directory: /infra\n"),
        ("app/x.py", 'run(["terraform"], cwd="infra")\n'),
        ("app/x.py", 'sys.path.insert(0, "infra")\n'),
        ("app/x.js", 'spawn("make", { cwd: "../infra" })\n'),
        ("app/package.json", '{"dependencies": {"x": "file:../infra"}}'),
        ("package.json", '{"scripts": {"x": "npm --prefix infra run y"}}'),
        ("pnpm-workspace.yaml", "packages:\n  - app\n  - infra\n"),
        ("app/go.mod", "module x\nreplace y => ../infra\n"),
        ("app/main.tf", 'module "x" { source = "../infra" }\n'),
        ("app/kustomization.yaml", "resources:\n- ../infra\n"),
        ("app/compose.yaml", "services:\n  x:\n    build: ../infra\n"),
        ("app/Tiltfile", 'k8s_yaml(kustomize("../infra"))\n'),
        ("app/Chart.yaml", "dependencies:\n- repository: file://../infra\n"),
        ("app/application.yaml", "spec:\n  source:\n    path: infra\n"),
        ("app/Makefile", "INFRA ?= ../infra\nx:\n\tcd $(INFRA) && terraform apply\n"),
        ("Jenkinsfile", "dir('infra') { sh 'make' }\n"),
        ("CMakeLists.txt", "add_subdirectory(infra)\n"),
        ("settings.gradle", "include ':infra'\n"),
        ("pom.xml", "<module>infra</module>\n"),
        ("app/BUILD", 'load("//infra:defs.bzl", "x")\n'),
        ("app/x.csproj", '<ProjectReference Include="..\\infra\\y.csproj" />\n'),
        (".vscode/tasks.json", '{"options": {"cwd": "${workspaceFolder}/infra"}}'),
    ],
)
def test_a_reference_to_a_top_level_folder_keeps_it(reader: str, text: str):
    targets = ("infra/main.tf", "infra/x.yaml", "infra/kustomization.yaml", "infra/y.csproj", "infra/defs.bzl")
    texts = {reader: text, "app/main.go": ""} | dict.fromkeys(targets, "")
    outcome = review(texts, ("infra/",), doomed=doomed_of(texts, "infra/"))
    assert set(targets) - outcome.deleted, "everything would be deleted"


@pytest.mark.parametrize(
    "text", ["from infra.helper import x\n", "import infra.helper\n", "from infra import helper\n"]
)
def test_an_import_from_a_top_level_package_keeps_the_module(text: str):
    texts = {"app/x.py": text, "infra/helper.py": "", "infra/unused.sh": ""}
    assert review(texts, ("infra/",), doomed=doomed_of(texts, "infra/")).deleted == {"infra/unused.sh"}


@pytest.mark.parametrize(
    ("reader", "text"),
    [
        ("app/x.yaml", "name: deploy\nneeds: deploy\non:\n  - deploy\n"),
        (".github/workflows/ci.yml", "jobs:\n  deploy:\n    name: test and deploy\n    needs: [deploy]\n    run: make deploy\n"),
        ("Makefile", "deploy: build\n\techo deploy\n.PHONY: deploy\n"),
        ("package.json", '{"scripts": {"deploy": "x deploy", "y": "npm run deploy"}}'),
        ("app/x.go", 'import "deploy"\nfunc deploy() { x("deploy") }\n'),
        ("app/x.py", 'x = "deploy"\ndef deploy(): pass\nrun(["helm", "deploy"])\n'),
        ("app/x.ts", "const a = { deploy: 'deploy' }\n"),
        ("app/x.sh", "case $1 in deploy) deploy;; esac\ntest deploy\nMODE=deploy\n"),
        ("app/x.js", "fetch('https://x.test/deploy')\nfetch('/api/deploy')\n"),
        ("app/y.yaml", "url: https://x.test/deploy\nimage: foo/deploy\nx: /etc/deploy\n"),
        ("README.md", "cd deploy\n"),
        ("app/package.json", '{"scripts": {"build:deploy": "x"}, "y": "pnpm build:deploy"}'),
    ],
)  # fmt: skip
def test_the_same_word_elsewhere_keeps_nothing(reader: str, text: str):
    texts = {reader: text, "deploy/a.yaml": "", "deploy/b/c.yaml": ""}
    assert len(review(texts, ("deploy/",), doomed=doomed_of(texts, "deploy/")).deleted) == 2
