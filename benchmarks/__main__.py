"""`python -m benchmarks [--quick] [--only WORD] [--json]`: run the benchmarks, show the results, write docs/benchmarks.md."""

from __future__ import annotations

import argparse
import json
import os
import pkgutil
import platform
import sys
import time
from importlib import import_module
from pathlib import Path
from types import ModuleType

import benchmarks
from benchmarks import Row

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks.md"
BEGIN, END = "<!-- measured: written by inv bench -->", "<!-- end of what was measured -->"
HEAD = f"""# Benchmarks

`inv bench` measures the suite and writes this page. `--quick` makes fewer runs, `--only WORD` selects benchmarks.
Each value is the median of its runs. Ratios compare two things alternately in one run on the same machine, so that
load slows both. Nothing fails here: each value is shown next to its aim, and `over` marks a missed aim. The programs
are the sandbox's, with the latencies of a distant AKS cluster (`--latency aks`), or, where it says so, with those of the
real programs and a nearby cluster (`--latency real`). With `BENCHMARK_PROGRAMS`, a folder with kubectl, kube-apiserver and
etcd, the credential helper is measured with these too.

{BEGIN}
{END}
"""


def found() -> dict[str, ModuleType]:
    """Return the benchmarks by name: each module of this folder that has a `run`."""
    names = sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__) if not m.name.startswith("_"))
    modules = {name: import_module(f"benchmarks.{name}") for name in names}
    return {name: module for name, module in modules.items() if hasattr(module, "run")}


def machine() -> str:
    """Describe the machine in one line."""
    model = next(
        (x.split(":", 1)[1].strip() for x in _lines("/proc/cpuinfo") if x.startswith("model name")), platform.machine()
    )
    memory = next((int(x.split()[1]) // 1024 // 1024 for x in _lines("/proc/meminfo") if x.startswith("MemTotal")), 0)
    load = os.getloadavg()[0]
    cores = len(os.sched_getaffinity(0))
    return f"{model}, {cores} cores, {memory} GB, Linux {platform.release()}, Python {platform.python_version()}, load {load:.1f} at the start"


def table(name: str, title: str, rows: list[Row]) -> list[str]:
    """Return the rows as Markdown."""
    lines = [f"### {name}", "", title, "", "| what | measured | aim | |", "|---|---|---|---|"]
    for row in rows:
        aim = "" if row.aim is None else f"at most {row.aim:g} {row.unit}"
        verdict = {True: "met", False: "**over**", None: ""}[row.met]
        runs = (
            f" ({len(row.samples)} runs, {min(row.samples):g} to {max(row.samples):g})" if len(row.samples) > 1 else ""
        )
        lines.append(
            f"| {row.what}{': ' + row.note if row.note else ''} | {row.value:g} {row.unit}{runs} | {aim} | {verdict} |"
        )
    return [*lines, ""]


def write(blocks: dict[str, list[str]], line: str) -> None:
    """Write these blocks to the page; blocks of other benchmarks stay."""
    text = PAGE.read_text("utf-8") if PAGE.exists() else HEAD
    if BEGIN not in text or END not in text:
        text = HEAD
    before, _, rest = text.partition(BEGIN)
    old, _, after = rest.partition(END)
    kept = {part.split("\n", 1)[0].strip(): "### " + part.rstrip() for part in old.split("### ")[1:]}
    kept |= {name: "\n".join([*lines[:2], f"_{line}_", "", *lines[2:]]).rstrip() for name, lines in blocks.items()}
    body = "\n\n".join(kept[name] for name in sorted(kept))
    PAGE.write_text(f"{before}{BEGIN}\n\n{body}\n\n{END}{after}", "utf-8")


def main() -> int:
    """Return 0, whatever was measured."""
    parser = argparse.ArgumentParser(prog="inv bench")
    parser.add_argument("--quick", action="store_true", help="fewer runs")
    parser.add_argument("--only", default="", help="benchmarks whose name has this word")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    asked = parser.parse_args()
    chosen = {name: module for name, module in found().items() if asked.only in name}
    if not chosen:
        sys.stderr.write(f"error: no benchmark has '{asked.only}' in its name: {', '.join(found())}\n")
        return 1
    line = f"{time.strftime('%Y-%m-%d')}, {machine()}{', quick' if asked.quick else ''}"
    measured: dict[str, list[Row]] = {}
    for name, module in chosen.items():
        sys.stderr.write(f"-> {name}\n")
        measured[name] = module.run(asked.quick)
    titles = {
        name: " ".join((module.__doc__ or name).strip().split("\n\n")[0].split()) for name, module in chosen.items()
    }
    blocks = {name: table(name, titles[name], rows) for name, rows in measured.items()}
    write(blocks, line)
    if asked.json:
        rows = {name: [row.document() for row in found_] for name, found_ in measured.items()}
        print(json.dumps({"schema": 1, "machine": line, "benchmarks": rows}, indent=2))
    else:
        print(line)
        print("\n".join(text for lines in blocks.values() for text in lines))
    return 0


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


if __name__ == "__main__":
    sys.exit(main())
