"""Helm, pinned to the frozen kubeconfig's context and the namespace. A release says in a label who holds it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core.config.settings import Settings
from tasks.core.errors import ToolError, Trouble
from tasks.core.plan.change import Change
from tasks.core.process.tool import Tool
from tasks.core.yaml.strict import loader
from tasks.tools import base, capabilities, kubectl

HOLDER = "held-by"  # the label of a release; Helm keeps it with every revision, and lists by it
Object = dict[str, Any]
# They would send helm to another place than its flags say, or hide releases in another store.
_FOREIGN = (
    "HELM_NAMESPACE",
    "HELM_KUBECONTEXT",
    "HELM_KUBEAPISERVER",
    "HELM_KUBETOKEN",
    "HELM_KUBEASUSER",
    "HELM_DRIVER",
)
_READ = 30.0


@dataclass(frozen=True)
class Release:
    """status: deployed, failed, pending-install, pending-upgrade, pending-rollback, uninstalling ...
    mine: its label names the holder that was asked for."""

    name: str
    status: str
    revision: int
    updated: str = ""
    mine: bool = False

    @property
    def stuck(self) -> bool:
        """Was it left half way? Helm then refuses every upgrade with `another operation is in progress`."""
        return self.status.startswith("pending-") or self.status == "uninstalling"


def tool(s: Settings) -> Tool:
    """helm for this session."""
    place = ("--kube-context", s.cluster.context, "--namespace", s.cluster.namespace)
    return base.tool(s, "helm", *place, timeout=_READ, drop=_FOREIGN)


def releases(s: Settings, holder: str) -> list[Release]:
    """All releases of the namespace, whatever their status; those that `holder` holds are marked."""
    known = capabilities.flags(tool(s), "list")
    everything = ("list", *(["--all"] if "all" in known else []), "--max", "0", "--output", "json")
    with ThreadPoolExecutor(max_workers=2) as pool:  # each asks the credential plugin, which takes a second
        all_of = pool.submit(tool(s).json, *everything)
        held_by = pool.submit(tool(s).json, *everything, "--selector", f"{HOLDER}={holder}")
        found, held = all_of.result() or [], {str(r["name"]) for r in held_by.result() or []}
    return [
        Release(str(r["name"]), str(r["status"]), int(r["revision"]), str(r.get("updated", "")), str(r["name"]) in held)
        for r in found
    ]


def holder_of(s: Settings, release: str) -> str:
    """Who holds the release, from the label of Helm's own record; empty when it has none."""
    records = kubectl.get(s, "secrets", selector=f"owner=helm,name={release}")
    labels = [dict((record.get("metadata") or {}).get("labels") or {}) for record in records]
    newest = max(labels, key=lambda found: int(found.get("version") or 0), default={})
    return str(newest.get(HOLDER, ""))


def render(s: Settings, release: str, chart: Path, values: Sequence[Path], sets: Sequence[str] = ()) -> list[Object]:
    """The objects that the chart makes with these values. No cluster is asked. Raises ToolError with Helm's reason."""
    import yaml

    out = tool(s).run("template", release, str(chart), *_values(values), *_sets(sets))
    return [found for found in yaml.load_all(out, Loader=loader()) if isinstance(found, dict)]


def upgrade(
    s: Settings, release: str, chart: Path, values: Sequence[Path], sets: Sequence[str], *, holder: str
) -> Change[object]:
    """Install or upgrade the release, held by `holder`. Helm refuses objects that another owner has."""
    seconds = max(20, int(s.tilt.upsert_timeout) - 10)  # done before Tilt kills whoever called, and helm with it
    return tool(s).change(
        f"deploy the release {release} to {s.cluster.namespace}",
        "upgrade",
        "--install",
        release,
        str(chart),
        *_values(values),
        *_sets(sets),
        "--labels",
        f"{HOLDER}={holder}",
        "--history-max",
        "5",
        "--timeout",
        f"{seconds}s",
        timeout=seconds + 5,
    )


def uninstall(s: Settings, release: str) -> Change[object]:
    """Remove the release with its objects; one that is gone is fine. What was left half way can be removed too."""
    args = ("uninstall", release, "--timeout", f"{int(s.tilt.upsert_timeout)}s")
    change = tool(s).change(
        f"remove the release {release} from {s.cluster.namespace}",
        *args,
        destroys=f"the release {release} with its objects",
        timeout=s.tilt.upsert_timeout + 30,
    )

    def run() -> None:
        try:
            change.run()
        except ToolError as why:
            if "not found" not in why.stderr:
                raise

    return Change(change.text, change.argv, run, change.destroys)


def applied(s: Settings, release: str) -> str:
    """The release's objects as they stand in the cluster, as YAML: with the uids by which Tilt finds their pods."""
    manifest = tool(s).run("get", "manifest", release)
    if not manifest.strip():
        return ""
    place = ("--namespace", s.cluster.namespace)
    return kubectl.tool(s).run("get", *place, "--output", "yaml", "--filename", "-", stdin=manifest.encode())


def chart_values(chart: Path, values: Sequence[Path]) -> Object:
    """The chart's own values with these files over them, as Helm merges them. Raises Trouble for what is no YAML."""
    import yaml

    merged: Object = {}
    for path in (chart / "values.yaml", *values):
        if path.is_file():
            try:
                found = yaml.load(path.read_text("utf-8"), Loader=loader())
            except (yaml.YAMLError, UnicodeDecodeError) as why:
                raise Trouble(f"{path} is not YAML: {str(why).splitlines()[0]}", fix=f"mend {path}") from None
            merged = _over(merged, found if isinstance(found, dict) else {})
    return merged


def _over(below: Object, above: Object) -> Object:
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _over(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _values(paths: Sequence[Path]) -> tuple[str, ...]:
    return tuple(word for path in paths for word in ("--values", str(path)))


def _sets(pairs: Sequence[str]) -> tuple[str, ...]:
    return tuple(word for pair in pairs for word in ("--set-string", pair))
