"""`inv intercept`: what it costs beyond the programs it calls, and how much memory it takes while it runs.

A session is open and the pod has its agent, as on every intercept of a day but the first. The cluster then takes a
moment to route (ACTIVE is not yet routed); that wait is the cluster's and stands in a row of its own.
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
    """The most resident memory, in MB, of the suite's own process while an intercept with a command runs."""
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
    """Intercept and leave in turns."""
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
            "its time to that of the programs it calls, as they ran side by side",
            ratio,
            "x",
            1.3,
            "without the wait for routing",
        ),
        of("its time to that of the same programs one after the other", serial, "x"),
        of("the wait for routing after ACTIVE", routing, "s", None, "the cluster's"),
        of("inv intercept --no-run from start to end", total, "s"),
        of("peak memory of the suite while an intercept runs", memory, "MB", 60),
    ]
