"""Answers are converted by several threads at once."""

from __future__ import annotations

import subprocess
import sys

from tests.conftest import ROOT

# Each round has types that no thread has converted to before.
AT_ONCE = """
from __future__ import annotations
import sys, threading
from tasks.core import shape

sys.setswitchinterval(1e-6)

def work(kind, start):
    start.wait()
    shape.convert({"items": [{"name": "a"}]}, kind)

for _ in range(200):
    class Item(shape.Shape):
        name: str
        labels: dict[str, str] | None = None

    globals()["Item"] = Item

    class Items(shape.Shape):
        items: list[Item]
        more: dict[str, Item] | None = None

    start = threading.Barrier(8)
    threads = [threading.Thread(target=work, args=(Items, start)) for _ in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
print("converted")
"""


def test_threads_that_convert_to_a_new_type_at_once_do_not_crash():
    done = subprocess.run([sys.executable, "-c", AT_ONCE], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "converted\n"), done.stderr
