"""Trials on the target and their records. A record is evidence for the commit it was made on, and for no other."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from migration.model import ChangeKind, StepResult
from migration.simulation import Simulation
from tasks.core import strict_json, ui
from tasks.core.config.catalogue import catalogue
from tasks.core.config.settings import Settings
from tasks.core.errors import Problem, ToolError, Trouble
from tasks.core.plan.outcome import State
from tasks.core.process.tool import Done, Tool
from tasks.core.state import journal, store

_LIMIT = 1800.0  # seconds for one command: Tilt builds images


@dataclass(frozen=True)
class Trial:
    """Commands run for real in core. `{service}` stands for the catalogue's first service."""

    text: str
    """What is done, for people."""

    commands: tuple[tuple[str, ...], ...]
    """Run one after the other; the first that fails ends the trial."""

    budget: str
    """The key of its budget in the settings."""

    before: tuple[tuple[str, ...], ...] = ()
    """Run first, and timed apart: what has a budget of its own."""


@dataclass(frozen=True)
class Record:
    """The evidence of a trial that succeeded."""

    key: str
    commit: str
    target: str

    date: str
    """In UTC."""

    seconds: float
    """All commands together."""

    budget: float

    before: float = 0.0
    """The seconds of what was run first, which the budget does not count."""

    def text(self) -> str:
        """Return the record as a line for people."""
        within = "within" if self.seconds <= self.budget else "over"
        before = f", connected before in {self.before:.1f} s" if self.before else ""
        return f"{self.date}: {self.seconds:.1f} s, {within} the budget of {self.budget:g} s{before}, on {self.target} at {self.commit[:12]}"


_INV = "./scripts/inv"
TRIALS = {
    "VAL-10": Trial(
        text="start the dev container's script",
        commands=(("bash", ".devcontainer/postCreate.sh"), (_INV, "setup", "--check")),
        budget="setup",
    ),
    "VAL-11": Trial(
        text="let Tilt build and deploy {service}",
        commands=((_INV, "tilt.ci", "--only", "{service}"),),
        budget="clone_to_running",
    ),
    "VAL-12": Trial(
        text="intercept {service}, with proof",
        commands=((_INV, "intercept", "{service}", "--no-run"), (_INV, "tp.verify", "{service}")),
        budget="intercept",
        before=((_INV, "tp.connect"),),
    ),
}

_NOT_DONE = re.compile(r"[a-z-]+ +(blocked|unknown|missing|failed): ")  # a line of the summary of `inv setup`


def described(key: str) -> str:
    """Return what the trial does, for people."""
    return TRIALS[key].text.format(service=_service())


def _service() -> str:
    return catalogue().services[0].name


def record_of(key: str, simulation: Simulation) -> Record | None:
    """Return the record of this trial for core's planned commit; None without one."""
    text = store.read(_path(key))
    try:
        record = Record(**strict_json.mapping(text)) if text else None
    except (ValueError, TypeError):
        return None
    return record if record is not None and record.commit == simulation.core.head else None


def must_have_target(s: Settings) -> None:
    """Raise Trouble when this machine has no cluster to try it on."""
    from tasks.tools.base import frozen_kubeconfig

    if not frozen_kubeconfig(s).is_file():
        raise Trouble(
            f"not tried: the cluster {s.cluster.name} is not set up on this machine",
            fix="inv setup, then inv migrate.phase5",
        )


def run(simulation: Simulation, results: Sequence[StepResult]) -> list[StepResult]:
    """Run the planned trials and keep their records. A trial that fails makes its step unknown."""
    return [_try(result, simulation) if _is_planned(result) else result for result in results]


def _is_planned(result: StepResult) -> bool:
    return result.key in TRIALS and any(change.kind is ChangeKind.RUN for change in result.changes)


