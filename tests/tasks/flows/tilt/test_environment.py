"""The variables for Tilt: the tasks and the Tiltfile use the same settings."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tasks.flows.tilt import environment, orphans
from tests.made import settings
from tests.tiltfile.conftest import Checkout, make_core


@pytest.fixture
def core(tmp_path: Path) -> Checkout:
    return Checkout(make_core(tmp_path / "pair"))


def test_the_tiltfile_uses_the_settings_of_the_tasks(core: Checkout):
    s = settings(
        registry__host="r.example.com",
        cluster__context="mine",
        tilt__upsert_timeout="77",
        tilt__platform="linux/arm64",
        repositories__gitops=str(core.gitops),
        repositories__core=str(core.core),
    )
    core.env.update(environment.environment(s))
    core.env["REMOTE_DEV_REGISTRY__HOST"] = "not.this.one"
    result = core.tilt("--only=graph", context="mine")
    assert result.registry == s.registry.host
    assert result.settings["upsert_timeout"] == s.tilt.upsert_timeout
    assert {image.platform for image in result.images.values()} == {s.tilt.platform}
    apply = result.manifests["apps-graph-tilt"].apply
    assert apply is not None
    assert apply.argv[0] == sys.executable
    assert "the context is 'dev', and only 'mine'" in core.refused(context="dev")


def test_production_patterns_are_passed_on(core: Checkout):
    s = settings(guard__production__contexts="mi*", cluster__context="mine")
    core.env.update(environment.environment(s))
    assert "is production (it matches 'mi*'" in core.refused(context="mine")


def test_nothing_secret_is_passed_on(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KUBECONFIG", "/home/x/config")
    document = json.loads(environment.environment(settings(azure__tenant="a-tenant"))[environment.SETTINGS])
    assert set(document) == {
        "answered",
        "cluster",
        "registry",
        "guard",
        "ingress",
        "tilt",
        "repositories",
        "python",
        "kubeconfig",
    }
    assert document["kubeconfig"] == "/home/x/config"


def test_only_a_tilt_that_is_started_gets_the_mark():
    assert environment.MARK not in environment.environment(settings())
    assert environment.environment(settings(), "process-1")[environment.MARK] == "process-1"


def test_without_marked_processes_there_is_nothing_to_end():
    assert orphans.end("no-such-run") == []
