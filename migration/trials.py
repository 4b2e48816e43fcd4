"""Trials on the target, and their records. A record is evidence for the commit it was made on, and for no other."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from migration.model import Outcome
from migration.simulation import World
from tasks.core import ui
from tasks.core.config.settings import Settings
from tasks.core.errors import ToolError, Trouble
from tasks.core.plan.steps import State
from tasks.core.process.tool import Done, Tool
from tasks.core.state import store


@dataclass(frozen=True)
class Trial:
    """text: what is done; commands: argv below core, run one after the other; after: run in any case; budget: its key."""

    text: str
    commands: tuple[tuple[str, ...], ...]
    budget: str
    after: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Record:
    """What a trial came to. date: UTC; seconds: all commands together."""

    key: str
    commit: str
    target: str
    date: str
    seconds: float
    budget: float

    def text(self) -> str:
        """For people."""
        within = "within" if self.seconds <= self.budget else "over"
        return f"{self.date}: {self.seconds:.1f} s, {within} the budget of {self.budget:g} s, on {self.target} at {self.commit[:12]}"


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
        after=((_INV, "tilt.down"),),
    ),
    "VAL-12": Trial(
        text="intercept {service}, with proof",
        commands=((_INV, "intercept", "{service}", "--no-run"), (_INV, "tp.verify", "{service}")),
        budget="intercept",
        after=((_INV, "leave", "{service}"),),
    ),
}

_NOT_DONE = re.compile(r"[a-z-]+ +(blocked|unknown|missing|failed): ")  # a line of the summary of `inv setup`


def told(key: str) -> str:
    """What the trial does, for a person."""
    from tasks.core.config.catalogue import catalogue

    return TRIALS[key].text.format(service=catalogue().services[0].name)


def record_of(key: str, world: World) -> Record | None:
    """The record of this trial for the commit that core has in the simulation; None when there is none."""
    text = store.read(_path(key))
    try:
        found = Record(**json.loads(text)) if text else None
    except (ValueError, TypeError):
        return None
    return found if found is not None and found.commit == world.core.head else None


def must_have_target(s: Settings) -> None:
    """Raise Trouble when there is nothing to try it on."""
    from tasks.tools.base import frozen_kubeconfig

    if not frozen_kubeconfig(s).is_file():
        raise Trouble(
            f"not tried: the cluster {s.cluster.name} is not set up on this machine",
            fix="inv setup, then inv migrate.phase5",
        )


def run(world: World, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Run the trials that the plan holds, and keep their records. One that fails makes its step unknown, with the reason."""
    done = []
    for one in outcomes:
        if one.key in TRIALS and any(c.kind == "run" for c in one.changes):
            one = _try(one, world)
        done.append(one)
    return done


def _try(one: Outcome, world: World) -> Outcome:
    from tasks.core.config.catalogue import catalogue

    trial, s = TRIALS[one.key], world.settings
    service = catalogue().services[0].name
    began = time.monotonic()

    def call(argv: tuple[str, ...]) -> None:
        words = [w.format(service=service) for w in argv]
        program = str(world.core.facts.folder / words[0]) if words[0].startswith("./") else words[0]
        tool = Tool(program, fix="inv setup", timeout=1800)
        ended = tool[tuple(words[1:])].call(cwd=str(world.core.facts.folder), echo=ui.talk)
        if ended.exit != 0:
            raise ToolError(f"{' '.join(words)}: {_said(ended)}", tool=words[0], exit=ended.exit)

    try:
        for argv in trial.commands:
            ui.progress("running", one.key, " ".join(argv).format(service=service))
            call(argv)
    except ToolError as why:
        return replace(one, state=State.UNKNOWN, note=f"it failed: {why.what}")
    finally:
        seconds = time.monotonic() - began
        for argv in trial.after:
            try:
                call(argv)
            except ToolError as why:
                ui.warn(f"{one.key}: {why.what}")
    head = world.core.facts.git.line("rev-parse", "HEAD")
    stamp = time.strftime("%Y-%m-%d %H:%M", time.gmtime())
    record = Record(
        one.key, head, f"{s.target} {s.cluster.name}", stamp, round(seconds, 1), getattr(s.budgets, trial.budget)
    )
    store.write(_path(one.key), json.dumps(asdict(record)))
    return replace(one, state=State.DONE, note=record.text())


def _said(ended: Done) -> str:
    """Why a command failed: the error that it told, else what its summary names as not done, else its last line."""
    lines = [line.strip() for line in f"{ended.stdout}\n{ended.stderr}".splitlines()]
    told = [line for line in lines if line.startswith("error: ")] or [line for line in lines if _NOT_DONE.match(line)]
    fix = next((line for line in lines if line.startswith("fix: ")), "")
    return "; ".join((told[0], fix)).rstrip("; ") if told else ended.last_line


def _path(key: str) -> Path:
    return store.folder("validation", f"{key}.json")
