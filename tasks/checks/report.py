"""Show findings as a table or, with `--json`, as a document."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from tasks.checks.finding import Finding, Verdict, exit_code, summary
from tasks.core import ui

_LISTED = 2  # up to so many subjects with the same answer are named in the first column


def report(
    findings: Sequence[Finding], *, json: bool = False, check: bool = False, about: dict[str, Any] | None = None
) -> None:
    """Show the findings. Exits with 1, or 2 with `check`, when something is missing or unknown."""
    if json:
        ui.as_json({**(about or {}), "summary": summary(findings), "findings": [f.document for f in findings]})
    else:
        _show(findings)
    code = exit_code(findings, check=check)
    if code:
        raise SystemExit(code)


def _show(findings: Sequence[Finding]) -> None:
    groups = [list(group) for _, group in groupby(findings, key=_answer)]
    titles = [_title(group) for group in groups]
    width = max(map(len, titles), default=0)
    for group, title in zip(groups, titles, strict=True):
        first = group[0]
        ui.say(f"{first.verdict:<8} {title:<{width}}  {first.text}".rstrip())
        if len(group) > _LISTED:
            ui.say(f"{'':<8} {'':<{width}}  these: {', '.join(f.subject for f in group)}")
        if first.fix:
            ui.say(f"{'':<8} {'':<{width}}  fix: {first.fix}")
    for patch in dict.fromkeys(f.patch for f in findings if f.patch):
        ui.say()
        ui.say(patch.rstrip("\n"))
    ui.talk(", ".join(f"{number} {verdict}" for verdict, number in summary(findings).items() if number))


def _answer(finding: Finding) -> tuple[str, ...]:
    """Return what adjacent findings must share to be shown as one. Findings that are ok are shown one by one."""
    if finding.verdict is Verdict.OK:
        return (finding.subject,)
    return (finding.verdict, finding.text, finding.fix)


def _title(group: Sequence[Finding]) -> str:
    return f"{len(group)} things" if len(group) > _LISTED else ", ".join(f.subject for f in group)
