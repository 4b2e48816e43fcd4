"""Measure what the suite says on a bad day: `python -m sandbox.demo.outages` writes the table of docs/development.md.

In each outage a session is open and an intercept is held. Every command must end within its budget and name the cause,
unless it has its answer without the cluster; `inv down` must leave no process. Exits with 1 when one does not.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox import control
from sandbox.control import Box
from tasks.core import ports, ui
from tasks.core.config.catalogue import catalogue
from tasks.core.process import processes
from tasks.core.repository import repository_root

_BUDGET, _BUDGET_OF_DOWN = 5.0, 15.0  # seconds
_LIMIT = 60.0  # seconds after which a command is ended
_START = "<!-- outages: written by python -m sandbox.demo.outages -->"
_END = "<!-- end of outages -->"
_LONGEST = 110  # characters of a cell


@dataclass(frozen=True)
class Outage:
    """A way in which the cluster is gone. cause: what every message must name."""

    fault: str
    text: str
    cause: str

    session_lives: bool = False
    """The session goes on as before: what only asks Telepresence has its answer."""


OUTAGES = (
    Outage("api-silent", "the API server is silent: packets are dropped", "nothing comes back from"),
    Outage("api-hung", "the API server accepts connections and does not answer", "then nothing comes back"),
    Outage("cluster-stopped", "the cluster is stopped", "is stopped"),
    Outage("api-refused", "the API server refuses connections", "refuses connections"),
    Outage("dns", "its name does not resolve", "does not resolve"),
    Outage("login-70043", "the login has expired, and its token", "AADSTS70043", session_lives=True),
)
COMMANDS = ("status", "tp.status", "tp.who", "tp.list", "tp.verify", "intercept", "down")


@dataclass(frozen=True)
class Row:
    """How one command ended in an outage."""

    outage: Outage
    command: str
    seconds: float
    exit: int
    said: str
    left: tuple[str, ...] = ()
    """The processes that `inv down` left."""

    @property
    def budget(self) -> float:
        """The seconds that it may take."""
        return _BUDGET_OF_DOWN if self.command == "down" else _BUDGET

    @property
    def names_cause(self) -> bool:
        """Does its output name the cause?"""
        return self.outage.cause in self.said

    def faults(self, slack: float = 1.0) -> list[str]:
        """What is wrong with it. slack: how many budgets it may take, on a loaded machine."""
        what = f"inv {self.command}, {self.outage.text}:"
        late = [f"{what} {self.seconds:.1f} s of {self.budget:g} s"] if self.seconds > self.budget * slack else []
        shows_session = self.command == "tp.status" and not self.outage.session_lives
        needs_cause = self.exit != 0 or self.command == "status" or shows_session
        silent = [f"{what} does not name the cause:\n{self.said}"] if needs_cause and not self.names_cause else []
        return [*late, *silent, *(f"{what} leaves {process}" for process in self.left)]

    @property
    def words(self) -> str:
        """The line that names the cause, for the table; the last line of a command that has its answer without."""
        lines = [re.sub(r"\s+", " ", line).strip(" !?") for line in self.said.splitlines() if line.strip()]
        named = [line for line in lines if self.outage.cause in line]
        chosen = [line for line in named if line.startswith("error")] or named or lines[-1:] or ["-"]
        line = re.sub(r"\S+\.azmk8s\.io(:\d+)?", "HOST", chosen[0]).replace("|", "\\|")
        while len(line) > _LONGEST and self.outage.cause in (rest := line.partition(": ")[2]):
            line = f"... {rest}"
        return line if len(line) <= _LONGEST else f"{line[:_LONGEST].rpartition(' ')[0]} ..."


def measure(outage: Outage, latency: str = "aks") -> Iterator[Row]:
    """Run every command in a sandbox of its own, one after the other."""
    held, other = [service.name for service in catalogue().services if service.ports and service.hosts][:2]
    arguments = {"tp.verify": (held,), "intercept": (other, "--", "true")}
    box = control.up(latency=latency)
    try:
        _must_run(box, "setup")
        _must_run(box, "intercept", held, "--no-run", "--port", str(ports.free()))
        control.fault(box, outage.fault)
        if outage.fault == "login-70043":
            _let_tokens_expire(box)
        for command in COMMANDS:
            seconds, code, said = _run(box, (command, *arguments.get(command, ())))
            left = tuple(_daemons(box)) if command == "down" else ()
            yield Row(outage, command, seconds, code, said, left)
    finally:
        control.down(box)


def _let_tokens_expire(box: Box) -> None:
    """Delete the kept tokens: until they expire, an hour after the login has ended, everything goes on."""
    for entry in (box.path / "state").glob("sessions/*/credentials/*"):
        entry.unlink()


def _must_run(box: Box, *words: str) -> None:
    _, code, said = _run(box, words)
    if code:
        raise RuntimeError(f"inv {' '.join(words)}: {said}")


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown."""
    lines = ["| outage | `inv` | seconds | exit | says |", "|---|---|---|---|---|"]
    lines += [f"| {r.outage.text} | {r.command} | {r.seconds:.1f} | {r.exit} | {r.words} |" for r in rows]
    return "\n".join(lines)


def _run(box: Box, words: Sequence[str]) -> tuple[float, int, str]:
    """The seconds, the exit code and the output of a command."""
    root = repository_root()
    began = time.monotonic()
    argv = [sys.executable, str(root / "tasks.py"), *words]
    with subprocess.Popen(
        argv,
        env=box.environment(),
        cwd=root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            said, _ = process.communicate(timeout=_LIMIT)
        except subprocess.TimeoutExpired:
            process.terminate()
            said, _ = process.communicate()
    return time.monotonic() - began, process.returncode, said


def _daemons(box: Box) -> Iterator[str]:
    """The daemons of Telepresence that still run for this sandbox's HOME."""
    home = box.env["HOME"]
    for process in processes.running():
        if Path(process.argv[0]).name == "telepresence" and any(home in word for word in process.argv):
            yield f"{' '.join(process.argv[:2])} (pid {process.pid})"


def main(page: Path) -> int:
    """Measure all outages, write the table into the page and return the exit code."""
    rows: list[Row] = []
    for outage in OUTAGES:
        ui.talk(f"-> {outage.text}")
        rows += measure(outage)
    before, start, rest = page.read_text(encoding="utf-8").partition(_START)
    _, end, after = rest.partition(_END)
    if not (start and end):
        raise SystemExit(f"{page} has no place for the table: {_START} ... {_END}")
    page.write_text(f"{before}{start}\n\n{table(rows)}\n\n{end}{after}", encoding="utf-8")
    wrong = [text for row in rows for text in row.faults()]
    for text in wrong:
        ui.warn(text)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if sys.argv[1:] else repository_root() / "docs" / "development.md"))
