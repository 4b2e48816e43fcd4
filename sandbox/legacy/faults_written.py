"""Faults in the committed content: copies that differ, unusual files, a live consumer, decoys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sandbox.legacy.archive import EXECUTABLE, FILE, Entry, members
from sandbox.legacy.definition import definition
from sandbox.legacy.model import Draft

VICTIMS = {
    "one-byte": "infra/kubernetes/scripts/run-migrations.sh",
    "mode-bit": "tools/bootstrap/bootstrap-v2.sh",
    "uncommitted": "infra/kubernetes/policies/network/default-deny.yaml",
    "unpushed": "infra/bicep/managed-application/package.sh",
    "unpinned": "infra/environments/staging/bootstrap.yaml",
    "moved-on": "tools/bootstrap/lib/status.sh",
}
"""Fault -> the path of core whose copy it changes. All other copies are correct."""

ODD_NAMES = (
    "new\nline.sh",
    'quo"te.sh',
    "brack[et]s*?.sh",
    " leading blank.sh",
    "tab\there.sh",
    "back\\slash.sh",
    "\udce9t\udce9.sh",  # ISO 8859-1 bytes, which are not valid UTF-8
    "größe.sh",
)


def destination(path: str) -> str:
    """The destination in gitops of a path of core that phase 1 copies; empty if it does not copy it."""
    for source, target in definition().copies:
        if path == source or (source.endswith("/") and path.startswith(source)):
            return target + path.removeprefix(source) if source.endswith("/") else target
    return ""


def copied(draft: Draft) -> None:
    """Do phase 1 by hand: add every copy to gitops and keep the originals."""
    for path, entry in draft.core.items():
        if target := destination(path):
            draft.gitops[target] = entry


def one_byte(draft: Draft) -> None:
    target, entry = _copy_of(draft, "one-byte")
    draft.gitops[target] = replace(entry, data=entry.data.replace(b"database", b"databasE", 1))


def mode_bit(draft: Draft) -> None:
    target, entry = _copy_of(draft, "mode-bit")
    draft.gitops[target] = replace(entry, mode=FILE if entry.mode == EXECUTABLE else EXECUTABLE)


def moved_on(draft: Draft) -> None:
    target, entry = _copy_of(draft, "moved-on")
    draft.gitops_later[target] = replace(entry, data=entry.data + b"# changed in gitops since\n")


def elsewhere(name: str, where: str) -> Callable[[Draft], None]:
    """A fault that moves the victim's copy from the shared commit to another part of the draft."""

    def write(draft: Draft) -> None:
        target, entry = _copy_of(draft, name)
        del draft.gitops[target]
        getattr(draft, where)[target] = entry

    return write


def _copy_of(draft: Draft, fault: str) -> tuple[str, Entry]:
    """The victim's copy. Adds all copies first unless another fault has."""
    target = destination(VICTIMS[fault])
    if destination("tools/bootstrap/README.md") not in draft.gitops:
        copied(draft)
    return target, draft.gitops[target]


def diverged_twins(draft: Draft) -> None:
    path = "infra/bicep/managed-application/modules/aks.bicep"
    entry = draft.core[path]
    larger = entry.data.replace(b"Standard_D2as_v6", b"Standard_D8as_v6").replace(
        b"Standard_D4as_v6", b"Standard_D8as_v6"
    )
    draft.core[path] = replace(entry, data=larger)


def two_sources(draft: Draft) -> None:
    draft.core["tools/bootstrap/configs/dev.yaml"] = Entry(b"env: dev\ncluster: {context: k3d-ameide, type: k3d}\n")


def file_for_folder(draft: Draft) -> None:
    draft.gitops["bootstrap"] = Entry(b"See docs/bootstrap.md.\n")


def odd_names(draft: Draft) -> None:
    for name in ODD_NAMES:
        draft.core[f"infra/kubernetes/scripts/odd/{name}"] = Entry(b"#!/bin/sh\nexit 0\n", EXECUTABLE)
        draft.core[f"services/graph/src/odd/{name}"] = Entry(b"kept\n")


def crlf(draft: Draft) -> None:
    for path in ("Tiltfile", ".devcontainer/devcontainer.json", "README.md", "infra/environments/dev/bootstrap.yaml"):
        entry = draft.core[path]
        draft.core[path] = replace(entry, data=entry.data.replace(b"\n", b"\r\n"))


def bom(draft: Draft) -> None:
    for path in ("Tiltfile", ".devcontainer/devcontainer.json", "README.md", "infra/environments/dev/bootstrap.yaml"):
        entry = draft.core[path]
        draft.core[path] = replace(entry, data=b"\xef\xbb\xbf" + entry.data)


def argo_consumer(draft: Draft) -> None:
    draft.gitops["environments/staging/argocd/applications/legacy-platform.yaml"] = Entry(
        b"""apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: legacy-platform, namespace: argocd}
spec:
  project: default
  source:
    repoURL: https://github.com/ameideio/ameide.git
    targetRevision: main
    path: infra/kubernetes/gitops/argocd/applications
  destination: {server: "https://kubernetes.default.svc", namespace: ameide}
  syncPolicy: {automated: {prune: true, selfHeal: true}}
"""
    )


def decoys(draft: Draft) -> None:
    for member in members("decoys"):
        repository, _, path = member.path.partition("/")
        getattr(draft, repository)[path] = member.fill({})[1]


def team_lines(draft: Draft) -> None:
    _edit(
        draft,
        ".devcontainer/postCreate.sh",
        "create_local_cluster\n  [ -x",
        "create_local_cluster\n" + _TEAM_INSIDE + "  [ -x",
    )
    _edit(draft, ".devcontainer/postCreate.sh", "\nsummary\n", _TEAM_END + "\nsummary\n")


_TEAM_INSIDE = '  touch "${HOME}/.team-seeded" # the support team reads this\n'
_TEAM_END = """
# Support team: a shortcut and a greeting
git config --local alias.last 'log -1 HEAD'
export AMEIDE_SUPPORT_CHANNEL="#dev-support"
log "support: ${AMEIDE_SUPPORT_CHANNEL}"
"""


def broken_tiltfile(draft: Draft) -> None:
    _edit(draft, "Tiltfile", "\nTILT_REMOTE = ", "\nTILT_REMOTE == = ")


def no_default_registry(draft: Draft) -> None:
    _edit(draft, "Tiltfile", "    default_registry(REGISTRY_HOST)\n", "")
    _edit(
        draft,
        "Tiltfile",
        "    default_registry(host=REGISTRY_HOST, host_from_cluster=REGISTRY_HOST_FROM_CLUSTER)\n",
        "",
    )


def terraform(draft: Draft) -> None:
    draft.core["infra/terraform/dns/main.tf"] = Entry(
        b'resource "azurerm_dns_zone" "dev" {\n  name = "dev.ameide.io"\n}\n'
    )
    draft.core["services/platform/k8s/deployment.yaml"] = Entry(
        b"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n"
    )


def _edit(draft: Draft, path: str, old: str, new: str) -> None:
    entry = draft.core[path]
    if old not in entry.text:
        raise ValueError(f"{path} does not hold {old!r}")
    draft.core[path] = replace(entry, data=entry.text.replace(old, new, 1).encode())
