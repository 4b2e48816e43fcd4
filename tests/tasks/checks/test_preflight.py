"""The pre-flight: every shape that cannot be intercepted is refused before anything changes, with what mends it."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.checks.preflight import must_pass, obstacles
from tasks.checks.workload import choose, place
from tasks.core.errors import Trouble


def workload(kind: str = "Deployment", name: str = "www", replicas: int = 1, **more: Any) -> dict[str, Any]:
    template = {
        "metadata": {"labels": {"app": name}, "annotations": more.pop("annotations", {})},
        "spec": {"containers": [{"name": name, "ports": [{"name": "http", "containerPort": 3001}]}]},
    }
    metadata = {"name": name, **more}
    return {
        "kind": kind,
        "metadata": metadata,
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template},
    }


def service(name: str = "www", ports: list[dict[str, Any]] | None = None, **spec: Any) -> dict[str, Any]:
    ports = [{"name": "http", "port": 80, "targetPort": "http"}] if ports is None else ports
    return {
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": "www"}, "ports": ports, "clusterIP": "10.0.0.1", **spec},
    }


def pod(agent: bool = False) -> dict[str, Any]:
    containers = [{"name": "www"}, *([{"name": "traffic-agent"}] if agent else [])]
    return {
        "kind": "Pod",
        "metadata": {"name": "www-1", "labels": {"app": "www"}},
        "spec": {"containers": containers},
        "status": {"phase": "Running"},
    }


OWNER = [{"kind": "Cluster", "name": "postgres", "controller": True}]
INJECT = "telepresence.io/inject-traffic-agent"
OLD_INJECT = "telepresence.getambassador.io/inject-traffic-agent"

REFUSED = {
    "no Service": ([workload(), pod()], "", "no Service selects", "add a Service"),
    "a Service without ports": ([workload(), service(ports=[]), pod()], "", "has no ports", "add a port"),
    "headless": ([workload("StatefulSet"), service(clusterIP="None"), pod()], "", "headless", "cluster IP"),
    "forbidden": ([workload(annotations={INJECT: "disabled"}), service(), pod()], "", "forbids", f"{INJECT}: enabled"),
    "forbidden, old prefix": (
        [workload(annotations={OLD_INJECT: "false"}), service(), pod()],
        "",
        "forbids",
        "enabled",
    ),
    "not opted in": ([workload(), service(), pod()], "WhenEnabled", "opted in", f"{INJECT}: enabled"),
    "an operator's": ([workload(ownerReferences=OWNER), service(), pod()], "", "Cluster postgres", "Cluster postgres"),
    "scaled to 0": ([workload(replicas=0), service()], "", "0 replicas", "replicas to 1"),
    "no running pod": ([workload(), service()], "", "no running pod", "kubectl describe"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_shape_that_cannot_work_is_refused_with_its_fix(case: str):
    objects, policy, said, fix = REFUSED[case]
    found = place(objects, ("www",), "ns")
    with pytest.raises(Trouble, match=said) as caught:
        must_pass(found, choose(found, "") if found.ports else None, policy, lambda line: None)
    assert fix in caught.value.fix
    assert caught.value.code == 3


def warnings(*objects: dict[str, Any], policy: str = "") -> str:
    found = place(list(objects), ("www",), "ns")
    return " / ".join(o.text for o in obstacles(found, choose(found, ""), policy) if not o.refuses)


def test_a_usual_service_with_an_agent_has_no_obstacle():
    found = place([workload(), service(), pod(agent=True)], ("www",), "ns")
    assert list(obstacles(found, choose(found, ""), "OnDemand")) == []


def test_opted_in_passes_where_the_policy_wants_it():
    found = place([workload(annotations={INJECT: "enabled"}), service(), pod()], ("www",), "ns")
    assert [o for o in obstacles(found, choose(found, ""), "WhenEnabled") if o.refuses] == []


def test_an_operators_workload_with_an_agent_in_each_pod_passes():
    """The operator has put the Traffic Agent into its own template: nothing is left that it could revert."""
    found = place([workload(ownerReferences=OWNER), service(), pod(agent=True)], ("www",), "ns")
    assert list(obstacles(found, choose(found, ""))) == []


@pytest.mark.parametrize("owner", [{"kind": "Rollout", "controller": True}, {"kind": "Cluster", "controller": False}])
def test_an_owner_that_reverts_nothing_is_no_operator(owner: dict[str, Any]):
    found = place([workload(ownerReferences=[{"name": "x", **owner}]), service(), pod()], ("www",), "ns")
    assert [o for o in obstacles(found, choose(found, "")) if o.refuses] == []


def test_without_an_agent_the_gap_is_said_before():
    assert "every colleague sees the service down" in warnings(workload(), service(), pod())


def test_with_two_replicas_the_gap_is_none_of_the_service():
    assert "one after the other" in warnings(workload(replicas=2), service(), pod())


@pytest.mark.parametrize(
    ("port", "said"),
    [({"port": 80, "targetPort": 3001}, "targetPort 3001 is a number"), ({"port": 80}, "targetPort is missing")],
)
def test_a_numeric_or_missing_target_port_is_said(port: dict[str, Any], said: str):
    assert said in warnings(workload(), service(ports=[port]), pod(agent=True))


TWO = [{"name": "grpc", "port": 8080, "targetPort": "grpc"}, {"name": "metrics", "port": 9090, "targetPort": "metrics"}]


def test_several_ports_must_be_chosen_from():
    found = place([workload(), service(ports=TWO), pod()], ("www",), "ns")
    with pytest.raises(Trouble, match="several ports") as caught:
        choose(found, "")
    assert "grpc (8080), metrics (9090)" in caught.value.fix
    assert choose(found, "9090").name == "metrics"


def test_a_port_can_be_named_by_its_container_port():
    found = place([workload(), service(), pod()], ("www",), "ns")
    assert choose(found, "3001").identifier == "http"


def test_a_port_that_is_not_there_lists_those_that_are():
    found = place([workload(), service(ports=TWO), pod()], ("www",), "ns")
    with pytest.raises(Trouble, match="has no port 3000") as caught:
        choose(found, "3000")
    assert "grpc (8080)" in caught.value.fix


def test_the_only_port_is_meant_whatever_number_was_typed():
    found = place([workload(), service(), pod()], ("www",), "ns")
    assert choose(found, "3000").identifier == "http"


def test_a_workload_that_is_not_there_names_the_nearest():
    with pytest.raises(Trouble, match="no workload wwww") as caught:
        place([workload()], ("wwww",), "ns")
    assert "www" in caught.value.fix


def test_the_workload_is_found_by_any_of_its_names():
    assert place([workload(name="apps-www")], ("www", "apps-www"), "ns").name == "apps-www"


def test_a_headless_twin_does_not_hide_the_usual_service():
    found = place([workload(), service("www-peers", clusterIP="None"), service(), pod()], ("www",), "ns")
    assert (found.service_name, found.headless) == ("www", False)


def test_a_headless_service_of_the_workloads_name_does_not_hide_the_usual_one_of_another_name():
    found = place([workload(), service(clusterIP="None"), service("www-web"), pod()], ("www",), "ns")
    assert (found.service_name, found.headless) == ("www-web", False)


def test_of_two_usual_services_the_one_of_the_workloads_name_is_taken():
    found = place([workload(), service("www-a"), service(), pod()], ("www",), "ns")
    assert found.service_name == "www"


def test_a_pod_that_is_going_does_not_count():
    going = pod()
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert place([workload(), going], ("www",), "ns").pods == ()
