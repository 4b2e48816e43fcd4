"""Tilt in a migrated core, with the team's own Tiltfile, in a sandbox."""

from __future__ import annotations

import signal

import pytest

from tasks.core import ports
from tests.migration.desk import Desk
from tests.world import HOST, catalogue_port, request, until

pytestmark = pytest.mark.slow
WWW = "www-ameide-platform"


@pytest.fixture
def ready(desk: Desk) -> Desk:
    """A developer with a slot who has run the setup."""
    desk.env |= {"REMOTE_DEV_TELEPRESENCE__SLOT": "ada", "REMOTE_DEV_TILT__PORT": str(ports.free())}
    done = desk.inv("setup")
    assert done.returncode == 0, done.stdout + done.stderr
    return desk


@pytest.mark.parametrize("words", [("tilt.up", "--intercept", WWW), ("intercept", WWW)])
def test_a_request_reaches_the_process_on_this_machine(ready: Desk, words: tuple[str, ...]):
    def answers(**headers: str) -> str:
        """Who answers a request; the team's own process does not say."""
        return str(request(ready.box, HOST, **headers).get("answered_by", "local"))

    before = answers()
    with catalogue_port(3001), ready.started(*words) as run:
        assert until(lambda: answers(X_Ameide_Agent="ada") == "local" or run.process.poll() is not None, 60), run.said
        assert run.process.poll() is None, run.said
        assert until(lambda: answers() == before, 30)  # a colleague's request
        run.end(signal.SIGINT)
        assert until(lambda: answers(X_Ameide_Agent="ada") == before, 30), answers(X_Ameide_Agent="ada")
    assert "no release of yours" in ready.inv("tilt.down").stdout
