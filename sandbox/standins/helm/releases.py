"""Releases as Helm stores them: revisions, each a Secret labelled owner=helm in the release's namespace."""

from __future__ import annotations

import base64
import gzip
import json
import re
import time
import uuid
from dataclasses import asdict, dataclass, field
from typing import Any

from sandbox.standins.helm.chart import HelmError
from sandbox.standins.helm.objects import Key
from sandbox.world.cluster import Cluster

PENDING = ("pending-install", "pending-upgrade", "pending-rollback")


@dataclass
class Revision:
    """One revision. updated: seconds since the epoch; keys: its objects in the cluster."""

    name: str
    namespace: str
    revision: int
    status: str
    chart: str
    app_version: str
    values: dict[str, Any]
    manifest: str
    notes: str = ""
    description: str = ""
    updated: float = field(default_factory=time.time)
    first: float = 0.0
    keys: list[Key] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)  # from --labels; inherited by the next revision

    def json(self) -> dict[str, Any]:
        """The output of `helm status -o json`."""
        info = {
            "first_deployed": _zulu(self.first or self.updated),
            "last_deployed": _zulu(self.updated),
            "deleted": "",
            "description": self.description,
            "status": self.status,
        }
        if self.notes:
            info["notes"] = self.notes
        document: dict[str, Any] = {"name": self.name, "info": info, "config": self.values, "manifest": self.manifest}
        return {**document, "version": self.revision, "namespace": self.namespace}

    def text(self) -> str:
        """The output of `helm status`."""
        when = time.strftime("%a %b %e %H:%M:%S %Y", time.localtime(self.updated))
        notes = f"NOTES:\n{self.notes}\n" if self.notes else ""
        return (
            f"NAME: {self.name}\nLAST DEPLOYED: {when}\nNAMESPACE: {self.namespace}\nSTATUS: {self.status}\n"
            f"REVISION: {self.revision}\nTEST SUITE: None\n{notes}"
        )

    def row(self) -> dict[str, str]:
        """A row of `helm list`."""
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(self.updated))
        return {
            "name": self.name,
            "namespace": self.namespace,
            "revision": str(self.revision),
            "updated": f"{moment}.{int(self.updated % 1 * 1e9):09d} +0000 UTC",
            "status": self.status,
            "chart": self.chart,
            "app_version": self.app_version,
        }


class Releases:
    """All releases of a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def history(self, namespace: str, name: str) -> list[Revision]:
        """All revisions, oldest first. Raises HelmError for an unknown release."""
        revisions = self.revisions(namespace, name)
        if not revisions:
            raise HelmError("release: not found")
        return revisions

    def revisions(self, namespace: str, name: str) -> list[Revision]:
        """All revisions, oldest first; empty for an unknown release."""
        entry = self._cluster.releases.get((namespace, name)) or {}
        revisions: list[Revision] = entry.get("revisions", [])
        return revisions

    def all(self, namespace: str | None) -> list[Revision]:
        """The newest revision of each release, by name."""
        newest = [
            entry["revisions"][-1] for (where, _), entry in self._cluster.releases.items() if namespace in (None, where)
        ]
        return sorted(newest, key=lambda r: (r.name, r.namespace))

    def add(self, revision: Revision) -> None:
        """Store a new revision."""
        revisions = self.revisions(revision.namespace, revision.name)
        revision.first = revisions[0].updated if revisions else revision.updated
        entry = self._cluster.releases.setdefault((revision.namespace, revision.name), {"revisions": []})
        entry["revisions"].append(revision)
        self.store(revision)

    def settle(self, revision: Revision, status: str, description: str) -> None:
        """Record the end of an operation. A successful one supersedes the deployed revision."""
        revision.status, revision.description = status, description
        for other in self.revisions(revision.namespace, revision.name):
            if status == "deployed" and other is not revision and other.status == "deployed":
                other.status = "superseded"
                self.store(other)
        self.store(revision)

    def store(self, revision: Revision) -> None:
        """Write the revision's Secret."""
        name = f"sh.helm.release.v1.{revision.name}.v{revision.revision}"
        place = ("Secret", revision.namespace, name)
        known = self._cluster.objects.get(place)
        body = json.dumps({k: v for k, v in asdict(revision).items() if k != "keys"})
        packed = base64.b64encode(gzip.compress(body.encode()))
        self._cluster.objects[place] = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "helm.sh/release.v1",
            "metadata": {
                "name": name,
                "namespace": revision.namespace,
                "uid": known["metadata"]["uid"] if known else str(uuid.uuid4()),
                "creationTimestamp": _zulu(revision.updated),
                "labels": {
                    **revision.labels,
                    "modifiedAt": str(int(time.time())),
                    "name": revision.name,
                    "owner": "helm",
                    "status": revision.status,
                    "version": str(revision.revision),
                },
            },
            "data": {"release": base64.b64encode(packed).decode()},
        }

    def forget(self, namespace: str, name: str) -> None:
        """Delete a release with its history."""
        for revision in self.revisions(namespace, name):
            self._cluster.objects.pop(("Secret", namespace, f"sh.helm.release.v1.{name}.v{revision.revision}"), None)
        self._cluster.releases.pop((namespace, name), None)


def check_name(name: str) -> None:
    """Raise HelmError for an invalid release name."""
    pattern = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
    if not re.fullmatch(pattern, name) or len(name) > 53:
        raise HelmError(
            f'release name "{name}": invalid release name, must match regex ^{pattern}$ and the length must not be longer '
            "than 53"
        )


def _zulu(moment: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + f".{int(moment % 1 * 1e9):09d}Z"
