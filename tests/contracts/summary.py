"""Print a summary of the tested programs at the end of a run, also for tests in other processes."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from tests.contracts import programs


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print for each program how many contracts hold, are broken or were not tried, and which tools were missing."""
    count: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    reasons: dict[str, set[str]] = defaultdict(set)
    for outcome, name in (("passed", "hold"), ("failed", "broken"), ("skipped", "not tried")):
        for report in terminalreporter.stats.get(outcome, []):
            label = dict(getattr(report, "user_properties", [])).get("program")
            if label and (report.when == "call" or outcome == "skipped"):
                count[label][name] += 1
                if outcome == "skipped" and isinstance(report.longrepr, tuple):
                    reasons[label].add(str(report.longrepr[2]).removeprefix("Skipped: not tried: "))
    if not count:
        return
    terminalreporter.section("contracts", sep="-")
    for label in sorted(count):
        parts = ", ".join(f"{n} {name}" for name, n in count[label].items())
        terminalreporter.write_line(f"{label}: {parts}")
        for reason in sorted(reasons[label]):
            terminalreporter.write_line(f"    not tried: {reason}")
    folder = config.getoption("--contracts")
    absent = [tool for tool in programs.TOOLS if not programs.real(tool, folder)]
    where = f"no such program in {folder}" if folder else "inv test --contracts DIR"
    terminalreporter.write_line(f"real {', '.join(absent)}: not tried ({where})" if absent else "every tool was tried")
