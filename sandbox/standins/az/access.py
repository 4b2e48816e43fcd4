"""az version and az role."""

from __future__ import annotations

from typing import Any

from sandbox.standins.az.session import Session

VERSION = "2.91.0"
_ROLES = {"edit": "Azure Kubernetes Service RBAC Writer", "admin": "Azure Kubernetes Service RBAC Cluster Admin"}


def version(az: Session) -> Any:
    """The versions as JSON."""
    return {"azure-cli": VERSION, "azure-cli-core": VERSION, "azure-cli-telemetry": "1.1.0", "extensions": {}}


def version_text(az: Session) -> str:
    """`az --version`."""
    return (
        f"azure-cli                         {VERSION}\n\ncore                              {VERSION}\n"
        "telemetry                          1.1.0\n\nDependencies:\nmsal                              1.39.0\n"
        f"azure-mgmt-resource               24.0.0\n\nConfig directory '{az.profile.folder}'\n\n"
        "Legal docs and information: aka.ms/AzureCliLegal\n\n\n"
    )


def role_assignments(az: Session) -> Any:
    """The role assignments of the account or the assignee, derived from its role in the cluster."""
    account = az.arm()
    name = az.parsed["assignee"] or account["user"]["name"]
    person = az.world.person(name) or next((u for u in az.world.users.values() if u.oid == name), None)
    if person is None or az.fault("arm-denied"):
        return []
    given = [] if az.fault("rbac") or person.role == "none" else [_ROLES[person.role]]
    given.append("Azure Kubernetes Service Cluster User Role")
    if not az.fault("registry-role"):
        given += ["AcrPull", "AcrPush"]
    scope = az.cloud.group_scope(az.world.places.resource_group)
    assignments = [
        {
            "principalId": person.oid,
            "principalName": person.name,
            "principalType": "User",
            "roleDefinitionName": role,
            "scope": scope,
            "type": "Microsoft.Authorization/roleAssignments",
        }
        for role in given
    ]
    return [assignment for assignment in assignments if az.parsed["role"] in (None, assignment["roleDefinitionName"])]
