"""What `inv aks.check`, `inv argo.check` and `inv devcontainer.check` call."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tasks.checks import argo, cluster, workload
from tasks.checks.devcontainer import files as container_files
from tasks.checks.devcontainer import machine
from tasks.checks.finding import Finding, limit_deadlines, warning
from tasks.checks.report import report
from tasks.core.config.catalogue import Service, catalogue
from tasks.core.config.settings import Settings
from tasks.core.errors import Trouble
from tasks.core.plan.change import perform
from tasks.tools import kubeconfig, kubectl


def check_cluster(s: Settings, *, json: bool, check: bool) -> None:
    """Check every requirement of the cluster."""
    about = {"cluster": s.cluster.name, "context": s.cluster.context}
    report(cluster.look(s), json=json, check=check, about=about)


def check_container(s: Settings, *, files: str, json: bool, check: bool) -> None:
    """Check this machine, or the files of a `.devcontainer` folder."""
    if files:
        path = Path(files)
        if not path.exists():
            raise Trouble(f"{files} does not exist", fix="inv devcontainer.check --files .devcontainer")
        findings = container_files.look(s, path if path.is_dir() else path.parent)
    else:
        findings = machine.look(s, machine.Machine.this())
    report(findings, json=json, check=check, about={"looked_at": files or "this machine"})


def check_argo(s: Settings, name: str, *, json: bool, check: bool) -> None:
    """Check Argo CD for one service of the catalogue, or for all of them that are in the cluster."""
    services = [catalogue().named(name, "argo.check")] if name else catalogue().services
    s = limit_deadlines(s, cluster.SECONDS / 3)
    freeze = kubeconfig.freeze(s)
    if freeze is not None:
        perform(freeze)
    objects = kubectl.get(s, "deployments,statefulsets,services,pods")
    state = argo.read(s)
    findings: list[Finding] = []
    for service in services:
        findings += _service_findings(s, service, objects, state, required=bool(name))
    report(findings, json=json, check=check, about={"namespace": s.cluster.namespace})


def _service_findings(
    s: Settings, service: Service, objects: list[kubectl.Object], state: argo.Argo, *, required: bool
) -> list[Finding]:
    """Return the findings about one service. required: raise Trouble when it is not in the cluster."""
    try:
        located = workload.locate(objects, service.workload_names, s.cluster.namespace)
    except Trouble as why:
        if required:
            raise
        return [warning(service.name, why.what, fix=why.fix)]
    return [replace(f, subject=f"{service.name}: {f.subject}") for f in argo.findings(s, located, state)]
