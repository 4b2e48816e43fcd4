"""`inv intercept`: its own cost beyond the programs it calls, and its memory while it runs.

The session is open and the pod has its agent, as on every intercept after the first of the day. After ACTIVE the cluster
needs a moment until it routes; that wait has its own row.
"""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

from benchmarks import Row, of
from benchmarks._world import INV, ROOT, box, calls, covered, inv
from sandbox.control import Box
from tasks.core.config.catalogue import catalogue


def peak(world: Box, service: str, seconds: float) -> float:
    """Return the peak resident memory, in MB, of the suite's process while an intercept with a command runs."""
    argv = [*INV, "intercept", service, "--", "sleep", str(seconds + 30)]
    process = subprocess.Popen(
        argv,
        env=world.environment(),
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "-> run" in line:
            break
    time.sleep(seconds)
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
    process.terminate()
    process.communicate()
    return int(found.group(1)) / 1024 if found else float("nan")


def run(quick: bool) -> list[Row]:
    """Intercept and leave repeatedly."""
    service = catalogue().services[0].name
    own, ratio, serial, routing, total, memory = [], [], [], [], [], []
    with box() as world:
        inv(world, "setup", "--skip", "packages", "--json")
        inv(world, "intercept", service, "--no-run", "--json")
        inv(world, "leave")
        for _ in range(2 if quick else 7):
            done = inv(world, "intercept", service, "--no-run", "--json")
            made = calls(world, done.began, done.began + done.seconds)
            spans = [(start, end) for start, end, _ in made]
            active = max(end for _, end, words in made if words == "telepresence intercept")
            seconds = done.json["seconds"]
            waited = seconds["routed"] - seconds["intercept"]
            children, with_wait = covered(spans), covered([*spans, (active, active + waited)])
            own.append((done.seconds - with_wait) * 1000)
            ratio.append((done.seconds - with_wait + children) / children)
            serial.append(done.seconds / sum(end - start for start, end in spans))
            routing.append(waited)
            total.append(done.seconds)
            inv(world, "leave")
        for _ in range(1 if quick else 3):
            memory.append(peak(world, service, 2))
    return [
        of(
            "own cost beyond the programs it calls",
            own,
            "ms",
            300,
            "Python, Invoke, checks and proof; without the wait for routing",
        ),
        of(
            "its time relative to the programs it calls, as they ran in parallel",
            ratio,
            "x",
            1.3,
            "without the wait for routing",
        ),
        of("its time relative to the same programs in sequence", serial, "x"),
        of("the wait for routing after ACTIVE", routing, "s", None, "time of the cluster"),
        of("inv intercept --no-run from start to end", total, "s"),
        of("peak memory of the suite while an intercept runs", memory, "MB", 60),
    ]
