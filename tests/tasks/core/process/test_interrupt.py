"""Signals to a task that does not handle them itself."""

from __future__ import annotations

import signal

import pytest

from tasks.core.process import interrupt
from tasks.core.process.interrupt import Interrupted


def test_the_first_and_the_third_signal_unwind_the_run_and_the_second_only_ends_children(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(interrupt, "_seen", 0)
    with pytest.raises(Interrupted) as first:
        interrupt.interrupt(signal.SIGINT)
    interrupt.interrupt(signal.SIGINT)  # the run unwinds already
    with pytest.raises(Interrupted) as third:
        interrupt.interrupt(signal.SIGTERM)
    assert (first.value.exit, third.value.exit) == (130, 143)
