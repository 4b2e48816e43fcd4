"""Findings for a person or, with `--json`, for a machine."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from tasks.checks.finding import Finding, State, exit_code, summary
from tasks.core import ui

_MANY = 2  # more subjects with the same answer are put under one line


def report(
    findings: Sequence[Finding], *, json: bool = False, check: bool = False, about: dict[str, Any] | None = None
) -> None:
    """Show them, worst kept visible by its fix. Exits with 1, or 2 with `check`, when something is not as it should be."""
    if json:
        ui.as_json({**(about or {}), "summary": summary(findings), "findings": [f.document for f in findings]})
    else:
        _show(findings)
    code = exit_code(findings, check=check)
    if code:
        raise SystemExit(code)


def _show(findings: Sequence[Finding]) -> None:
    groups = [list(g) for _, g in groupby(findings, key=_cause)]
    titles = [_title(group) for group in groups]
    width = max(map(len, titles), default=0)
    for group, title in zip(groups, titles, strict=True):
        first = group[0]
        ui.say(f"{first.state:<8} {title:<{width}}  {first.text}".rstrip())
        if len(group) > _MANY:
            ui.say(f"{'':<8} {'':<{width}}  these: {', '.join(f.subject for f in group)}")
        if first.fix and first.state is not State.OK:
            ui.say(f"{'':<8} {'':<{width}}  fix: {first.fix}")
    for patch in dict.fromkeys(f.patch for f in findings if f.patch and f.state is not State.OK):
        ui.say()
        ui.say(patch.rstrip("\n"))
    ui.talk(", ".join(f"{number} {state}" for state, number in summary(findings).items() if number))


def _cause(finding: Finding) -> tuple[str, ...]:
    """What findings under one line have in common; what is ok stands for itself."""
    return (finding.subject,) if finding.state is State.OK else (finding.state, finding.text, finding.fix)


def _title(group: Sequence[Finding]) -> str:
    """The subject; several with one cause are shown once."""
    return f"{len(group)} things" if len(group) > _MANY else ", ".join(f.subject for f in group)
