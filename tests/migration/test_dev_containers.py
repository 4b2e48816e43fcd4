"""Phase 2 on the dev containers that other teams have: by image, Dockerfile, Compose, features, in any place."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import json5
import pytest

from migration.dev_container.hooks import Hooks
from migration.engine import MigrationPlan
from migration.model import StepResult
from tasks.core.plan.outcome import State
from tests.migration.conftest import Pair, blocks

Files = dict[str, str]
Core = Callable[..., Pair]
MAIN = ".devcontainer/devcontainer.json"
SCRIPT = ".devcontainer/postCreate.sh"
GO = "mcr.microsoft.com/devcontainers/go:1"


@pytest.fixture
def core(tmp_path: Path) -> Core:
    """A pair whose core has just these files."""

    def make(files: Files) -> Pair:
        repos = Pair(tmp_path)
        for repo, content in (("core", {"README.md": "# Core\n", **files}), ("gitops", {"README.md": "# GitOps\n"})):
            folder = repos.core if repo == "core" else repos.gitops
            for path, text in content.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(text.encode())
            subprocess.run(["git", "init", "--quiet", "-b", "main", str(folder)], check=True)
            repos.git(repo, "config", "user.name", "Ada")
            repos.git(repo, "config", "user.email", "ada@example.com")
            repos.git(repo, "add", "--all")
            repos.git(repo, "commit", "--quiet", "-m", "all")
        return repos

    return make


def step(plan: MigrationPlan, key: str) -> StepResult:
    return next(result for result in plan.results if result.key == key)


def written(plan: MigrationPlan, path: str) -> str:
    return (plan.simulation.core.text(path) or b"").decode()


def config(plan: MigrationPlan, path: str = MAIN) -> dict[str, object]:
    found = json5.loads(written(plan, path).removeprefix("\ufeff"))
    assert isinstance(found, dict)
    return found


def test_without_a_dev_container_the_steps_have_nothing_to_do_and_one_is_offered(core: Core):
    plan = core({"a.txt": "x\n"}).plan((2,))
    for key in ("DC-10", "DC-11", "DC-12", "DC-13", "DC-14", "DC-15"):
        assert step(plan, key).unused == "core has no dev container"
        assert not step(plan, key).changes
    assert "cp -R " in step(plan, "DC-11").note


@pytest.mark.parametrize("path", [MAIN, ".devcontainer.json", ".devcontainer/go/devcontainer.json"])
def test_an_image_is_built_from_a_dockerfile_with_the_tools(core: Core, path: str):
    repos = core({path: f'{{\n  // Ours.\n  "image": "{GO}" // go\n}}\n'})
    plan = repos.plan((2,))
    assert not blocks(plan)
    new = config(plan, path)
    place = path.rpartition("/")[0]
    build = new["build"]
    assert isinstance(build, dict)
    dockerfile = str(Path(place, build["dockerfile"]))
    text = written(plan, dockerfile)
    assert text.startswith(f"FROM {GO}\n")
    assert "telepresence" in written(plan, str(Path(place, build["context"], "install-tools.sh")))
    assert "image" not in new
    assert (new["remoteUser"], new["postCreateCommand"]) == ("vscode", f"bash {SCRIPT}")
    assert "scripts/inv" in written(plan, SCRIPT)
    assert written(plan, path).count("// ") == 2


@pytest.mark.parametrize(
    ("files", "user"),
    [
        ({MAIN: '{"image": "mcr.microsoft.com/devcontainers/typescript-node:22"}'}, "node"),
        ({MAIN: '{"image": "debian:13", "remoteUser": "dev"}'}, "dev"),
        ({MAIN: '{"image": "debian:13", "containerUser": "dev"}'}, "dev"),
        ({MAIN: '{"image": "debian:13", "runArgs": ["-u", "dev"]}'}, "dev"),
        ({MAIN: '{"dockerFile": "Dockerfile"}', ".devcontainer/Dockerfile": "FROM debian:13\nARG WHO=dev\nUSER $WHO\n"}, "dev"),
    ],
)  # fmt: skip
def test_the_user_is_the_one_of_the_container(core: Core, files: Files, user: str):
    plan = core(files).plan((2,))
    assert not blocks(plan)
    changed = [c.path for r in plan.results if r.key != "RF-20" for c in r.changes]
    assert "vscode" not in "".join(written(plan, p) for p in changed).replace("devcontainers/typescript", "")
    assert f"target=/home/{user}/.kube" in written(plan, MAIN)
    assert f"/home/{user}/.azure" in written(plan, ".devcontainer/Dockerfile")


@pytest.mark.parametrize("image", ["golang:1.24", "ghcr.io/other/dev:1", "our-own-image"])
def test_a_user_that_is_root_or_not_known_blocks_and_nothing_assumes_one(core: Core, image: str):
    plan = core({MAIN: f'{{"image": "{image}"}}'}).plan((2,))
    assert step(plan, "DC-11").state is State.BLOCKED
    assert "remoteUser" in step(plan, "DC-11").blocks[0].fix
    assert not step(plan, "DC-11").changes
    assert [step(plan, key).state for key in ("DC-13", "DC-14")] == [State.BLOCKED] * 2


COMPOSE = "services:\n  app:\n    build: {context: .., dockerfile: .devcontainer/Dockerfile}\n    user: dev\n  db: {image: postgres}\n"
BY_COMPOSE = '{"dockerComposeFile": "compose.yml", "service": "app", "workspaceFolder": "/w"}'


def test_a_service_of_compose_gets_the_tools_in_its_dockerfile_and_the_device_in_one_more_file(core: Core):
    files = {MAIN: BY_COMPOSE, ".devcontainer/compose.yml": COMPOSE, ".devcontainer/Dockerfile": "FROM ruby:3\n"}
    plan = core({**files, ".dockerignore": ".devcontainer\n"}).plan((2,))
    assert not blocks(plan)
    new = config(plan)
    assert new["dockerComposeFile"] == ["compose.yml", "docker-compose.remote-first.yml"]
    assert "runArgs" not in new
    assert new["remoteUser"] == "dev"
    assert "/dev/net/tun" in written(plan, ".devcontainer/docker-compose.remote-first.yml")
    assert "COPY .devcontainer/install-tools.sh" in written(plan, ".devcontainer/Dockerfile")
    assert "!.devcontainer/install-tools.sh\n" in written(plan, ".dockerignore")


@pytest.mark.parametrize(
    ("compose", "words"),
    [
        ("services: {app: {image: ruby:3, user: dev}}\n", "FROM ruby:3"),
        ("services: {other: {image: ruby:3}}\n", "service 'app'"),
        ("services: [\n", "compose.yml"),
    ],
)
def test_a_service_that_cannot_be_changed_blocks_with_what_to_do(core: Core, compose: str, words: str):
    plan = core({MAIN: BY_COMPOSE, ".devcontainer/compose.yml": compose}).plan((2,))
    assert any(words in b.fix for b in step(plan, "DC-15").blocks)


def test_several_dev_containers_are_a_choice_unless_one_is_the_main_one(core: Core):
    one = f'{{"image": "{GO}"}}'
    repos = core({".devcontainer/a/devcontainer.json": one, ".devcontainer/b/devcontainer.json": one})
    found = step(repos.plan((2,)), "DC-11").blocks
    assert [b.path for b in found] == [f".devcontainer/{name}/devcontainer.json" for name in "ab"]
    assert all("dev_container.folder" in b.fix and b.where == "config/migration.yaml" for b in found)
    repos.commit("core", MAIN, one.encode())
    plan = repos.plan((2,))
    assert not blocks(plan)
    assert (
        "not changed: .devcontainer/a/devcontainer.json, .devcontainer/b/devcontainer.json" in step(plan, "DC-11").note
    )


@pytest.mark.parametrize(
    ("hook", "expected"),
    [
        ('"npm ci"', f"npm ci && bash {SCRIPT}"),
        ('"cd web && npm ci || true"', f"(cd web && npm ci || true) && bash {SCRIPT}"),
        ('"npm ci # all"', f"bash {SCRIPT}; npm ci # all"),
        ('["npm", "ci"]', ["bash", "-c", f'"$@" && exec bash {SCRIPT}', "postCreateCommand", "npm", "ci"]),
        ('{"web": "npm ci", "api": ["go", "build"]}', {"web": "npm ci", "api": ["go", "build"], "remote-first": f"bash {SCRIPT}"}),
        ('"k3d cluster create"', f"bash {SCRIPT}"),
        ('["bash", "-c", "k3d cluster create"]', f"bash {SCRIPT}"),
        ('{"cluster": "k3d cluster create", "web": "npm ci"}', {"web": "npm ci", "remote-first": f"bash {SCRIPT}"}),
    ],
)  # fmt: skip
def test_the_setup_runs_after_what_the_team_runs(core: Core, hook: str, expected: object):
    plan = core({MAIN: f'{{"image": "{GO}", "postCreateCommand": {hook}}}'}).plan((2,))
    assert not blocks(plan)
    assert config(plan)["postCreateCommand"] == expected


def test_a_command_that_does_more_than_to_serve_the_local_cluster_blocks(core: Core):
    plan = core({MAIN: f'{{"image": "{GO}", "postStartCommand": "npm ci && k3d cluster start"}}'}).plan((2,))
    assert any("postStartCommand" in b.fix for b in step(plan, "DC-11").blocks)
    assert config(plan)["postStartCommand"] == "npm ci && k3d cluster start"


def test_a_script_of_the_team_without_a_local_cluster_runs_unchanged_before_the_setup(core: Core):
    script = "#!/bin/bash\nset -e\nnpm ci # all\n"
    hook = f'"postCreateCommand": "bash {SCRIPT}"'
    repos = core({MAIN: f'{{"image": "{GO}", {hook}}}', SCRIPT: script})
    plan = repos.plan((2,))
    assert not blocks(plan)
    assert written(plan, ".devcontainer/postCreate.team.sh") == script
    assert ".devcontainer/postCreate.team.sh" in written(plan, SCRIPT)
    assert config(plan)["postCreateCommand"] == f"bash {SCRIPT}"


def test_scripts_with_other_names_lose_the_local_cluster_and_stay_where_they_are(core: Core):
    hooks = '"onCreateCommand": ["bash", ".devcontainer/setup.sh"], "postStartCommand": {"a": "./dev/start"}'
    scripts = {
        ".devcontainer/setup.sh": "#!/bin/sh -e\nk3d cluster create\nnpm ci\n",
        "dev/start": "#!/bin/bash\nk3d cluster start\nmake run\n",
    }
    plan = core({MAIN: f'{{"image": "{GO}", {hooks}}}', **scripts}).plan((2,))
    assert not blocks(plan)
    assert written(plan, ".devcontainer/setup.sh") == "#!/bin/sh -e\nnpm ci\n"
    assert written(plan, "dev/start") == "#!/bin/bash\nmake run\n"


def test_a_script_that_does_not_exist_blocks(core: Core):
    plan = core({MAIN: f'{{"image": "{GO}", "postStartCommand": "bash .devcontainer/gone.sh"}}'}).plan((2,))
    assert any(".devcontainer/gone.sh, which does not exist" in b.fix for b in step(plan, "DC-11").blocks)


@pytest.mark.parametrize(
    "image", ["alpine:3", "mcr.microsoft.com/devcontainers/base:alpine", "registry.access.redhat.com/ubi9"]
)
def test_an_image_without_apt_blocks(core: Core, image: str):
    plan = core({MAIN: f'{{"image": "{image}", "remoteUser": "dev"}}'}).plan((2,))
    assert "apt-get" in step(plan, "DC-15").blocks[0].fix


def test_a_stage_of_the_product_blocks_and_one_for_the_dev_container_does_not(core: Core):
    product = "FROM debian:13 AS dev\nUSER dev\n\nFROM debian:13\nCOPY a /a\n"
    text = '{"build": {"dockerfile": "../Dockerfile", "context": "..", "target": "dev"}, "remoteUser": "dev"}'
    repos = core({MAIN: text, "Dockerfile": product})
    plan = repos.plan((2,))
    assert not blocks(plan)
    new = written(plan, "Dockerfile")
    assert new.index("TELEPRESENCE") < new.index("USER dev\n\nFROM debian:13\nCOPY a /a\n")
    repos.commit("core", MAIN, text.replace(', "target": "dev"', "").encode())
    assert "product" in step(repos.plan((2,)), "DC-15").blocks[0].fix


def test_a_file_of_the_team_is_not_overwritten(core: Core):
    plan = core({MAIN: f'{{"image": "{GO}"}}', ".devcontainer/shell.sh": "mine\n"}).plan((2,))
    assert [b.path for b in step(plan, "DC-15").blocks] == [".devcontainer/shell.sh"]
    assert written(plan, ".devcontainer/shell.sh") == "mine\n"


def test_phase_2_is_done_after_one_run_and_undone_exactly(core: Core):
    repos = core({MAIN: f'\ufeff// Ours.\r\n{{\r\n  "image": "{GO}",\r\n}}\r\n'})
    before = repos.tree("core")
    assert repos.run(2) == 0
    assert written(repos.plan((2,)), MAIN).startswith("\ufeff// Ours.\r\n")
    assert {r.state for r in repos.plan((2,)).results} == {State.DONE}
    repos.git("core", "reset", "--quiet", "--hard", "HEAD~4")
    assert repos.tree("core") == before


def test_a_container_of_root_that_is_accepted_stays_done(core: Core):
    repos = core({MAIN: '{"image": "debian:13"}'})
    assert repos.run(2) == 3
    assert repos.run(2, accept=[MAIN]) == 0
    assert {r.state for r in repos.plan((2,)).results} == {State.DONE}
    assert "/root/.kube" in (repos.core / MAIN).read_text()


def test_passages_about_the_old_start_are_listed_by_line_and_history_is_not(core: Core):
    files = {
        MAIN: f'{{"image": "{GO}"}}',
        ".devcontainer/README.md": "# Container\n",
        "CONTRIBUTING.md": "Run:\n\n    k3d cluster create\n\nSee https://get.helm.sh and helm.sh.\n",
        "docs/start/first.md": "tools/dev/devcontainer-mode.sh\n",
        "CHANGELOG.md": "k3d\n",
        "services/a/README.md": "k3d\n",
    }
    plan = core(files).plan((2,))
    notes = step(plan, "RF-22").notes
    assert [note.partition(" ")[0] for note in notes] == ["CONTRIBUTING.md:3", "docs/start/first.md:1"]
    new = written(plan, ".devcontainer/README.md")
    assert new.startswith("# Container\n")
    assert "inv setup" in new


def test_the_documents_do_not_wait_for_the_choice_of_a_dev_container(core: Core):
    one = f'{{"image": "{GO}"}}'
    plan = core({f".devcontainer/{n}/devcontainer.json": one for n in "ab"}).plan((2,))
    assert not step(plan, "RF-22").blocks


IN_WEB = {
    "by image": f'{{"image": "{GO}", "workspaceFolder": "/workspaces/core/web", HOOK}}',
    "by mount": f'{{"image": "{GO}", "workspaceMount": "source=x,target=/w,type=bind", "workspaceFolder": "/w/web", HOOK}}',
    "by compose": '{"dockerComposeFile": "c.yml", "service": "app", "workspaceFolder": "/w/web", "remoteUser": "dev", HOOK}',
}


@pytest.mark.parametrize("text", IN_WEB.values(), ids=IN_WEB)
def test_commands_that_run_below_the_root_name_files_from_there(core: Core, text: str):
    files = {
        MAIN: text.replace("HOOK", '"postCreateCommand": "./setup/all.sh"'),
        ".devcontainer/c.yml": 'services: {app: {build: ., volumes: ["..:/w:cached"]}}\n',
        ".devcontainer/Dockerfile": "FROM debian:13\n",
        "web/setup/all.sh": "#!/bin/sh\nk3d cluster create\nnpm ci\n",
    }
    plan = core(files).plan((2,))
    assert not [b for b in step(plan, "DC-11").blocks if b.path == MAIN]
    assert config(plan)["postCreateCommand"] == "./setup/all.sh && bash ../.devcontainer/postCreate.sh"
    assert "../scripts/inv" in str(config(plan)["updateContentCommand"])
    assert written(plan, "web/setup/all.sh") == "#!/bin/sh\nnpm ci\n"
    assert step(plan, "DC-14").state is State.DONE


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("bash start.sh", ["start.sh"]),
        ("./start.sh && npm ci", ["start.sh"]),
        (["bash", "-e", "start.sh"], ["start.sh"]),
        ("sudo python3 tools.py", ["tools.py"]),
        ("start.sh", []),  # a program on PATH
        ("bash -c 'npm run x.sh'", []),
        ("python -m tools", []),
        ("cd web && bash start.sh", []),
    ],
)
def test_a_script_at_the_root_is_found(command: str | list[str], found: list[str]):
    hooks = Hooks({"postCreateCommand": command})
    assert [path for one in hooks.commands() for path in hooks.scripts(one)] == found
