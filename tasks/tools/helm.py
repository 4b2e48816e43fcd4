"""Helm, pinned to the frozen kubeconfig's context and the namespace. A label of a release names its holder."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core import regular_file
from tasks.core.config.settings import Settings
from tasks.core.errors import ToolError, Trouble
from tasks.core.plan.change import Change
from tasks.core.process.tool import Command, Tool
from tasks.core.shape import Shape, must_be
from tasks.core.yaml.bounded import loader
from tasks.tools import api_server, assessed, base, capabilities, kubectl

HOLDER = "held-by"  # a label; Helm keeps it with every revision and can list by it
Object = dict[str, Any]
# They would send Helm to another place than its flags say, or hide releases in another store.
_FOREIGN = (
    "HELM_NAMESPACE",
    "HELM_KUBECONTEXT",
    "HELM_KUBEAPISERVER",
    "HELM_KUBETOKEN",
    "HELM_KUBEASUSER",
    "HELM_DRIVER",
)
_READ = 30.0  # seconds
_NO_RELEASE = "not found"  # `Error: uninstall: Release not loaded: x: release: not found`, Helm 3.22


@dataclass(frozen=True)
class Release:
    """A line of `helm list`."""

    name: str
    status: str
    """Helm's word: deployed, failed, pending-install, pending-upgrade, pending-rollback, uninstalling ..."""

    revision: int
    updated: str = ""
    mine: bool = False
    """Its label names the holder that was asked for."""

    @property
    def stuck(self) -> bool:
        """Did a killed run leave it half-way? Helm then refuses upgrades: `another operation is in progress`."""
        return self.status.startswith("pending-") or self.status == "uninstalling"


class _RenderedMetadata(Shape):
    labels: dict[str, Any] | None = None
    annotations: dict[str, Any] | None = None


class _Rendered(Shape):
    """An object that a chart makes."""

    metadata: _RenderedMetadata | None = None
    spec: dict[str, Any] | None = None


class _DryRun(Shape):
    name: str
    namespace: str
    manifest: str
    hooks: list[dict[str, Any]] | None = None


class _Listed(Shape):
    name: str
    status: str
    revision: int
    updated: str | None = None


def tool(s: Settings) -> Tool:
    """Return helm for this session."""
    place = ("--kube-context", s.cluster.context, "--namespace", s.cluster.namespace)
    return base.tool(s, "helm", *place, timeout=_READ, drop=_FOREIGN)


def releases(s: Settings, holder: str) -> list[Release]:
    """Return all releases of the namespace, whatever their status. Those that `holder` holds are marked.

    Raises ToolError, as Unreachable when the API server cannot be reached.
    """
    known = capabilities.flags(tool(s), "list")
    every = tool(s)["list", *(["--all"] if "all" in known else []), "--max", "0", "--output", "json"]
    with ThreadPoolExecutor(max_workers=2) as pool:  # each call asks the credential plugin, which takes a second
        all_of = pool.submit(_listed, s, every)
        held_by = pool.submit(_listed, s, every["--selector", f"{HOLDER}={holder}"])
        listed, holds = all_of.result(), held_by.result()
    held = {str(r["name"]) for r in holds}
    return [
        Release(str(r["name"]), str(r["status"]), int(r["revision"]), str(r.get("updated", "")), str(r["name"]) in held)
        for r in listed
    ]


def _listed(s: Settings, command: Command) -> list[Object]:
    answer = api_server.ask(s, lambda timeout: command.json(timeout=timeout), name="helm list")
    return must_be(list[_Listed] | None, answer, said="helm list") or []


def holder_of(s: Settings, release: str) -> str:
    """Return the holder of the release, from the label of Helm's own record; empty without one."""
    records = kubectl.get(s, "secrets", selector=f"owner=helm,name={release}")
    labels = [dict((record.get("metadata") or {}).get("labels") or {}) for record in records]
    newest = max(labels, key=_revision, default={})
    return str(newest.get(HOLDER, ""))


def _revision(labels: dict[str, str]) -> int:
    version = labels.get("version") or ""
    return int(version) if version.isdecimal() else 0


