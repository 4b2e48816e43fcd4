"""Findings for a person or, with `--json`, for a machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tasks.checks.finding import Finding, State, exit_code, summary
from tasks.core import ui


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
    widths = max((len(f.subject) for f in findings), default=0)
    for finding in findings:
        ui.say(f"{finding.state:<8} {finding.subject:<{widths}}  {finding.text}".rstrip())
        if finding.fix and finding.state is not State.OK:
            ui.say(f"{'':<8} {'':<{widths}}  fix: {finding.fix}")
    for patch in dict.fromkeys(f.patch for f in findings if f.patch and f.state is not State.OK):
        ui.say()
        ui.say(patch.rstrip("\n"))
    ui.talk(", ".join(f"{number} {state}" for state, number in summary(findings).items() if number))
