"""The HTTP ingress: hosts and service names, the baseline, and the HTTP of a developer's process."""

from __future__ import annotations

import http.client
import json
import socket

import pytest

from tests.sandbox.shell import SERVICE, free_port


def connection(me) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", int(me.box.ingress.rsplit(":", 1)[1]), timeout=60)


def test_the_baseline_reports_its_name_and_the_request(shell):
    reply = shell().ask(f"/__service/{SERVICE}/a/b?c=1", X_Slot="one")
    found = json.loads(reply.body)
    assert reply.status == 200
    assert (found["answered_by"], found["service"], found["path"]) == ("baseline", SERVICE, "/a/b?c=1")
    assert {k.lower(): v for k, v in found["headers"].items()}["x-slot"] == "one"


def test_it_routes_by_the_catalogues_host(shell):
    me = shell()
    assert json.loads(me.ask("/x", Host="platform.dev.ameide.io").body)["service"] == SERVICE
    assert json.loads(me.ask("/x", Host="www.dev.ameide.io:443").body)["service"] == "www-ameide"


def test_it_routes_by_the_services_cluster_name(shell):
    me = shell()
    for host in (SERVICE, f"{SERVICE}.ameide", f"{SERVICE}.ameide.svc.cluster.local"):
        assert json.loads(me.ask("/x", Host=host).body)["service"] == SERVICE


def test_an_unknown_host_is_404(shell):
    me = shell()
    assert me.ask("/x", Host="nobody.example.com").status == 404
    assert me.ask("/__service/nothing/").status == 404
    assert me.ask("/__service/shape-no-service/").status == 404


def test_a_service_without_pods_is_503(shell):
    reply = shell().ask("/__service/shape-zero/")
    assert (reply.status, reply.by) == (503, "none")


def test_two_pods_take_turns(shell):
    me = shell()
    assert len({json.loads(me.ask("/__service/graph/").body)["pod"] for _ in range(6)}) == 2


def test_bodies_pass_in_both_directions_with_length_or_chunked(shell, local):
    me = shell().connected()
    me.intercept(local())
    assert me.answers(b"local")
    body = bytes(range(256)) * 300
    assert me.ask(data=body, method="PUT").body == body
    line = connection(me)
    line.request("PUT", f"/__service/{SERVICE}/x", body=iter([body[:1000], body[1000:]]), encode_chunked=True,
                 headers={"Transfer-Encoding": "chunked"})  # fmt: skip
    answer = line.getresponse()
    assert (answer.status, answer.read()) == (201, body)
    line.request("GET", f"/__service/{SERVICE}/again")  # the connection is kept open
    assert line.getresponse().read() == b"local GET /again"


def test_an_unknown_method_is_passed_to_the_application(shell):
    line = connection(shell())
    line.request("BREW", f"/__service/{SERVICE}/pot")
    assert json.loads(line.getresponse().read())["method"] == "BREW"


def test_head_has_no_body(shell):
    line = connection(shell())
    line.request("HEAD", f"/__service/{SERVICE}/")
    assert line.getresponse().read() == b""


@pytest.mark.slow
def test_without_a_local_listener_it_hangs_three_seconds_and_fails(shell):
    me = shell().connected()
    me.intercept(free_port(), service="shape-agent")
    reply = me.ask("/__service/shape-agent/")
    while reply.status == 200:
        reply = me.ask("/__service/shape-agent/")
    assert reply.status == 502
    assert 2.8 < reply.seconds < 60


def test_a_local_process_that_dies_in_the_middle_ends_the_connection(shell):
    me = shell().connected()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        me.intercept(listener.getsockname()[1], service="shape-agent")
        line = connection(me)
        while True:
            line.request("GET", "/__service/shape-agent/")
            listener.settimeout(0.3)
            try:
                inner, _ = listener.accept()
                break
            except TimeoutError:
                line.getresponse().read()
        inner.recv(1000)
        inner.close()
        try:
            line.getresponse()
            raise AssertionError("an answer came from nowhere")
        except (http.client.HTTPException, OSError):
            pass
