"""What `inv status` says about the things this workstation made."""

from __future__ import annotations

import os

import pytest

from tasks.core.config.settings import settings
from tasks.core.errors import Problem
from tasks.core.state import journal
from tasks.flows.status import facts
from tasks.flows.status.facts import State


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Record what follows as made by a run that has ended."""
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    monkeypatch.setattr(os, "getpid", lambda: child)


@pytest.mark.usefixtures("ended")
def test_a_release_of_an_ended_run_is_kept_and_an_intercept_of_one_is_left_behind():
    journal.record("release", release="apps-www-tilt")
    journal.record("intercept", name="www")
    release, intercept = facts.made(settings())
    assert (release.section, release.name, release.state) == ("made here", "apps-www-tilt", State.OK)
    assert "inv tilt.down" in release.value
    assert (intercept.section, intercept.state) == ("left behind", State.WARN)
    assert intercept.problem == Problem(f"intercept of a killed run (pid {os.getpid()})", fix="inv down")