def _try(result: StepResult, simulation: Simulation) -> StepResult:
    trial, s = TRIALS[result.key], simulation.settings
    core, service = simulation.core.facts, _service()
    session = journal.entries("session")
    run = f"{result.key}-{os.getpid()}"
    try:
        before = _run_all(trial.before, run, service, core.folder)
        seconds = _run_all(trial.commands, run, service, core.folder)
    except ToolError as why:
        return replace(result, state=State.UNKNOWN, problem=Problem(f"it failed: {why.what}"))
    finally:
        _take_away(run, core.folder, had_session=bool(session))
    record = Record(
        key=result.key,
        commit=core.git.line("rev-parse", "HEAD"),
        target=f"{s.target} {s.cluster.name}",
        date=time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        seconds=round(seconds, 1),
        budget=getattr(s.budgets, trial.budget),
        before=round(before, 1),
    )
    store.write(_path(result.key), json.dumps(asdict(record)))
    return replace(result, state=State.DONE, notes=(record.text(),))


def _take_away(run: str, core: Path, *, had_session: bool) -> None:
    """Undo what the trial made on the target, also when it failed or was interrupted. What was there before stays.

    Twice: what an interrupted Tilt had started may have deployed one release more before it was ended.
    """
    for _ in range(2):
        for words in _undoing(run, had_session):
            try:
                _call([_INV, *words], run, core)
            except ToolError as why:
                ui.warn(f"{run.rpartition('-')[0]}: {why.what}")


def _undoing(run: str, had_session: bool) -> list[tuple[str, ...]]:
    """Return the tasks that undo what the journal says of this run, in a safe order."""
    tasks: list[tuple[str, ...]] = [("leave", name) for name in _made(run, "intercept", "name")]
    releases = _made(run, "release", "release")
    if not releases and _made(run, "process", "name"):
        releases = _not_held_before(_service())
    if releases:
        tasks.append(("tilt.down", "--only", ",".join(releases)))
    if not had_session and _made(run, "session", "context"):
        tasks.append(("tp.quit",))
    return tasks


def _made(run: str, kind: str, key: str) -> list[str]:
    """Return what the journal has under this key of the things of a kind that the run made."""
    return [str(entry.data.get(key)) for entry in journal.entries(kind) if entry.data.get("trial") == run]


def _not_held_before(name: str) -> list[str]:
    """Return the service's release, unless the developer had deployed it already."""
    release = next(service.release for service in catalogue().services if service.name == name)
    return [] if any(entry.data.get("release") == release for entry in journal.entries("release")) else [release]


def _run_all(commands: Sequence[tuple[str, ...]], run: str, service: str, core: Path) -> float:
    """Run the commands one after the other. Returns the seconds. Raises ToolError for the first that fails."""
    began = time.monotonic()
    for argv in commands:
        words = [word.format(service=service) for word in argv]
        ui.progress("running", run.rpartition("-")[0], " ".join(words))
        _call(words, run, core)
    return time.monotonic() - began


def _call(words: list[str], run: str, core: Path) -> None:
    """Run the command in core, its output shown. Raises ToolError when it fails."""
    program = str(core / words[0]) if words[0].startswith("./") else words[0]
    command = Tool(program, fix="inv setup", env={journal.TRIAL: run}, timeout=_LIMIT)[tuple(words[1:])]
    ended = command.call(cwd=str(core), echo=ui.talk)
    if ended.exit != 0:
        raise ToolError(f"{' '.join(words)}: {_reason(ended)}", tool=words[0], exit=ended.exit)


def _reason(ended: Done) -> str:
    """Return why a command failed: its error, else the steps that its summary shows as not done, else its last line."""
    lines = [line.strip() for line in f"{ended.stdout}\n{ended.stderr}".splitlines()]
    errors = [line for line in lines if line.startswith("error: ")] or [line for line in lines if _NOT_DONE.match(line)]
    fix = next((line for line in lines if line.startswith("fix: ")), "")
    return "; ".join(filter(None, (errors[0], fix))) if errors else ended.last_line


def _path(key: str) -> Path:
    return store.folder("validation", f"{key}.json")
