"""helm list, status and get manifest."""

from __future__ import annotations

import json
import re
from typing import Any

from sandbox.protocol.call import Answer
from sandbox.standins.go.flags import Words
from sandbox.standins.helm.chart import HelmError
from sandbox.standins.helm.command import Helm
from sandbox.standins.helm.releases import PENDING, Releases, Revision
from sandbox.standins.helm.yaml_text import to_yaml


def list_(helm: Helm) -> Answer:
    """List releases. Pending ones are listed only with --pending or --all."""
    parsed = helm.parsed
    revisions = Releases(helm.session().cluster).all(None if parsed.on("all-namespaces") else helm.namespace)
    revisions = _selected(parsed, revisions)
    if parsed.on("reverse"):
        revisions.reverse()
    start, most = int(parsed.value("offset", "0")), int(parsed.value("max", "256"))
    rows = [revision.row() for revision in revisions[start : start + most if most else None]]
    output = parsed.value("output")
    if parsed.on("short"):
        names = [row["name"] for row in rows]
        return Answer(stdout=json.dumps(names) + "\n" if output == "json" else "".join(f"{n}\n" for n in names))
    heads = ("NAME", "NAMESPACE", "REVISION", "UPDATED", "STATUS", "CHART", "APP VERSION")
    return _shown(output, rows, heads)


def _selected(parsed: Words, revisions: list[Revision]) -> list[Revision]:
    """The revisions with a wanted state, that match --filter and --selector."""
    if not parsed.on("all"):
        states = _states(parsed)
        revisions = [revision for revision in revisions if revision.status in states]
    if parsed.value("filter"):
        revisions = [revision for revision in revisions if re.search(parsed.value("filter"), revision.name)]
    for pair in filter(None, parsed.value("selector").split(",")):
        label, _, value = pair.partition("=")
        revisions = [revision for revision in revisions if _labels(revision).get(label) == value]
    return revisions


def _states(parsed: Words) -> set[str]:
    """The states that the flags name, or the default ones."""
    states = {flag for flag in ("deployed", "failed", "superseded", "uninstalled", "uninstalling") if parsed.on(flag)}
    if parsed.on("pending"):
        states |= set(PENDING)
    return states or {"deployed", "failed"}


def _labels(revision: Revision) -> dict[str, str]:
    """The labels of the Secret that stores a revision."""
    return {**revision.labels, "name": revision.name, "status": revision.status, "owner": "helm"}


def status(helm: Helm) -> Answer:
    """Print one release."""
    revision = _revision(helm)
    output = helm.parsed.value("output")
    if output == "json":
        return Answer(stdout=json.dumps(revision.json(), ensure_ascii=False))
    if output == "yaml":
        return Answer(stdout=to_yaml(revision.json()) + "\n")
    return Answer(stdout=revision.text())


def manifest(helm: Helm) -> Answer:
    """Print the release's manifest."""
    return Answer(stdout=_revision(helm).manifest + "\n")


def _revision(helm: Helm) -> Revision:
    revisions = Releases(helm.session().cluster).history(helm.namespace, helm.parsed.words[0])
    wanted = helm.parsed.value("revision", "0")
    if wanted == "0":
        return revisions[-1]
    match = next((r for r in revisions if str(r.revision) == wanted), None)
    if match is None:
        raise HelmError("release: not found")
    return match


def _shown(output: str, rows: list[dict[str, Any]], heads: tuple[str, ...]) -> Answer:
    if output == "json":
        return Answer(stdout=json.dumps(rows, separators=(",", ":"), ensure_ascii=False) + "\n")
    if output == "yaml":
        return Answer(stdout=to_yaml(rows) + "\n")
    if output not in ("", "table"):
        raise HelmError(f'invalid argument "{output}" for "-o, --output" flag: invalid format type')
    table: list[tuple[str, ...]] = [heads, *(tuple(str(value) for value in row.values()) for row in rows)]
    widths = [max(len(line[n]) for line in table) for n in range(len(heads))]
    lines = ["\t".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) for line in table]
    return Answer(stdout="".join(f"{line}\n" for line in lines))
