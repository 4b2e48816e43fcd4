"""The pre-flight: every workload that cannot be intercepted is refused before anything changes, with the fix."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.checks.preflight import Obstacle, must_pass, obstacles
from tasks.checks.workload import choose, locate
from tasks.core.errors import Problem, Trouble


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
def test_a_workload_that_cannot_be_intercepted_is_refused_with_its_fix(case: str):
    objects, policy, said, fix = REFUSED[case]
    target = locate(objects, ("www",), "ns")
    with pytest.raises(Trouble, match=said) as caught:
        must_pass(target, choose(target, "") if target.ports else None, policy, lambda line: None)
    assert fix in caught.value.fix
    assert caught.value.code == 3


def warnings(*objects: dict[str, Any], policy: str = "") -> str:
    target = locate(list(objects), ("www",), "ns")
    return " / ".join(o.problem.what for o in obstacles(target, choose(target, ""), policy) if not o.refuses)


def test_an_ordinary_service_with_an_agent_has_no_obstacle():
    target = locate([workload(), service(), pod(agent=True)], ("www",), "ns")
    assert list(obstacles(target, choose(target, ""), "OnDemand")) == []


def test_an_obstacle_carries_its_problem():
    target = locate([workload("StatefulSet"), service(clusterIP="None"), pod(agent=True)], ("www",), "ns")
    problem = Problem(
        "the Service www is headless (clusterIP: None)",
        why="clients connect to the pods directly: an intercept becomes ACTIVE and never receives a request",
        fix="add a second Service with a cluster IP for www in gitops and intercept through that",
        code=3,
    )
    assert list(obstacles(target, choose(target, ""))) == [Obstacle(problem)]
    with pytest.raises(Trouble) as caught:
        must_pass(target, choose(target, ""), "", lambda line: None)
    assert caught.value.problem == problem


def test_warnings_are_passed_on_in_one_line_each():
    target = locate([workload(), service(), pod()], ("www",), "ns")
    lines: list[str] = []
    must_pass(target, choose(target, ""), "", lines.append)
    (warning,) = obstacles(target, choose(target, ""))
    assert not warning.refuses
    assert lines == [f"{warning.problem.what}; {warning.problem.fix}"]


def test_an_opted_in_workload_passes_a_policy_that_requires_it():
    target = locate([workload(annotations={INJECT: "enabled"}), service(), pod()], ("www",), "ns")
    assert [o for o in obstacles(target, choose(target, ""), "WhenEnabled") if o.refuses] == []


def test_an_operators_workload_with_agents_passes():
    """The operator has the Traffic Agent in its own template, so it cannot revert it."""
    target = locate([workload(ownerReferences=OWNER), service(), pod(agent=True)], ("www",), "ns")
    assert list(obstacles(target, choose(target, ""))) == []


@pytest.mark.parametrize("owner", [{"kind": "Rollout", "controller": True}, {"kind": "Cluster", "controller": False}])
def test_an_owner_that_does_not_revert_is_not_an_operator(owner: dict[str, Any]):
    target = locate([workload(ownerReferences=[{"name": "x", **owner}]), service(), pod()], ("www",), "ns")
    assert [o for o in obstacles(target, choose(target, "")) if o.refuses] == []


def test_without_an_agent_the_downtime_is_announced():
    assert "every colleague sees the service down" in warnings(workload(), service(), pod())


def test_with_two_replicas_there_is_no_downtime():
    assert "one after the other" in warnings(workload(replicas=2), service(), pod())


@pytest.mark.parametrize(
    ("port", "said"),
    [({"port": 80, "targetPort": 3001}, "targetPort 3001 is a number"), ({"port": 80}, "targetPort is missing")],
)
def test_a_numeric_or_missing_target_port_is_a_warning(port: dict[str, Any], said: str):
    assert said in warnings(workload(), service(ports=[port]), pod(agent=True))


TWO = [{"name": "grpc", "port": 8080, "targetPort": "grpc"}, {"name": "metrics", "port": 9090, "targetPort": "metrics"}]


def test_one_of_several_ports_must_be_named():
    target = locate([workload(), service(ports=TWO), pod()], ("www",), "ns")
    with pytest.raises(Trouble, match="several ports") as caught:
        choose(target, "")
    assert "grpc (8080), metrics (9090)" in caught.value.fix
    assert choose(target, "9090").name == "metrics"


def test_a_port_can_be_named_by_its_container_port():
    target = locate([workload(), service(), pod()], ("www",), "ns")
    assert choose(target, "3001").identifier == "http"


def test_an_unknown_port_lists_the_known_ones():
    target = locate([workload(), service(ports=TWO), pod()], ("www",), "ns")
    with pytest.raises(Trouble, match="has no port 3000") as caught:
        choose(target, "3000")
    assert "grpc (8080)" in caught.value.fix


def test_the_only_port_is_chosen_whatever_was_typed():
    target = locate([workload(), service(), pod()], ("www",), "ns")
    assert choose(target, "3000").identifier == "http"


def test_an_unknown_workload_names_the_nearest():
    with pytest.raises(Trouble, match="no workload wwww") as caught:
        locate([workload()], ("wwww",), "ns")
    assert "www" in caught.value.fix


def test_the_workload_is_found_by_any_of_its_names():
    assert locate([workload(name="apps-www")], ("www", "apps-www"), "ns").name == "apps-www"


def test_a_headless_twin_does_not_hide_the_ordinary_service():
    target = locate([workload(), service("www-peers", clusterIP="None"), service(), pod()], ("www",), "ns")
    assert (target.service_name, target.headless) == ("www", False)


def test_a_headless_service_with_the_workloads_name_does_not_hide_an_ordinary_one():
    target = locate([workload(), service(clusterIP="None"), service("www-web"), pod()], ("www",), "ns")
    assert (target.service_name, target.headless) == ("www-web", False)


def test_of_two_ordinary_services_the_one_with_the_workloads_name_is_chosen():
    target = locate([workload(), service("www-a"), service(), pod()], ("www",), "ns")
    assert target.service_name == "www"


def test_a_terminating_pod_does_not_count():
    going = pod()
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert locate([workload(), going], ("www",), "ns").pods == ()


@pytest.mark.parametrize(("name", "shown"), [("web", "web"), ("", "http")])
def test_a_numeric_target_port_gets_the_name_of_the_port(name: str, shown: str):
    target = locate(
        [workload(), service(ports=[{"name": name, "port": 80, "targetPort": 3000}]), pod(agent=True)], ("www",), "ns"
    )
    (warning,) = obstacles(target, target.ports[0])
    assert f"name: {shown}, containerPort: 3000" in warning.problem.fix
    assert not warning.refuses
