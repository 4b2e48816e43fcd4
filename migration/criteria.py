"""The spec's six success criteria, computed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from migration.engine import Plan
from migration.git.facts import shown
from migration.git.objects import GITLINK
from migration.mapping import any_glob
from tasks.core.config.settings import Budgets
from tasks.core.plan.steps import State
from tasks.core.state import timing


@dataclass(frozen=True)
class Criterion:
    """One criterion. met: None when it cannot be told."""

    number: int
    title: str
    met: bool | None
    evidence: str
    paths: tuple[str, ...] = ()

    @property
    def mark(self) -> str:
        """`ok`, `..` for not yet, `??` for not known."""
        return {True: "ok", False: "..", None: "??"}[self.met]

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "number": self.number,
            "title": self.title,
            "met": self.met,
            "evidence": self.evidence,
            "paths": list(self.paths),
        }


def judge(plan: Plan) -> list[Criterion]:
    """All six. Times come from what was measured here, trees from git."""
    fresh, connected, routed, running = measured(plan.simulation.settings.budgets)
    left = infrastructure(plan)
    return [
        fresh,
        connected,
        routed,
        Criterion(
            4,
            "no infrastructure code in core",
            not left,
            "none found" if not left else f"{len(left)} files, such as {', '.join(map(shown, left[:3]))}",
            tuple(left),
        ),
        _single_source(plan),
        running,
    ]


def measured(b: Budgets) -> tuple[Criterion, Criterion, Criterion, Criterion]:
    """The four about time. Fresh is a setup that had something to do and ended well: a second run proves nothing."""
    setup, intercept = _newest("setup", fresh=True), _newest("intercept")
    both = None if setup is None or intercept is None else setup + intercept
    counted = "setup and an intercept's first request, without the clone itself"
    return (
        _timed(1, f"a fresh dev container starts in under {b.setup:g} s", setup, b.setup),
        _timed(2, f"telepresence connects in under {b.connect:g} s", _newest("connect"), b.connect),
        _timed(3, f"an intercept routes in under {b.intercept:g} s", intercept, b.intercept),
        _timed(
            6, f"from clone to a running service in under {b.clone_to_running:g} s", both, b.clone_to_running, counted
        ),
    )


def infrastructure(plan: Plan) -> list[str]:
    """The files of core, as it is now, that are infrastructure wherever they lie."""
    simulation = plan.simulation
    rules = simulation.mapping.infrastructure
    excepted = any_glob(k.path for k in rules.exceptions).match
    plain, either = any_glob(rules.paths).match, any_glob([*rules.paths, *rules.manifests]).match
    found: list[str] = []
    asked: dict[str, list[str]] = {}
    for path, entry in simulation.core.facts.tree.files.items():
        if not either(path) or excepted(path) or path in simulation.own or entry.mode == GITLINK:
            continue  # most are neither: that is asked first
        if plain(path):
            found.append(path)
        else:
            asked.setdefault(entry.oid, []).append(path)
    content = re.compile(rules.content.encode(), re.MULTILINE) if rules.content else None
    if content is not None:
        for oid, data in simulation.core.blobs.many(asked):
            if content.search(data):
                found.extend(asked[oid])
    return sorted(found)


def _single_source(plan: Plan) -> Criterion:
    title = "one source of truth for the cluster's configuration"
    keys = {"RF-11"} | {s.key for s in plan.results if s.key.startswith(("INFRA-", "CLEAN-"))}
    open_steps = [o.key for o in plan.results if o.key in keys and o.state is not State.DONE]
    if open_steps:
        return Criterion(5, title, False, f"open: {', '.join(open_steps)}")
    return Criterion(5, title, True, "everything that moved stands in gitops alone, and core pins it")


def _newest(what: str, *, fresh: bool = False) -> float | None:
    """The seconds of the newest run that was kept; fresh: of those that began cold and ended well."""
    runs = [n for n in timing.kept(what) if not fresh or (n.get("cold") and n.get("done"))]
    return float(runs[-1].get("seconds", 0)) if runs else None


def _timed(number: int, title: str, seconds: float | None, budget: float, counted: str = "measured last") -> Criterion:
    if seconds is None:
        return Criterion(number, title, None, "not measured on this machine (inv timing shows what is)")
    return Criterion(number, title, seconds < budget, f"{seconds:.1f} s, {counted}")
