"""What `inv status` says of what this workstation made."""

from __future__ import annotations

import os

import pytest

from tasks.core.config.settings import settings
from tasks.core.state import journal
from tasks.flows.status import facts


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is noted from here on was made by a run that has ended."""
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    monkeypatch.setattr(os, "getpid", lambda: child)


@pytest.mark.usefixtures("ended")
def test_a_release_outlives_its_run_and_is_nothing_left_behind():
    journal.record("release", release="apps-www-tilt")
    journal.record("intercept", name="www")
    release, intercept = facts.made(settings())
    assert (release.section, release.name, release.state) == ("made here", "apps-www-tilt", "ok")
    assert "inv tilt.down" in release.value
    assert (intercept.section, intercept.fix) == ("left behind", "inv down")
