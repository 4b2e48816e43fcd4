"""`inv down` goes on after a failure, and fails at the end."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from sandbox import control
from sandbox.control import Box
from tests.world import inv

pytestmark = pytest.mark.slow


@pytest.fixture
def box() -> Iterator[Box]:
    box = control.up()
    yield box
    control.down(box)


def test_the_session_is_ended_although_the_releases_cannot_be_listed(box: Box):
    assert inv(box, "setup").returncode == 0
    control.fault(box, "api-refused")
    done = inv(box, "down", "--tilt")
    assert done.returncode == 1
    assert "not everything was undone: helm list: the API server does not answer" in done.stderr
    assert "ok down         end the session's daemons" in done.stderr
    assert not json.loads(inv(box, "tp.status", "--json").stdout)["session"]["running"]


def test_without_any_connection_there_are_no_releases(box: Box):
    done = inv(box, "down", "--tilt")
    assert (done.returncode, done.stdout) == (0, "nothing to undo\n"), done.stderr
