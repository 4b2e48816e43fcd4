"""Damaged data at every border: files of people, answers of programs and of the cluster, thousands of inputs each.

Each input must end in a result or in a sentence with its cause; see tests/tasks/test_borders.py.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

from benchmarks import Row
from benchmarks._world import ROOT

TESTS = "tests/tasks/test_borders.py"


def run(quick: bool) -> list[Row]:
    """Run the tests of the borders with other inputs than CI, and many more."""
    examples = 500 if quick else 10_000
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", str(os.cpu_count() or 1), "--timeout", "0", TESTS],
        cwd=ROOT,
        env={**os.environ, "BORDER_EXAMPLES": str(examples)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - began
    failed = re.findall(r"^FAILED (\S+.*)", done.stdout, re.MULTILINE)
    if done.returncode and not failed:
        raise RuntimeError(f"{TESTS} did not run:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return [
        Row("inputs at each border", examples, ""),
        Row("borders where an input ended in a traceback", len(failed), "", 0, note="; ".join(failed)[:300]),
        Row("all borders", round(seconds, 1), "s"),
    ]
