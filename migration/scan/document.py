"""The proposal as the files of config/: YAML with the evidence of each row as a comment above it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from migration.scan.proposal import Group, Proposal, Row

_PLAIN = re.compile(r"[A-Za-z_./][\w./{}@+-]*(?: [\w./@+-]+)*")
_RESERVED = re.compile(r"(?i)(?:true|false|yes|no|on|off|null|~|y|n)")
_HEAD = """# Proposed by `inv migrate.scan` from {files} files at {commit}. The comment above a row is its evidence. `sure`: the
# evidence leaves little doubt. `maybe`: decide, then delete the row or its comment. What nothing could propose is at the end.
"""
_MAPPING_HEAD = """# yaml-language-server: $schema=schema/migration.json
# What moves to gitops, what is superseded, and what stays. Paths are relative to the root of the core repository (`from`,
# `path`) or of the gitops repository (`to`); a folder ends in `/`. inv migrate.explain PATH shows which entry applies.
"""
_SERVICES_HEAD = """# yaml-language-server: $schema=schema/services.json
# The team's services, read by the tasks and by the Tiltfile. `guessed` lists the keys that no source confirms.
"""
_SETTINGS_HEAD = """# yaml-language-server: $schema=schema/settings.json
# Settings of the suite. Put your own values into settings.local.yaml, .env or the environment.
"""
_GUARD = """guard:                        # settings.local.yaml, .env and the environment can only add to these
  production:
    servers: ["*prod*"]
    contexts: ["*prod*"]
    namespaces: ["*prod*"]
"""
_ORDER: tuple[str, ...] = (
    "core_urls",
    "moves",
    "superseded",
    "kept",
    "never",
    "references",
    "post_create",
    "dev_container",
    "tiltfile",
)
_ORDER += ("infrastructure", "docs")


def mapping(proposal: Proposal, commit: str) -> str:
    """Return the text of config/migration.yaml."""
    head = _MAPPING_HEAD + _HEAD.format(files=proposal.files, commit=commit)
    body = "\n".join(_sections(proposal.mapping, _ORDER))
    person = "".join(f"# - {_one_line(text)}\n" for text in proposal.person)
    return f"{head}\n{body}\n# For a person:\n{person or '# - nothing' + chr(10)}"


def services(proposal: Proposal, commit: str) -> str:
    """Return the text of config/services.yaml."""
    head = _SERVICES_HEAD + _HEAD.format(files=proposal.files, commit=commit)
    if not proposal.services:
        return head + "services: []\n"
    return head + "services:\n" + "".join(f"{line}\n" for row in proposal.services for line in _service(row))


def settings(proposal: Proposal, commit: str, base: str) -> str:
    """Return the text of config/settings.yaml. base: another settings.yaml, from which the versions of tools are taken."""
    version = re.search(r"^telepresence:\n(?:.*\n)*?\s+version: (\S+)", base, re.MULTILINE)
    groups = dict(proposal.settings)
    groups["telepresence.version"] = Row((version[1].strip("\"'") if version else "2.31.0"), True, ("the suite's pin",))
    groups["telepresence.header"] = Row("X-Dev-Slot", False, ("any header that the ingress passes on",))
    order = ("cluster", "registry", "telepresence", "repositories")
    sections = "\n".join(_sections(groups, order))
    tools = _block(base, "tools")
    return f"{_SETTINGS_HEAD}{_HEAD.format(files=proposal.files, commit=commit)}\n{sections}\n{_GUARD}" + (
        f"\n{tools}" if tools else ""
    )


def _block(text: str, key: str) -> str:
    """The block of this key at the top level of a YAML text, with the comments directly above it."""
    found = re.search(rf"^(?:#.*\n)*{key}:[^\n]*\n(?:[ \t]+[^\n]*\n|\n(?=[ \t]))*", text, re.MULTILINE)
    return found[0] if found else ""


def _sections(group: Group, order: Iterable[str]) -> Iterator[str]:
    """Yield each top-level key with what is below it, in this order."""
    for section in order:
        if section in group:
            yield from _rows(section, group[section], "")
            yield ""
        inner = [key for key in group if key.startswith(f"{section}.")]
        if inner:
            yield f"{section}:"
            for key in inner:
                yield from _rows(key.partition(".")[2], group[key], "  ")
            yield ""


def _rows(key: str, value: list[Row] | Row, indent: str) -> Iterator[str]:
    if isinstance(value, Row):
        yield from _comment(value, indent)
        yield f"{indent}{key}: {_flow(value.value)}"
        return
    yield f"{indent}{key}:{'' if value else ' []'}"
    for row in value:
        yield from _comment(row, f"{indent}  ")
        yield f"{indent}  - {_flow(row.value)}"


def _comment(row: Row, indent: str) -> Iterator[str]:
    first, *rest = row.evidence or ("",)
    yield f"{indent}# {row.degree}: {_one_line(first)}"
    yield from (f"{indent}#   {_one_line(text)}" for text in rest)


def _one_line(text: str) -> str:
    """The text on one line, without characters that YAML does not allow in a comment."""
    return re.sub(r"[^\x20-\x7e\xa0-\ud7ff]", "?", " ".join(text.split()))


def _service(row: Row) -> Iterator[str]:
    yield from _comment(row, "  ")
    for number, (key, value) in enumerate(row.value.items()):
        yield f"{'  - ' if number == 0 else '    '}{key}: {_flow(value)}"


def _flow(value: Any) -> str:
    """The value as YAML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if not isinstance(value, str):
        return json.dumps(value)
    is_plain = _PLAIN.fullmatch(value) and not _RESERVED.fullmatch(value) and "{" not in value and "}" not in value
    return value if is_plain else json.dumps(value, ensure_ascii=False)