def render(s: Settings, release: str, chart: Path, values: Sequence[Path], sets: Sequence[str] = ()) -> list[Object]:
    """Return the objects that the chart makes with these values, without asking a cluster. Raises ToolError."""
    out = tool(s)["template", release, str(chart), *_values(values), *_sets(sets)].run()
    return _objects(out, "helm template", f"correct {chart}")


def planned(s: Settings, argv: Sequence[str], stdin: bytes | None = None) -> tuple[str, str, list[Object]]:
    """Return name, namespace and objects of the release that this install or upgrade would make. Raises ToolError."""
    command = tool(s)[(*argv, "--dry-run=client", "--output", "json")]
    out = command.run(stdin=stdin, timeout=s.tilt.upsert_timeout)  # it may download the chart
    answer = must_be(_DryRun, command.parsed(out), said=command.name)
    manifests = [answer["manifest"], *(str(hook.get("manifest", "")) for hook in answer.get("hooks") or [])]
    objects = _objects("\n---\n".join(manifests), command.name, "correct the chart")
    return str(answer["name"]), str(answer["namespace"]), objects


def _objects(out: str, said: str, fix: str) -> list[Object]:
    import yaml

    try:
        documents = [document for document in yaml.load_all(out, Loader=loader()) if document is not None]
    except yaml.YAMLError as why:
        raise ToolError(
            f"{said}: {str(why).splitlines()[0]}", tool="helm", exit=0, why="it is not YAML", fix=fix
        ) from None
    return [must_be(_Rendered, document, said=said, fix=fix) for document in documents]


def upgrade(
    s: Settings, release: str, chart: Path, values: Sequence[Path], sets: Sequence[str], *, holder: str
) -> Change[str]:
    """Install or upgrade the release and label it with `holder`. Helm refuses objects of another owner."""
    seconds = max(20, int(s.tilt.upsert_timeout) - 10)  # shorter than Tilt's own limit: Tilt would kill the caller
    command = tool(s)["upgrade", "--install", release, str(chart), *_values(values), *_sets(sets)]
    command = command["--labels", f"{HOLDER}={holder}", "--history-max", "5", "--timeout", f"{seconds}s"]
    return base.change(command, f"deploy the release {release} to {s.cluster.namespace}", timeout=seconds + 5)


def uninstall(s: Settings, release: str) -> Change[None]:
    """Delete the release with its objects, one that an interrupted upgrade left too. One that is gone is fine."""
    command = tool(s)["uninstall", release, "--timeout", f"{int(s.tilt.upsert_timeout)}s"]

    def run() -> None:
        assessed.must_be_current(base.frozen_kubeconfig(s))
        done = command.call(timeout=s.tilt.upsert_timeout + 30)
        if done.exit != 0 and _NO_RELEASE not in done.stderr:
            raise command.failed(done)

    text = f"remove the release {release} from {s.cluster.namespace}"
    return Change(text, command.argv, run, f"the release {release} with its objects")


def applied(s: Settings, release: str) -> str:
    """Return the release's objects as the cluster has them, as YAML: Tilt finds their pods by the uids."""
    manifest = tool(s)["get", "manifest", release].run()
    if not manifest.strip():
        return ""
    read = kubectl.tool(s)["get", "--namespace", s.cluster.namespace, "--output", "yaml", "--filename", "-"]
    return read.run(stdin=manifest.encode())


def chart_values(chart: Path, values: Sequence[Path]) -> Object:
    """Return the chart's own values with these files over them, as Helm merges them. Raises Trouble for invalid YAML."""
    import yaml

    merged: Object = {}
    for path in (chart / "values.yaml", *values):
        if path.is_file():
            try:
                document = yaml.load(regular_file.text(path), Loader=loader())
            except (yaml.YAMLError, UnicodeDecodeError, OSError) as why:
                raise Trouble(f"{path} is not YAML: {str(why).splitlines()[0]}", fix=f"correct {path}") from None
            merged = _over(merged, document if isinstance(document, dict) else {})
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
