"""What a release would touch of the baseline, asked of rendered objects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox import control, sample
from tasks.core.config.catalogue import Service
from tasks.core.config.settings import Settings
from tasks.core.errors import Trouble
from tasks.flows.tilt import deploy
from tasks.flows.tilt.collisions import Collision, Reason, collisions
from tests.tiltfile.conftest import KNOWN, SETTINGS, SUBMODULE

WWW = next(service for service in KNOWN.services if service.name == "www-ameide-platform")


def made(kind: str, name: str, **more: Any) -> dict[str, Any]:
    """An object. spec, labels, annotations, namespace by keyword."""
    meta = {"name": name, **{k: v for k, v in more.items() if k in {"labels", "annotations", "namespace"}}}
    return {"kind": kind, "metadata": meta, "spec": more.get("spec", {})}


BASELINE = [
    made("Deployment", "www"),
    made("Service", "www"),
    made("HTTPRoute", "www", spec={"hostnames": ["x.example.com"]}),
]


@pytest.fixture
def s() -> Settings:
    from tests.made import settings

    return settings(guard__production__namespaces="*prod*")


def found(s: Settings, *objects: dict[str, Any], service: Service = WWW) -> list[Collision]:
    return collisions(s, service, objects, BASELINE)


def test_own_names_and_hosts_are_fine(s: Settings):
    objects = (made("Deployment", "www-tilt"), made("HTTPRoute", "www-tilt", spec={"hostnames": ["y.example.com"]}))
    assert found(s, *objects) == []


def test_an_object_of_the_same_kind_name_and_namespace_collides(s: Settings):
    taken = [Collision("Deployment www", Reason.OBJECT_OF_BASELINE)]
    assert found(s, made("Deployment", "www")) == taken
    assert found(s, made("Deployment", "www", namespace="team")) == taken
    assert found(s, made("ConfigMap", "www")) == []
    assert found(s, made("Deployment", "www", namespace="other")) == []


@pytest.mark.parametrize(
    "route",
    [
        made("HTTPRoute", "r", spec={"hostnames": ["x.example.com"]}),
        made("GRPCRoute", "r", spec={"hostnames": ["a.example.com", "x.example.com"]}),
        made("Ingress", "r", spec={"rules": [{"http": {}}, {"host": "x.example.com"}]}),
        made("Route", "r", spec={"host": "x.example.com"}),
    ],
)
def test_a_host_of_the_baseline_collides(s: Settings, route: dict[str, Any]):
    assert found(s, route) == [Collision("x.example.com", Reason.HOST_OF_BASELINE)]


def test_a_host_of_the_catalogue_collides_even_when_the_baseline_was_not_rendered(s: Settings):
    route = made("HTTPRoute", "r", spec={"hostnames": [WWW.hosts["dev"]]})
    assert collisions(s, WWW, [route], []) == [Collision(WWW.hosts["dev"], Reason.HOST_OF_BASELINE)]
    assert collisions(s, WWW, [made("HTTPRoute", "r", spec={"hostnames": [WWW.hosts["tilt"]]})], []) == []


def test_an_object_that_argo_cd_would_take_for_its_own_collides(s: Settings):
    labelled = made("Service", "a", labels={"app.kubernetes.io/instance": WWW.component})
    tracked = made("Service", "b", annotations={"argocd.argoproj.io/tracking-id": "x"})
    label, annotation = found(s, labelled, tracked)
    assert label == Collision("Service a", Reason.LABEL_OF_ARGO, WWW.component)
    assert annotation == Collision("Service b", Reason.ANNOTATION_OF_ARGO)
    assert "app.kubernetes.io/instance" in str(label)
    assert "argocd.argoproj.io/tracking-id" in str(annotation)


def test_a_production_namespace_collides(s: Settings):
    collision = Collision("Service a", Reason.PRODUCTION, "team-prod")
    assert found(s, made("Service", "a", namespace="team-prod")) == [collision]
    assert str(collision) == "Service a would be deployed to a production namespace (team-prod)"


# Real charts.


@pytest.fixture(scope="module")
def rendering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[dict[str, str], Path]]:
    where = tmp_path_factory.mktemp("pair")
    pair = sample.make(where, KNOWN, registry=SETTINGS["registry"]["host"], submodule=SUBMODULE)
    box = control.up()
    yield box.environment(REMOTE_DEV_REPOSITORIES__GITOPS=str(pair.gitops)), pair.gitops
    control.down(box)


@pytest.fixture
def here(rendering: tuple[dict[str, str], Path], monkeypatch: pytest.MonkeyPatch) -> Settings:
    from tasks.core.config.settings import load
    from tasks.core.repository import repository_root

    env, _ = rendering
    for name in ("PATH", "HOME", "KUBECONFIG"):
        monkeypatch.setenv(name, env[name])
    for name, value in env.items():
        if name.startswith("REMOTE_"):
            monkeypatch.setenv(name, value)
    return load(repository_root(), env)


@pytest.mark.parametrize("service", KNOWN.services, ids=lambda service: service.name)
def test_no_chart_renders_an_object_of_the_baseline(here: Settings, service: Service):
    objects, baseline = deploy.rendered(here, service), deploy.rendered_baseline(here, service)
    assert len(objects) == len(baseline) >= 3
    assert collisions(here, service, objects, baseline) == []
    names = [{(o["kind"], o["metadata"]["name"]) for o in side} for side in (objects, baseline)]
    assert not names[0] & names[1]


def test_without_tilts_values_every_object_collides(here: Settings):
    """The check does find something: the same objects rendered twice."""
    baseline = deploy.rendered_baseline(here, WWW)
    reasons = [collision.reason for collision in collisions(here, WWW, baseline, baseline)]
    assert reasons.count(Reason.OBJECT_OF_BASELINE) == len(baseline)


# Images.


@pytest.mark.parametrize(
    ("values", "flags"),
    [
        ({}, ["image.tag=tilt-1", "image.repository=r.io/a/b"]),
        ({"image": {"repository": "x"}}, ["image.tag=tilt-1", "image.repository=r.io/a/b"]),
        ({"image": {"registry": "x", "repository": "y"}}, ["image.tag=tilt-1", "image.registry=r.io", "image.repository=a/b"]),
        ({"image": {"digest": "sha256:1"}}, ["image.tag=tilt-1", "image.repository=r.io/a/b", "image.digest="]),
        ({"image": {"ref": "x@sha256:1"}}, ["image.ref=r.io/a/b:tilt-1"]),
        ({"image": "x"}, ["image.tag=tilt-1", "image.repository=r.io/a/b"]),
    ],
)  # fmt: skip
def test_the_image_is_set_where_the_chart_reads_it(values: dict[str, Any], flags: list[str]):
    assert list(deploy.image_flags(values, "r.io/a/b:tilt-1")) == flags
    assert deploy.image_flags(values, "") == ()


def test_values_are_merged_as_helm_merges_them(tmp_path: Path):
    from tasks.tools import helm

    (tmp_path / "values.yaml").write_text(yaml.safe_dump({"a": {"x": 1, "y": [1, 2]}, "b": 1}))
    (tmp_path / "over.yaml").write_text(yaml.safe_dump({"a": {"y": [3]}, "b": None}))
    found = helm.chart_values(tmp_path, [tmp_path / "over.yaml", tmp_path / "absent.yaml"])
    assert found == {"a": {"x": 1, "y": [3]}, "b": None}


@pytest.mark.parametrize("content", [b"a: [1", b"a: \xff"])
def test_a_values_file_that_is_not_yaml_is_named(tmp_path: Path, content: bytes):
    from tasks.tools import helm

    (tmp_path / "over.yaml").write_bytes(content)
    with pytest.raises(Trouble, match=r"over\.yaml is not YAML"):
        helm.chart_values(tmp_path, [tmp_path / "over.yaml"])
