"""az rewrites its files in place, and calls at the same time read them."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sandbox.standins.az.token_cache import TokenCache
from tests.sandbox.workstation import Workstation


def test_a_call_never_reads_a_token_cache_that_is_half_written(tmp_path: Path):
    world = Workstation(tmp_path).login().world
    written = threading.Event()

    def cache() -> TokenCache:
        return TokenCache(tmp_path / "box/home/.azure", world, lambda seconds: None, 1)

    def write() -> None:
        for number in range(300):
            cache().add_access("a", "tenant", f"target {number}", "token", 2_000_000_000)
        written.set()

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        found = {bool(cache().read().get("Account")) for _ in iter(written.is_set, True)}
        writing.result()
    assert found == {True}
