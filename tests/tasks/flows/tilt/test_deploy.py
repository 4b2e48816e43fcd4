"""Deploying one release for Tilt, with Helm and the guard replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.core.config.catalogue import Service, catalogue
from tasks.core.errors import REFUSED, Refused, ToolError, Trouble
from tasks.core.state import journal
from tasks.flows.tilt import deploy
from tasks.tools import base, helm, kubeconfig
from tasks.tools.helm import Release
from tests.tasks.flows import fakes
from tests.tasks.flows.fakes import Workstation

WWW = "apps-www-ameide-tilt"
IMAGE = "dev.azurecr.io/team/www:abc"
OBJECT = {"kind": "Deployment", "metadata": {"name": "mine"}}


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Workstation:
    """A place without releases; what Helm is asked to render is in `rendered`."""
    workstation = fakes.workstation(monkeypatch, telepresence__slot="ada")
    rendered: list[tuple[str, list[Path], tuple[str, ...]]] = []

    def render(s: object, release: str, chart: Path, values: list[Path], sets: tuple[str, ...] = ()) -> list[Any]:
        rendered.append((release, values, sets))
        workstation.ask(f"render {release}")
        return [OBJECT]

    def upgrade(s: object, release: str, chart: Path, values: object, sets: tuple[str, ...], *, holder: str) -> Any:
        return workstation.change(f"upgrade {release} for {holder} with {' '.join(sets)}".strip())

    monkeypatch.setattr(helm, "render", render)
    monkeypatch.setattr(helm, "upgrade", upgrade)
    monkeypatch.setattr(helm, "chart_values", lambda chart, values: {})
    monkeypatch.setattr(helm, "releases", lambda s, holder: [])
    monkeypatch.setattr(helm, "holder_of", lambda s, name: "bob")
    monkeypatch.setattr(helm, "applied", lambda s, release: f"kind: {release}\n")
    monkeypatch.setattr(helm, "uninstall", lambda s, name: workstation.change(f"uninstall {name}"))
    monkeypatch.setattr(deploy, "collisions", lambda s, service, objects, baseline: [])
    workstation.rendered = rendered  # type: ignore[attr-defined]
    fakes.freeze(workstation.settings)
    return workstation


def www() -> Service:
    return catalogue().named("www-ameide")


def test_a_release_is_recorded_deployed_and_returned_as_it_is_in_the_cluster(here: Workstation):
    assert deploy.apply(here.settings, www(), IMAGE) == f"kind: {WWW}\n"
    sets = "image.tag=abc image.repository=dev.azurecr.io/team/www"
    assert here.did == ["assess", f"upgrade {WWW} for ada with {sets}"]
    (entry,) = journal.entries("release")
    place = {"context": "dev", "namespace": "team"}
    assert entry.data == {"release": WWW, "service": "www-ameide", "holder": "ada", **place}
    deploy.apply(here.settings, www(), IMAGE)
    assert journal.entries("release") == [entry]


def test_both_renderings_use_the_values_of_their_own(here: Workstation):
    deploy.apply(here.settings, www(), "")
    service, gitops = www(), here.settings.gitops
    assert sorted(here.rendered, key=lambda each: each[0]) == [  # type: ignore[attr-defined]
        (service.component, [gitops / path for path in service.chart.values], ()),
        (service.release, [gitops / path for path in service.chart.tilt_values], ()),
    ]


def test_a_release_of_somebody_else_is_not_deployed_over(here: Workstation, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(helm, "releases", lambda s, holder: [Release(WWW, "deployed", 1)])
    with pytest.raises(Refused) as refused:
        deploy.apply(here.settings, www(), IMAGE)
    assert "bob" in refused.value.what
    assert here.did == ["assess"]
    assert journal.entries() == []


def test_production_is_not_deployed_to(here: Workstation):
    here.failing = {"assess": Refused("production")}
    with pytest.raises(Refused, match="production"):
        deploy.apply(here.settings, www(), IMAGE)
    assert here.did == []


def test_production_by_name_is_refused_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch):
    here = fakes.workstation(monkeypatch, cluster__context="prod-aks")
    monkeypatch.setattr(helm, "chart_values", lambda chart, values: pytest.fail("asked"))
    with pytest.raises(Refused):
        deploy.apply(here.settings, www(), IMAGE)


def test_a_release_that_touches_the_baseline_is_refused_with_the_file_to_change(
    here: Workstation, monkeypatch: pytest.MonkeyPatch
):
    seen: list[Any] = []

    def collisions(s: object, service: Service, objects: object, baseline: object) -> list[str]:
        seen.append((objects, baseline))
        return ["one", "two", "three", "four"]

    monkeypatch.setattr(deploy, "collisions", collisions)
    with pytest.raises(Refused) as refused:
        deploy.apply(here.settings, www(), IMAGE)
    assert seen == [([OBJECT], [OBJECT])]
    assert refused.value.what.endswith("one; two; three")
    assert refused.value.why.startswith("4 collisions")
    assert refused.value.fix.endswith(f"{here.settings.repositories.gitops}/{www().chart.tilt_values[-1]}")
    assert here.did == ["assess"]


def test_a_baseline_that_does_not_render_is_a_warning(here: Workstation, capsys: pytest.CaptureFixture[str]):
    here.failing = {f"render {www().component}": ToolError("helm template: no values")}
    assert deploy.rendered_baseline(here.settings, www()) == []
    assert "helm template: no values" in capsys.readouterr().err
    here.failing = {f"render {www().release}": ToolError("helm template: no values")}
    with pytest.raises(ToolError):
        deploy.apply(here.settings, www(), IMAGE)


@pytest.mark.parametrize(
    ("image", "values", "flags"),
    [
        ("", {"image": {"ref": "x"}}, ()),
        (IMAGE, {}, ("image.tag=abc", "image.repository=dev.azurecr.io/team/www")),
        (IMAGE, {"image": "text"}, ("image.tag=abc", "image.repository=dev.azurecr.io/team/www")),
        (IMAGE, {"image": {"ref": "x"}}, (f"image.ref={IMAGE}",)),
        (
            IMAGE,
            {"image": {"registry": "ghcr.io"}},
            ("image.tag=abc", "image.registry=dev.azurecr.io", "image.repository=team/www"),
        ),
        (
            IMAGE,
            {"image": {"digest": "sha256:1"}},
            ("image.tag=abc", "image.repository=dev.azurecr.io/team/www", "image.digest="),
        ),
        ("localhost:5000/www:abc", {}, ("image.tag=abc", "image.repository=localhost:5000/www")),
    ],
)
def test_the_image_is_set_under_the_keys_that_the_chart_uses(
    image: str, values: dict[str, Any], flags: tuple[str, ...]
):
    assert deploy.image_flags(values, image) == flags


@pytest.mark.parametrize("exists", [True, False])
def test_a_plain_tilt_up_gets_its_session_kubeconfig(here: Workstation, monkeypatch: pytest.MonkeyPatch, exists: bool):
    monkeypatch.setattr(kubeconfig, "freeze", lambda s: here.change("freeze"))
    if not exists:
        base.frozen_kubeconfig(here.settings).unlink()
    deploy.apply(here.settings, www(), "")
    assert here.did.count("freeze") == (0 if exists else 1)


def test_the_command_prints_the_objects_and_nothing_else(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("TILT_IMAGE_0", IMAGE)
    monkeypatch.setattr(helm, "applied", lambda s, release: "command: inv status\n")
    assert deploy.main(["www-ameide"]) == 0
    assert capsys.readouterr().out == "command: inv status\n\n"
    assert "image.tag=abc" in here.did[-1]


@pytest.mark.parametrize("argv", [[], ["www-ameide", "graph"]])
def test_other_arguments_are_a_usage_error(argv: list[str], capsys: pytest.CaptureFixture[str]):
    assert deploy.main(argv) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("usage: ")


def test_a_failure_is_shown_on_stderr_and_is_the_exit_code(here: Workstation, capsys: pytest.CaptureFixture[str]):
    refusal = Refused("production", fix="another cluster")
    here.failing = {"assess": refusal}
    assert deploy.main(["www-ameide"]) == REFUSED
    assert capsys.readouterr() == ("", f"{refusal.text()}\n")
    assert deploy.main(["nothing-like-it"]) == Trouble("x").code
