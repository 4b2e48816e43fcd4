"""What `inv aks.check`, `inv argo.check` and `inv devcontainer.check` do."""

from __future__ import annotations

from pathlib import Path

from tasks.checks import argo, cluster, workload
from tasks.checks.devcontainer import files as container_files
from tasks.checks.devcontainer import machine
from tasks.checks.finding import Finding, State, within
from tasks.checks.report import report
from tasks.core.config.catalogue import Service, catalogue
from tasks.core.config.settings import Settings
from tasks.core.errors import Trouble
from tasks.core.plan.change import perform
from tasks.tools import kubeconfig, kubectl


def of_cluster(s: Settings, *, json: bool, check: bool) -> None:
    """Every requirement of the cluster."""
    report(cluster.look(s), json=json, check=check, about={"cluster": s.cluster.name, "context": s.cluster.context})


def of_container(s: Settings, *, files: str, json: bool, check: bool) -> None:
    """This machine, or the files of a `.devcontainer` folder."""
    if files:
        folder = Path(files)
        if not folder.exists():
            raise Trouble(f"{files} is not there", fix="inv devcontainer.check --files .devcontainer")
        found = container_files.look(s, folder if folder.is_dir() else folder.parent)
    else:
        found = machine.look(s, machine.Machine.this())
    report(found, json=json, check=check, about={"looked_at": files or "this machine"})


def of_argo(s: Settings, name: str, *, json: bool, check: bool) -> None:
    """Argo CD and one service of the catalogue, or all of them that the cluster has."""
    wanted = [catalogue().named(name, "argo.check")] if name else catalogue().services
    s = within(s, cluster.SECONDS / 3)
    freeze = kubeconfig.freeze(s)
    if freeze is not None:
        perform(freeze)
    objects = kubectl.get(s, "deployments,statefulsets,services,pods")
    known = argo.read(s)
    found: list[Finding] = []
    for service in wanted:
        found += _of_service(s, service, objects, known, alone=bool(name))
    report(found, json=json, check=check, about={"namespace": s.cluster.namespace})


def _of_service(
    s: Settings, service: Service, objects: list[kubectl.Object], known: argo.Argo, *, alone: bool
) -> list[Finding]:
    try:
        place = workload.place(objects, service.workload_names, s.cluster.namespace)
    except Trouble as why:
        if alone:
            raise
        return [Finding(service.name, State.WARN, why.what, fix=why.fix)]
    return [
        Finding(f"{service.name}: {f.subject}", f.state, f.text, f.fix, f.patch) for f in argo.findings(s, place, known)
    ]
