"""A lazy value is computed once, for all threads, and again only after it was invalidated."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks.core.errors import ToolError
from tasks.core.process.tool import Tool
from tasks.flows.setup.lazy import Lazy
from tests.world import until


def test_a_value_is_computed_once_for_all_threads():
    calls: list[int] = []
    together = threading.Barrier(4, timeout=60)

    def compute() -> int:
        calls.append(1)
        time.sleep(0.05)
        return 7

    def ask() -> int:
        together.wait()
        return lazy.get()

    lazy = Lazy(compute)
    with ThreadPoolExecutor(4) as pool:
        answers = [future.result() for future in [pool.submit(ask) for _ in range(4)]]
    assert (answers, len(calls)) == ([7] * 4, 1)


def test_a_started_value_is_ready_without_a_second_call():
    calls: list[str] = []
    lazy = Lazy(lambda: calls.append(threading.current_thread().name))
    lazy.start()
    lazy.get()
    lazy.start()
    assert len(calls) == 1
    assert calls[0] != threading.current_thread().name


def test_an_error_is_raised_for_everyone_who_asks():
    def compute() -> int:
        raise ValueError("no")

    lazy = Lazy(compute)
    for _ in range(2):
        with pytest.raises(ValueError, match="no"):
            lazy.get()
    assert not lazy.succeeded


def test_an_invalidated_value_is_computed_again():
    values = iter((1, 2))
    lazy = Lazy(lambda: next(values))
    assert not lazy.succeeded
    assert lazy.get() == lazy.get() == 1
    assert lazy.succeeded
    lazy.invalidate()
    assert not lazy.succeeded
    assert lazy.get() == 2


def test_a_value_that_was_put_is_not_computed():
    lazy: Lazy[int] = Lazy(lambda: pytest.fail("computed"))
    lazy.put(7)
    assert lazy.succeeded
    assert lazy.get() == 7


def test_stop_ends_the_child_of_a_running_computation(tmp_path: Path):
    lazy = Lazy(lambda: Tool("sh")["-c", f"touch {tmp_path}/runs; exec sleep 600"].run())
    lazy.start()
    assert until((tmp_path / "runs").exists)
    began = time.monotonic()
    lazy.stop()
    assert time.monotonic() - began < 60
    with pytest.raises(ToolError, match="sh"):
        lazy.get()
