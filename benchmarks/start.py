"""Start-up: `inv --list` relative to a bare Invoke with one empty task, cached status, and completion."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks import Row, _world, of
from benchmarks._world import INV, ROOT, box, inv

BARE = "from invoke.tasks import task\n\n\n@task\ndef nothing(c):\n    pass\n"
SHELL = """
source "$1"; cd "$2"
COMP_LINE="inv intercept www --e"; COMP_POINT=${#COMP_LINE}
_remote_dev_complete
for _ in 1 2 3 4 5 6 7 8 9; do
  began=$EPOCHREALTIME; _remote_dev_complete; ended=$EPOCHREALTIME
  echo $(( ${ended/./} - ${began/./} ))
done
"""


def run(quick: bool) -> list[Row]:
    """Run both alternately, each once before so that bytecode and caches exist."""
    pairs = 5 if quick else 25
    sandbox_starts = [start_of_sandbox() for _ in range(3)]
    with tempfile.TemporaryDirectory() as folder, box("none") as world:
        Path(folder, "tasks.py").write_text(BARE)
        env = world.environment()
        ours = [*INV, "--list"]
        bare = [str(Path(sys.executable).parent / "inv"), "--search-root", folder, "--list"]
        spent: list[tuple[float, float]] = []
        walls: list[tuple[float, float]] = []
        for number in range(pairs + 1):
            mine, theirs = cpu(ours, env), cpu(bare, env)
            if number:
                spent.append((mine[0], theirs[0]))
                walls.append((mine[1], theirs[1]))
        inv(world, "status", "--json")
        cached = [
            _world.run([str(ROOT / "scripts/inv"), "status", "--cached"], env).seconds * 1000 for _ in range(pairs)
        ]
        words = ["bash", "-c", SHELL, "bash", str(ROOT / "scripts/completion.bash"), str(ROOT)]
        completions = [int(x) / 1000 for x in _world.run(words, env).out.split()]
    return [
        of("inv --list to a bare Invoke, processor time", [a / b for a, b in spent], "x", 1.15),
        of("inv --list to a bare Invoke, from start to end", [a / b for a, b in walls], "x", 1.15),
        of("inv --list", [a * 1000 for a, _ in walls], "ms"),
        of("a bare Invoke", [b * 1000 for _, b in walls], "ms"),
        of("the start of a sandbox", sandbox_starts, "s", 1.5),
        of("./scripts/inv status --cached", cached, "ms", 80),
        of("completion in bash", completions, "ms", 80),
    ]


def start_of_sandbox() -> float:
    """Return the seconds until a sandbox is ready."""
    began = time.perf_counter()
    with box("none"):
        return time.perf_counter() - began


def cpu(argv: list[str], env: Mapping[str, str]) -> tuple[float, float]:
    """Return the processor seconds and the wall-clock seconds of one child."""
    began = time.perf_counter()
    process = subprocess.Popen(argv, env=dict(env), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, _, used = os.wait4(process.pid, 0)
    process.returncode = 0  # it was waited for here
    return used.ru_utime + used.ru_stime, time.perf_counter() - began
