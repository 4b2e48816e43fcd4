"""A service of the catalogue as the cluster has it."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.checks.workload import Port, choose, has_agent, locate
from tasks.core.errors import Trouble
from tests.tasks.flows.fakes import cluster_service


def located(*ports: dict[str, Any], **changed: Any) -> Any:
    objects = cluster_service("www", *ports)
    objects[0]["spec"].update(changed)
    return locate(objects, ("www",), "team")


@pytest.mark.parametrize(
    ("served", "port"),
    [
        ({"name": "http", "port": 80, "targetPort": "http"}, Port("http", 80, "http", 3000)),
        ({"name": "http", "port": 80, "targetPort": "other"}, Port("http", 80, "other", 80)),
        ({"port": 80, "targetPort": 3001}, Port("", 80, 3001, 3001)),
        ({"name": "http", "port": 80}, Port("http", 80, None, 80)),
    ],
)
def test_a_port_of_the_service_is_that_of_the_container(served: dict[str, Any], port: Port):
    (found,) = located(served).ports
    assert found == port
    assert found.identifier == (port.name or "80")


@pytest.mark.parametrize("spec", [{}, {"containers": None}, {"containers": [{"name": "www"}]}])
def test_a_template_without_named_ports_has_none(spec: dict[str, Any]):
    (port,) = located(template={"metadata": {"labels": {"app": "www"}}, "spec": spec}).ports
    assert port.container == 80


@pytest.mark.parametrize(
    ("spec", "agent"),
    [
        ({}, False),
        ({"containers": [{"name": "www"}]}, False),
        ({"containers": [{"name": "traffic-agent"}]}, True),
        ({"containers": [{"name": "www"}], "initContainers": [{"name": "traffic-agent"}]}, True),
    ],
)
def test_an_agent_is_a_container_or_an_init_container(spec: dict[str, Any], agent: bool):
    assert has_agent({"spec": spec}) is agent


def test_a_workload_has_an_agent_when_each_of_its_pods_has_one():
    with_agent, without = cluster_service("www")[2], cluster_service("www", agent=False)[2]
    objects = cluster_service("www")[:2]
    assert [
        locate([*objects, *pods], ("www",), "team").has_agent
        for pods in ([with_agent], [with_agent, without], [without], [])
    ] == [True, False, False, False]


@pytest.mark.parametrize(("replicas", "number"), [(None, 1), (0, 0), (3, 3)])
def test_the_replicas_are_one_when_the_object_does_not_say(replicas: int | None, number: int):
    assert located(replicas=replicas).replicas == number


def test_pods_that_end_or_belong_to_others_do_not_count():
    objects = cluster_service("www")
    for name, change in {
        "ended": {"status": {"phase": "Succeeded"}},
        "failed": {"status": {"phase": "Failed"}},
    }.items():
        objects.append({**objects[2], "metadata": {**objects[2]["metadata"], "name": name}, **change})
    deleted = {**objects[2]["metadata"], "deletionTimestamp": "now"}
    objects.append({**objects[2], "metadata": deleted})
    objects.append({**objects[2], "metadata": {"name": "other", "labels": {"app": "other"}}})
    assert [pod["metadata"]["name"] for pod in locate(objects, ("www",), "team").pods] == ["www-5d-x1"]


def test_several_ports_without_a_name_are_refused_with_the_choices():
    service = located({"name": "http", "port": 80}, {"port": 90})
    with pytest.raises(Trouble) as failed:
        choose(service, "")
    assert failed.value.fix == "name one: --port LOCAL:REMOTE with one of http (80), 90"
    assert choose(service, "90").number == 90
    assert choose(service, "http").number == 80


def test_a_missing_workload_names_the_near_ones_or_all():
    with pytest.raises(Trouble) as near:
        locate(cluster_service("www"), ("wwww",), "team")
    assert near.value.fix == "did you mean www?"
    with pytest.raises(Trouble) as far:
        locate(cluster_service("www"), ("graph",), "team")
    assert far.value.fix == "workloads there: www"
    with pytest.raises(Trouble) as none:
        locate([], ("graph",), "team")
    assert none.value.fix == "workloads there: none"
