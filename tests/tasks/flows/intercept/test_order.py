"""What an intercept asks, and in which order, as the log of the calls shows it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox import control
from sandbox.control import Box
from tasks.core import ports
from tests.world import WWW, inv, switch_on

pytestmark = pytest.mark.slow

INTERCEPT = ("intercept", WWW, "--no-run", "--port", str(ports.free()))
POLICY = "app=traffic-manager"


@pytest.fixture
def box() -> Iterator[Box]:
    box = control.up()
    done = inv(box, "setup", "--skip", "packages")
    assert done.returncode == 0, done.stdout + done.stderr
    yield box
    control.down(box)


def during(box: Box, *words: str, code: int = 0) -> tuple[list[dict[str, Any]], str]:
    """Run `inv`. Returns the calls of programs meanwhile, also those that programs made, and what it said."""
    began = time.time()
    done = inv(box, *words)
    assert done.returncode == code, done.stdout + done.stderr
    return [call for call in box.calls() if call["start"] >= began], done.stderr


def verbs(calls: list[dict[str, Any]], tool: str) -> Counter[str]:
    """Count the calls of this program by verb: the first word that is neither an option nor pinned."""
    pinned = 5 if tool == "kubectl" else 0
    return Counter(call["argv"][pinned] for call in calls if call["tool"] == tool)


def test_a_warm_intercept_asks_each_question_once_and_az_none(box: Box):
    cold, _ = during(box, *INTERCEPT)
    assert [call for call in cold if call["tool"] == "kubectl" and POLICY in call["argv"]]
    during(box, "leave", WWW)
    warm, _ = during(box, *INTERCEPT)
    assert verbs(warm, "kubectl") == {"get": 5, "apply": 1}
    assert not [call for call in warm if POLICY in call["argv"]]  # a pod with an agent has passed the policy
    assert verbs(warm, "telepresence") == {"status": 2, "intercept": 1}  # the second is for the colleagues' notice
    assert not verbs(warm, "az") + verbs(warm, "kubelogin")


def test_when_no_token_can_be_had_nothing_waits_for_one_and_the_cause_is_named(box: Box):
    during(box, *INTERCEPT)
    during(box, "leave", WWW)
    switch_on(box, "login-70043")
    calls, said = during(box, *INTERCEPT, code=1)
    assert "AADSTS70043" in said
    assert "fix: inv aks.login" in said
    assert not verbs(calls, "kubectl")
    assert verbs(calls, "az").total() == 1
    assert not verbs(calls, "telepresence")


def test_a_kept_intercept_is_left_before_the_next(box: Box):
    during(box, *INTERCEPT)
    calls, said = during(box, *INTERCEPT)
    assert f"leaving {WWW}, kept by an earlier run" in said
    order = [call["argv"][0] for call in calls if call["tool"] == "telepresence" and "--help" not in call["argv"]]
    assert order.index("detach") < order.index("intercept")
    assert "status" in order[order.index("detach") : order.index("intercept")]  # the session is looked at again
