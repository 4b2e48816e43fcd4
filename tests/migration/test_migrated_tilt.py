"""Tilt in a migrated core, with the team's own Tiltfile, in a sandbox."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping

import pytest

from sandbox import control
from tasks.core import ports
from tests.migration.desk import Desk
from tests.world import HOST, catalogue_port, request, until

pytestmark = pytest.mark.slow
WWW = "www-ameide-platform"
RELEASE = "apps-www-ameide-platform-tilt"
RELEASES = {RELEASE, "apps-platform-tilt", "apps-graph-tilt"}  # with what the team's Tiltfile deploys before it


@pytest.fixture
def ready(desk: Desk) -> Desk:
    """A developer with a slot who has run the setup."""
    desk.env |= {"REMOTE_DEV_TELEPRESENCE__SLOT": "ada", "REMOTE_DEV_TILT__PORT": str(ports.free())}
    done = desk.inv("setup")
    assert done.returncode == 0, done.stdout + done.stderr
    return desk


@pytest.mark.parametrize("words", [("tilt.up", "--intercept", WWW), ("intercept", WWW)])
def test_a_request_reaches_the_process_on_this_machine(ready: Desk, words: tuple[str, ...]):
    def answers(slot: str = "") -> str:
        """Who answers a request; the team's own process does not say."""
        return str(request(ready.box, HOST, X_Ameide_Agent=slot).get("answered_by", "local"))

    before = answers()
    with catalogue_port(3001), ready.started(*words) as run:
        assert until(lambda: answers("ada") == "local" or run.process.poll() is not None, 60), run.said
        assert run.process.poll() is None, run.said
        assert until(lambda: answers() == before, 30)  # a colleague's request
        run.end(signal.SIGINT)
        assert until(lambda: answers("ada") == before, 30), answers("ada")
    assert "no release of yours" in ready.inv("tilt.down").stdout


def releases(desk: Desk, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the releases in the namespace with their holders, as `inv tilt.status` names them."""
    done = desk.inv("tilt.status", "--json", env=dict(env or {}))
    assert done.returncode == 0, done.stderr
    return {r["release"]: r["holder"] for r in json.loads(done.stdout)["releases"]}


def baseline(desk: Desk) -> str:
    """Return all objects of the namespace that no release of Tilt owns."""
    kinds = "deployments,services,configmaps,serviceaccounts,httproutes"
    done = desk.run("kubectl", "get", kinds, "-n", "ameide", "-o", "json")
    items = [i for i in json.loads(done.stdout)["items"] if not i["metadata"]["name"].endswith("-tilt")]
    return json.dumps(items, sort_keys=True)


@pytest.fixture
def colleague(ready: Desk) -> dict[str, str]:
    """Return the variables of a colleague with a slot of his own, who has run the setup."""
    env = {**control.as_user(ready.box, "colleague"), "REMOTE_DEV_TELEPRESENCE__SLOT": "bob"}
    env["PATH"] = f"{env.get('PATH', ready.env['PATH'])}{os.pathsep}{ready.programs}"
    done = ready.inv("setup", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return env


def test_a_release_of_the_teams_own_tiltfile_has_a_holder(ready: Desk, colleague: dict[str, str]):
    before = baseline(ready)
    for _ in range(2):
        done = ready.inv("tilt.ci", "--only", WWW)
        assert done.returncode == 0, done.stdout + done.stderr
        assert releases(ready) == dict.fromkeys(RELEASES, "ada")
    refused = ready.inv("tilt.ci", "--only", WWW, env=colleague)
    assert refused.returncode == 3, refused.stdout + refused.stderr
    assert f"the release {RELEASE} is held by ada" in refused.stderr
    done = ready.inv("tilt.ci", "--only", "www-ameide", env=colleague)
    assert done.returncode == 0, done.stdout + done.stderr
    done = ready.inv("tilt.down")
    assert done.returncode == 0, done.stderr
    assert releases(ready) == {"apps-www-ameide-tilt": "bob"}
    assert baseline(ready) == before
    assert ready.inv("tilt.down", env=colleague).returncode == 0
    assert releases(ready) == {}
    assert "no release of yours" in ready.inv("tilt.down").stdout


def test_a_release_that_a_command_of_the_tiltfile_makes_has_a_holder(ready: Desk, colleague: dict[str, str]):
    chart = "name: cache\nversion: 0.1.0\napiVersion: v2\n"
    ready.repos.commit("core", "tilt/cache/Chart.yaml", chart.encode())
    ready.repos.commit(
        "core",
        "tilt/cache/templates/config.yaml",
        b"""\
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}"}
""",
    )
    tiltfile = (ready.repos.core / "Tiltfile").read_bytes()
    command = b"local_resource('cache', cmd='helm upgrade --install team-cache tilt/cache')\n"
    ready.repos.commit("core", "Tiltfile", tiltfile + command)
    for _ in range(2):
        done = ready.inv("tilt.ci", "--", "--only=cache")
        assert done.returncode == 0, done.stdout + done.stderr
    assert releases(ready) == {"team-cache": "ada"}
    refused = ready.inv("tilt.ci", "--", "--only=cache", env=colleague)
    assert refused.returncode == 1
    assert "the release team-cache is held by ada" in refused.stdout
    assert releases(ready) == {"team-cache": "ada"}
    assert ready.inv("tilt.down", "--only", "team-cache").returncode == 0
    assert releases(ready) == {}


def test_a_killed_deploy_is_removed(ready: Desk):
    before = baseline(ready)
    control.fault(ready.box, "release-stuck")  # kills Helm once, in the middle of a deploy
    assert ready.inv("tilt.ci", "--only", "graph").returncode == 1
    (pending,) = json.loads(ready.inv("tilt.status", "--json").stdout)["releases"]
    assert (pending["status"], pending["holder"]) == ("pending-install", "ada")
    assert ready.inv("tilt.down", "--only", "graph").returncode == 0
    assert releases(ready) == {}
    with ready.started("tilt.ci", "--only", WWW) as run:
        assert until(lambda: releases(ready), 120), run.said
        run.end(signal.SIGKILL)
    done = ready.inv("down", "--tilt")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "-tilt" not in ready.run("helm", "list", "--all", "--short", "--namespace", "ameide").stdout
    assert baseline(ready) == before
