"""The large files of the legacy pair: the Tiltfile, postCreate.sh, devcontainer.json."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sandbox.legacy import make
from sandbox.legacy.archive import fill, members
from sandbox.legacy.blueprint import blueprint
from sandbox.legacy.definition import definition
from sandbox.legacy.fast_import import quoted
from sandbox.legacy.paths import SIZES, recorded
from sandbox.legacy.vendored import vendored
from starlark_harness import evaluate

CORE = blueprint(SIZES["S"]).core
TILTFILE = CORE["Tiltfile"].text


def test_the_tiltfile_is_the_monolith_of_1840_lines():
    assert 1_800 <= TILTFILE.count("\n") <= 1_880


def test_the_tiltfile_is_read_by_libcst_and_by_starlark():
    import libcst
    import starlark

    assert libcst.parse_module(TILTFILE).code == TILTFILE
    starlark.parse("Tiltfile", TILTFILE, starlark.Dialect.extended())
    for path, entry in CORE.items():
        if path.endswith((".tilt", "/Tiltfile")):
            starlark.parse(path, entry.text, starlark.Dialect.extended())


def test_the_tiltfile_has_the_twelve_releases_with_their_values_in_the_submodule():
    releases = re.findall(r"^    release='(apps-\S+-tilt)',$", TILTFILE, re.MULTILINE)
    assert releases == [service.release for service in definition().services]
    for service in definition().services:
        assert f"'gitops/ameide-gitops/sources/values/dev/apps/{service.release}.yaml'," in TILTFILE


@pytest.mark.parametrize(
    "words",
    [
        "if TILT_REMOTE:",
        "registry.localhost:32000",
        "k3d-ameide.localhost:5001/ameide",
        "K3D_CONTEXT = 'k3d-ameide'",
        "'argocd-sync-guard',",
        "'tilt-helm-adopt',",
        "'verify:www-ameide-platform',",
        "load('./tilt/ext/helm_resource/Tiltfile', 'helm_resource')",
        "cmd='infra/kubernetes/scripts/run-migrations.sh platform'",
        "'infra/kubernetes/helmfiles/' + layer",
        "config.set_enabled_resources(cfg_only_effective)",
    ],
)
def test_the_tiltfile_has_the_cases_that_the_migration_must_handle(words: str):
    assert words in TILTFILE


def test_postcreate_has_about_400_lines_with_all_steps():
    text = CORE[".devcontainer/postCreate.sh"].text
    assert 380 <= text.count("\n") <= 420
    for words in (
        "k3d cluster create",
        "--install-argo",
        "buf_setup_netrc",
        "install_codex_cli",
        "install_certificates",
        "core.hooksPath",
    ):
        assert words in text


def test_devcontainer_json_has_comments_user_keys_the_socket_and_the_feature():
    text = CORE[".devcontainer/devcontainer.json"].text
    for words in ("// ", "/* ", '"costCentre"', "/var/run/docker.sock", "features/k3d", "docker-outside-of-docker"):
        assert words in text


def test_yaml_without_templates_parses():
    import yaml

    plan = blueprint(SIZES["S"])
    seen = 0
    for tree in (plan.core, plan.gitops):
        for path, entry in tree.items():
            if path.endswith((".yaml", ".yml")) and b"{{" not in entry.data:
                list(yaml.safe_load_all(entry.text))
                seen += 1
    assert seen > 60


def test_relative_links_of_scripts_that_will_move_point_to_something_that_stays():
    common = CORE["infra/kubernetes/scripts/common.sh"].text
    assert 'source "${ROOT}/scripts/lib/logging.sh"' in common
    assert "scripts/lib/logging.sh" in CORE
    assert "infra/argocd/install/argo-cd-v3.2.1.yaml" in CORE["infra/environments/dev/bootstrap.yaml"].text


def test_recorded_paths_are_expanded_in_order_and_completely():
    assert len(recorded()) == 2_484
    assert list(recorded()) == sorted(set(recorded()))
    assert "tilt/ext/helm_resource/test/helloworld/templates/hpa.yaml" in recorded()


def test_a_vendored_file_has_its_own_content_and_looks_like_its_kind():
    first = vendored("sources/charts/third_party/a/b/1.0.0/templates/deployment.yaml")
    second = vendored("sources/charts/third_party/a/b/1.0.1/templates/deployment.yaml")
    assert first.data != second.data
    assert b"kind: Deployment" in first.data
    assert b"{{" in first.data


def test_placeholders_are_filled_and_other_text_is_kept():
    assert fill("@name@ at @ameide/sdk and @unknown@", {"name": "x"}) == "x at @ameide/sdk and @unknown@"


def test_every_archive_can_be_read():
    for archive in ("core-root", "decoys", "references", "chart", "service-go"):
        assert members(archive)


def test_a_path_is_quoted_for_fast_import():
    assert quoted('a"b\\c\nd') == b'"a\\"b\\\\c\\nd"'
    assert quoted("\udce9") == b'"\xe9"'


# The harness knows docker_build; what custom_build declares besides its command is the same.
CUSTOM_BUILD = """
def custom_build(ref, command, deps=[], ignore=[], live_update=[], skips_local_docker=False):
    docker_build(ref, '.', dockerfile='services/platform/Dockerfile.dev', only=deps, ignore=ignore, live_update=live_update)

"""


@pytest.mark.parametrize(
    ("context", "env", "registry"),
    [
        ("k3d-ameide", {}, "registry.localhost:32000"),
        ("ameide-stg-aks", {"TILT_REMOTE": "1"}, "ameidestgacr.azurecr.io"),
    ],
)
def test_tilt_would_accept_the_tiltfile_in_both_modes(context: str, env: dict[str, str], registry: str, tmp_path: Path):
    core = make(tmp_path / "pair").core
    (core / "Tiltfile").write_text(CUSTOM_BUILD + TILTFILE)
    result = evaluate(core / "Tiltfile", context=context, env=env)
    assert [name for name in result.manifests if name.startswith("apps-")] == [
        service.release for service in definition().services
    ]
    assert result.registry == registry
    assert ("argocd-sync-guard" in result.manifests) == (context == "k3d-ameide")
