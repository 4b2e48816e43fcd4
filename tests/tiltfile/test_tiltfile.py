"""The resources of the repository's Tiltfile, for the sample with the services of the catalogue."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from starlark_harness import evaluate
from tasks.core.config.settings import Repositories, Tilt
from tests.tiltfile.conftest import CONTEXT, KNOWN, ROOT, SETTINGS, SUBMODULE, Checkout

RELEASES = [service.release for service in KNOWN.services]
WWW = "apps-www-ameide-platform-tilt"


def test_every_service_has_its_release_and_no_process_is_started(untouched: Checkout):
    result = untouched.tilt()
    assert [name for name in result.enabled if name.endswith("-tilt")] == RELEASES
    assert result.commands == []


@pytest.mark.parametrize(
    "args",
    [
        (f"--only={WWW},apps-graph-tilt",),
        (f"--only={WWW}", "--only", "apps-graph-tilt"),
        (f"--only= {WWW} , ,apps-graph-tilt,",),
        ("--only=www_ameide_platform,graph",),
        ("--only=apps-www-ameide-platform", "--only=apps-graph", "--only="),
        (f"--only={WWW},www-ameide-platform,graph",),
    ],
)
def test_only_accepts_any_name_with_commas_and_repeated(untouched: Checkout, args: tuple[str, ...]):
    assert untouched.tilt(*args).enabled == [WWW, "apps-graph-tilt"]


def test_an_empty_only_is_ignored(untouched: Checkout):
    assert untouched.tilt("--only=").enabled == untouched.tilt().enabled


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("apps-www-amide-platform-tilt", WWW),
        ("grahp", "apps-graph-tilt"),
        ("workflow-runtime", "apps-workflows-runtime-tilt"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(untouched: Checkout, word: str, near: str):
    said = untouched.refused(f"--only=graph,{word}")
    assert f"no service or release '{word}'" in said
    assert f"did you mean {near}" in said
    assert f"--intercept: no service or release '{word}'" in untouched.refused(f"--intercept={word}")


def test_a_name_unlike_any_is_refused_with_all_names(untouched: Checkout):
    assert all(name in untouched.refused("--only=zzzzzzzzzzzz") for name in RELEASES)


def test_an_unknown_flag_is_refused(untouched: Checkout):
    assert "unknown flag: --olny" in untouched.refused("--olny=graph")


# Which cluster.


def test_another_context_is_refused_before_anything_else(checkout: Checkout):
    (checkout.core / "config/services.yaml").unlink()
    said = checkout.refused(context="kind-kind")
    assert f"the context is 'kind-kind', and only '{CONTEXT}'" in said


def test_no_context_is_refused(untouched: Checkout):
    """k8s_context() is "" for an unset or missing context, and Tilt then allows everything."""
    said = untouched.refused(context="")
    assert "no Kubernetes context" in said
    assert "inv aks.credentials" in said


@pytest.mark.parametrize("name", ["team-prod", "PRODUCTION", "prod"])
def test_production_is_refused_even_when_the_settings_name_it(checkout: Checkout, name: str):
    checkout.write("config/settings.local.yaml", cluster={"context": name})
    assert f"the context '{name}' is production" in checkout.refused(context=name)
    checkout.write("config/settings.local.yaml", cluster={"namespace": name})
    assert f"the namespace '{name}' is production" in checkout.refused()


@pytest.mark.parametrize(
    "guard",
    [
        {"production": {"contexts": [], "namespaces": []}},
        {"production": {"contexts": ["other"], "namespaces": ["other"]}},
        {"production": None},
        None,
    ],
)
@pytest.mark.parametrize("source", ["settings.local.yaml", "TILT_REMOTE_DEV"])
def test_an_override_removes_nothing_from_what_is_production(checkout: Checkout, source: str, guard: Any):
    cluster = {"context": "team-prod"}
    if source == "settings.local.yaml":
        checkout.write("config/settings.local.yaml", cluster=cluster, guard=guard)
    else:
        checkout.env["TILT_REMOTE_DEV"] = json.dumps({"cluster": cluster, "guard": guard})
    assert "the context 'team-prod' is production" in checkout.refused(context="team-prod")


def test_patterns_with_several_stars_and_question_marks(checkout: Checkout):
    checkout.write(
        "config/settings.local.yaml",
        cluster={"context": "a-live-eu1"},
        guard={"production": {"contexts": ["*live*eu?"]}},
    )
    assert "is production (it matches '*live*eu?'" in checkout.refused(context="a-live-eu1")
    checkout.write("config/settings.local.yaml", cluster={"context": "a-live-eu12"})
    assert checkout.tilt(context="a-live-eu12").enabled


# Where settings come from.


def test_the_registry_and_the_timeouts_are_those_of_the_settings(untouched: Checkout):
    result = untouched.tilt()
    assert result.registry == SETTINGS["registry"]["host"]
    assert result.settings["upsert_timeout"] == SETTINGS["tilt"]["upsert_timeout"] == 300
    assert {image.ref for image in result.images.values()} == {
        f"{result.registry}/{service.image}" for service in KNOWN.services
    }
    assert {image.platform for image in result.images.values()} == {SETTINGS["tilt"]["platform"]}


def test_later_sources_of_settings_win(checkout: Checkout):
    checkout.write("config/settings.local.yaml", registry={"host": "local.example.com"}, tilt={"upsert_timeout": 60})
    assert checkout.tilt().registry == "local.example.com"
    assert checkout.tilt().settings["upsert_timeout"] == 60
    checkout.env["REMOTE_DEV_REGISTRY__HOST"] = "env.example.com"
    assert checkout.tilt().registry == "env.example.com"
    checkout.env["TILT_REMOTE_DEV"] = json.dumps({"registry": {"host": "handed.example.com"}})
    assert checkout.tilt().registry == "handed.example.com"
    assert checkout.tilt().settings["upsert_timeout"] == 60


def test_its_defaults_are_those_of_the_tasks(checkout: Checkout):
    given = {key: dict(SETTINGS[key]) for key in ("cluster", "registry", "repositories")}
    del given["repositories"]["core"]
    (checkout.core / "config/settings.yaml").write_text(json.dumps(given))
    result = checkout.tilt()
    tilt = Tilt()
    assert result.settings["upsert_timeout"] == tilt.upsert_timeout
    assert {image.platform for image in result.images.values()} == {tilt.platform}
    assert Repositories(gitops="x").core == "."
    assert result.images["graph"].context == str(checkout.core)


@pytest.mark.parametrize(("group", "key"), [("cluster", "context"), ("registry", "host"), ("repositories", "gitops")])
def test_a_missing_required_setting_is_reported(checkout: Checkout, group: str, key: str):
    given = json.loads(json.dumps(SETTINGS))
    del given[group][key]
    (checkout.core / "config/settings.yaml").write_text(json.dumps(given))
    assert f"{group}.{key} is missing" in checkout.refused()


def test_core_and_gitops_can_be_anywhere(checkout: Checkout, tmp_path: Path):
    moved = tmp_path / "elsewhere"
    shutil.copytree(checkout.gitops, moved)
    shutil.rmtree(checkout.gitops)
    checkout.env["REMOTE_DEV_REPOSITORIES__GITOPS"] = str(moved)
    checkout.env["REMOTE_DEV_REPOSITORIES__CORE"] = str(checkout.core)
    assert checkout.tilt("--only=graph").manifests["apps-graph-tilt"].deps[0].startswith(str(moved))


# What is missing.


def test_a_missing_submodule_is_one_error_with_its_command(checkout: Checkout):
    shutil.rmtree(checkout.gitops)
    checkout.gitops.mkdir()
    said = checkout.refused()
    assert said.count("is not checked out") == 1
    assert f"git submodule update --init {SUBMODULE}" in said


def test_tilt_reloads_when_the_submodule_appears(checkout: Checkout):
    shutil.rmtree(checkout.gitops)
    result = checkout.tilt("--intercept=graph")
    assert str(checkout.gitops / ".git") in result.watched


def test_everything_missing_is_reported_at_once(checkout: Checkout):
    graph, platform = (next(s for s in KNOWN.services if s.name == name) for name in ("graph", "platform"))
    shutil.rmtree(checkout.gitops / graph.chart.path)
    (checkout.gitops / platform.chart.tilt_values[-1]).unlink()
    said = checkout.refused()
    assert f"no chart {graph.chart.path}" in said
    assert f"no values {platform.chart.tilt_values[-1]}" in said
    assert checkout.tilt("--only=www-ameide").enabled == ["apps-www-ameide-tilt"]


def test_a_service_without_its_folder_is_omitted_with_a_warning(checkout: Checkout):
    shutil.rmtree(checkout.core / "services/graph")
    result = checkout.tilt()
    assert "apps-graph-tilt" not in result.manifests
    assert "intercept-graph" not in result.manifests
    assert len([name for name in result.enabled if name.endswith("-tilt")]) == len(RELEASES) - 1
    assert any("omitted" in line and "graph" in line for line in checkout.log)


def test_a_requested_service_without_its_folder_is_an_error(checkout: Checkout):
    shutil.rmtree(checkout.core / "services/graph")
    assert "git checkout HEAD -- services/graph" in checkout.refused("--only=graph")
    assert "git checkout HEAD -- services/graph" in checkout.refused("--intercept=graph")


def test_with_no_folder_at_all_nothing_is_enabled(checkout: Checkout):
    """In Tilt an empty list of enabled resources would enable everything."""
    shutil.rmtree(checkout.core / "services")
    assert checkout.tilt().enabled == []


def test_down_needs_neither_charts_nor_values(checkout: Checkout):
    shutil.rmtree(checkout.gitops)
    result = checkout.tilt(f"--only={WWW}", subcommand="down")
    assert result.enabled == [WWW]
    assert result.manifests[WWW].delete is not None


def test_without_a_dockerfile_the_image_of_the_values_is_deployed(checkout: Checkout):
    (checkout.core / "services/graph/Dockerfile.dev").unlink()
    result = checkout.tilt("--only=graph")
    assert "graph" not in result.images
    assert result.manifests["apps-graph-tilt"].images == ()
    assert any("services/graph has no Dockerfile.dev" in line for line in checkout.log)


# The baseline.


def test_the_baselines_name_is_refused(checkout: Checkout):
    checkout.service("graph", release="apps-graph")
    assert "the release apps-graph has the baseline's name" in checkout.refused("--only=graph")


@pytest.mark.parametrize("name", ["graph", "apps-graph"])
def test_the_baselines_objects_are_refused(checkout: Checkout, name: str):
    graph = next(s for s in KNOWN.services if s.name == "graph")
    checkout.write(f"{SUBMODULE}/{graph.chart.tilt_values[-1]}", fullnameOverride=name)
    said = checkout.refused("--only=graph")
    assert "would take the baseline's objects\n  fix: set fullnameOverride" in said


@pytest.mark.parametrize(
    "route",
    [
        {"host": "platform.dev.ameide.io"},
        {"hostnames": ["other.example.com", "platform.dev.ameide.io"]},
        {"hosts": [{"host": "platform.dev.ameide.io", "paths": ["/"]}]},
    ],
)
def test_the_baselines_host_is_refused(checkout: Checkout, route: dict[str, object]):
    www = next(s for s in KNOWN.services if s.release == WWW)
    checkout.write(f"{SUBMODULE}/{www.chart.tilt_values[-1]}", httproute={"enabled": True, **route})
    assert "would take the baseline's host platform.dev.ameide.io" in checkout.refused(f"--only={WWW}")
    checkout.write(f"{SUBMODULE}/{www.chart.tilt_values[-1]}", httproute={"enabled": False, **route})
    assert checkout.tilt(f"--only={WWW}").enabled == [WWW]


# Images.


def test_images_live_update_by_language(untouched: Checkout):
    images = untouched.tilt().images
    for service in KNOWN.services:
        image = images[service.image]
        *first, sync = image.live_update
        assert [step.kind for step in first] == ["fall_back_on"]
        manifest = {"node": "package.json", "go": "go.mod", "python": "pyproject.toml"}[service.language]
        assert any(path.endswith(f"{service.folder}/{manifest}") for path in first[0].paths)
        assert (sync.kind, sync.target) == ("sync", f"/app/{service.folder}")
        assert service.folder in image.only


# Intercepts.


def test_an_intercept_alone_deploys_nothing(untouched: Checkout):
    result = untouched.tilt("--intercept=www-ameide-platform")
    assert result.enabled == ["intercept-www-ameide-platform"]
    serve = result.manifests["intercept-www-ameide-platform"].serve
    assert serve is not None
    assert serve.argv == (str(untouched.core / "scripts/inv"), "intercept", "www-ameide-platform")
    assert result.manifests["intercept-www-ameide-platform"].auto_init


def test_started_commands_use_the_developers_own_kubeconfig(checkout: Checkout):
    """Tilt gives its children another kubeconfig, which Telepresence would treat as another cluster."""
    checkout.env["TILT_REMOTE_DEV"] = json.dumps({"kubeconfig": "/home/x/.kube/mine"})
    checkout.env["KUBECONFIG"] = "/frozen"
    serve = checkout.tilt("--intercept=graph").manifests["intercept-graph"].serve
    assert serve is not None
    assert serve.env["KUBECONFIG"] == "/home/x/.kube/mine"
    del checkout.env["TILT_REMOTE_DEV"], checkout.env["KUBECONFIG"]
    serve = checkout.tilt("--intercept=graph").manifests["intercept-graph"].serve
    assert serve is not None
    assert serve.env["KUBECONFIG"] == "/home/x/.kube/config"


def test_a_release_and_an_intercept_together(untouched: Checkout):
    assert untouched.tilt("--only=graph", "--intercept=www-ameide").enabled == [
        "apps-graph-tilt",
        "intercept-www-ameide",
    ]


def test_without_only_intercepts_start_manually(untouched: Checkout):
    result = untouched.tilt()
    waiting = [m for name, m in result.manifests.items() if name.startswith("intercept-")]
    assert len(waiting) == len([s for s in KNOWN.services if s.ports])
    assert not any(m.auto_init for m in waiting)


def test_a_service_without_a_port_cannot_be_intercepted(untouched: Checkout):
    assert "workflows-runtime has no port" in untouched.refused("--intercept=workflows-runtime")


# The files.


def test_helper_files_contain_only_functions_and_constants(tmp_path: Path):
    """Loading a helper file must not call a built-in."""
    for file in sorted((ROOT / "tilt").glob("*.star")):
        (tmp_path / "Tiltfile").write_text(f"load('{file}', {names(file)})\n")
        result = evaluate(tmp_path / "Tiltfile", context="none", env={})
        assert not result.manifests
        assert not result.images
        assert {Path(path).suffix for path in result.watched} == {"", ".star"}


def names(file: Path) -> str:
    found = [
        line.split("(")[0].removeprefix("def ") for line in file.read_text().splitlines() if line.startswith("def ")
    ]
    return ", ".join(f"'{name}'" for name in found if not name.startswith("_"))


def test_nothing_is_downloaded():
    for file in [ROOT / "Tiltfile", *(ROOT / "tilt").glob("*.star")]:
        assert "ext://" not in file.read_text()
