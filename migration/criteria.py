"""The six success criteria of the specification, computed: times from measurements, the rest from the trees."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from migration.engine import MigrationPlan
from migration.git.facts import Facts, shown
from migration.git.objects import GITLINK
from migration.mapping import any_glob
from tasks.core.config.settings import Budgets
from tasks.core.plan.outcome import State
from tasks.core.state import timing

_MARKS = {True: "ok", False: "..", None: "??"}
_HEAD = 16_384  # bytes
_MEASURED_LAST = "measured last"


@dataclass(frozen=True)
class Criterion:
    """One criterion."""

    number: int
    title: str

    met: bool | None
    """None when it is not known."""

    evidence: str
    paths: tuple[str, ...] = ()

    @property
    def mark(self) -> str:
        """`ok`, `..` for not yet, `??` for not known."""
        return _MARKS[self.met]

    def as_json(self) -> dict[str, Any]:
        """Return the document of `--json`."""
        return {
            "number": self.number,
            "title": self.title,
            "met": self.met,
            "evidence": self.evidence,
            "paths": list(self.paths),
        }


def judge(plan: MigrationPlan) -> list[Criterion]:
    """Return all six."""
    fresh, connected, routed, running = measured(plan.simulation.settings.budgets)
    return [fresh, connected, routed, _no_infrastructure(plan), _single_source(plan), running]


def measured(budgets: Budgets) -> tuple[Criterion, Criterion, Criterion, Criterion]:
    """Return the four about time. A fresh setup had something to do and ended well: a second run proves nothing."""
    setup, connect, intercept = _newest("setup", fresh=True), _newest("connect"), _newest("intercept")
    both = None if setup is None or intercept is None else setup + intercept
    counted = "setup and an intercept's first request, without the clone itself"
    to_running = f"from clone to a running service in under {budgets.clone_to_running:g} s"
    return (
        _timed(1, f"a fresh dev container starts in under {budgets.setup:g} s", setup, budgets.setup),
        _timed(2, f"telepresence connects in under {budgets.connect:g} s", connect, budgets.connect),
        _timed(3, f"an intercept routes in under {budgets.intercept:g} s", intercept, budgets.intercept),
        _timed(6, to_running, both, budgets.clone_to_running, counted),
    )


def infrastructure(plan: MigrationPlan) -> list[str]:
    """Return the files of core, as it is now, that are infrastructure, wherever they are."""
    simulation = plan.simulation
    rules = simulation.mapping.infrastructure
    excepted = any_glob(kept.path for kept in rules.exceptions).match
    by_path, candidate = any_glob(rules.paths).match, any_glob([*rules.paths, *rules.manifests]).match
    infra: list[str] = []
    manifests: dict[str, list[str]] = {}
    for path, entry in simulation.core.facts.tree.files.items():
        # Most files are no candidate: that is checked first.
        if not candidate(path) or excepted(path) or path in simulation.own or entry.mode == GITLINK:
            continue
        if by_path(path):
            infra.append(path)
        else:
            manifests.setdefault(entry.oid, []).append(path)
    return sorted([*infra, *_by_content(plan, manifests)])


def _by_content(plan: MigrationPlan, manifests: dict[str, list[str]]) -> Iterator[str]:
    """The files whose content is infrastructure. manifests: blob -> its paths."""
    core, rule = plan.simulation.core, plan.simulation.mapping.infrastructure.content
    if not rule:
        return
    content = re.compile(rule.encode(), re.MULTILINE)
    found = {oid for oid, paths in manifests.items() if _begins_with(core.facts, paths[0], content)}
    found |= {oid for oid, data in core.blobs.many(manifests.keys() - found) if content.search(data)}
    for oid in found:
        yield from manifests[oid]


def _begins_with(facts: Facts, path: str, content: re.Pattern[bytes]) -> bool:
    """Whether the first kilobytes in the work tree match: definitions of megabytes need not be unpacked then."""
    file = facts.folder / path
    if path in facts.dirty or facts.head != facts.at or file.is_symlink():
        return False
    try:
        with file.open("rb") as stream:
            return content.search(stream.read(_HEAD)) is not None
    except OSError:
        return False


def _no_infrastructure(plan: MigrationPlan) -> Criterion:
    left = infrastructure(plan)
    evidence = f"{len(left)} files, such as {', '.join(map(shown, left[:3]))}" if left else "none found"
    return Criterion(4, "no infrastructure code in core", not left, evidence, tuple(left))


def _single_source(plan: MigrationPlan) -> Criterion:
    title = "one source of truth for the cluster's configuration"
    about = [r for r in plan.results if r.key == "RF-11" or r.key.startswith(("INFRA-", "CLEAN-"))]
    open_steps = [result.key for result in about if result.state is not State.DONE]
    if open_steps:
        return Criterion(5, title, False, f"open: {', '.join(open_steps)}")
    is_pinned = bool(plan.simulation.repositories.pin_path)
    pin = "and core pins it" if is_pinned else "which is not a submodule of core: nothing pins it"
    return Criterion(5, title, True, f"everything that moved is in gitops alone, {pin}")


def _newest(what: str, *, fresh: bool = False) -> float | None:
    """Return the seconds of the newest recorded run. fresh: only of runs that began cold and ended well."""
    runs = [run for run in timing.kept(what) if not fresh or (run.get("cold") and run.get("done"))]
    return float(runs[-1].get("seconds", 0)) if runs else None


def _timed(number: int, title: str, seconds: float | None, budget: float, counted: str = _MEASURED_LAST) -> Criterion:
    if seconds is None:
        return Criterion(number, title, None, "not measured on this machine (inv timing shows what is)")
    return Criterion(number, title, seconds < budget, f"{seconds:.1f} s, {counted}")
