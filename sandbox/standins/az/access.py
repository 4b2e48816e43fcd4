"""az group, role, ad, config and version: who one is, what one may, and how az is set up."""

from __future__ import annotations

from typing import Any

from sandbox.standins.az.parser import AzError
from sandbox.standins.az.session import Session, arm_error

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


def group_show(az: Session) -> Any:
    """One resource group."""
    az.arm()
    return _group(az, az.asked["name"])


def group_list(az: Session) -> Any:
    """The resource groups."""
    az.arm()
    return [_group(az, name) for name in dict.fromkeys(one.resource_group for one in az.cloud.clusters)]


def group_exists(az: Session) -> Any:
    """true or false, always exit 0."""
    az.arm()
    return az.cloud.is_group(az.asked["name"])


def _group(az: Session, name: str) -> dict[str, Any]:
    if not az.cloud.is_group(name):
        raise arm_error("ResourceGroupNotFound", f"Resource group '{name}' could not be found.", 3)
    real = next(one.resource_group for one in az.cloud.clusters if one.resource_group.lower() == name.lower())
    return {
        "id": az.cloud.group_scope(real),
        "location": az.cloud.location,
        "managedBy": None,
        "name": real,
        "properties": {"provisioningState": "Succeeded"},
        "tags": None,
        "type": "Microsoft.Resources/resourceGroups",
    }


def role_assignments(az: Session) -> Any:
    """What the account, or the assignee, may do: by its role in the cluster."""
    account = az.arm()
    name = az.asked["assignee"] or account["user"]["name"]
    person = az.world.person(name) or next((u for u in az.world.users.values() if u.oid == name), None)
    if person is None or az.fault("arm-denied"):
        return []
    given = [] if az.fault("rbac") or person.role == "none" else [_ROLES[person.role]]
    given.append("Azure Kubernetes Service Cluster User Role")
    if not az.fault("registry-role"):
        given += ["AcrPull", "AcrPush"]
    scope = az.cloud.group_scope(az.world.places.resource_group)
    found = [
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
    return [one for one in found if az.asked["role"] in (None, one["roleDefinitionName"])]


def signed_in_user(az: Session) -> Any:
    """The person; a service principal is none."""
    account = az.account()
    az.token(account, "https://graph.microsoft.com/")
    if account["user"]["type"] != "user":
        raise AzError("/me request is only valid with delegated authentication flow.")
    name = account["user"]["name"]
    words = name.split("@")[0].title()
    return {
        "businessPhones": [],
        "displayName": words,
        "givenName": words,
        "id": az.cloud.oid(name),
        "mail": name,
        "userPrincipalName": name,
    }


def config_get(az: Session) -> Any:
    """One value, one section, or everything."""
    wanted = az.asked["key"]
    settings = az.profile.settings()
    source = str(az.profile.folder / "config")
    if not wanted:
        return {s: [_value(k, v, source) for k, v in values.items()] for s, values in settings.items()}
    section, _, option = wanted.partition(".")
    if not option:
        return [_value(k, v, source) for k, v in settings.get(section, {}).items()]
    found = az.profile.setting(section, option, az.call.env)
    if found is None:
        raise AzError(f"Configuration '{option}' is not set in section '{section}'.")
    return _value(option, found, source)


def _value(name: str, value: str, source: str) -> dict[str, str]:
    return {"name": name, "source": source, "value": value}


def config_set(az: Session) -> Any:
    """Write settings such as core.login_experience_v2=off."""
    for pair in az.asked["key_value"]:
        key, equals, value = pair.partition("=")
        section, dot, option = key.partition(".")
        if not (equals and dot):
            raise AzError(f"Invalid argument format '{pair}'. Expected <section>.<name>=<value>")
        az.profile.set_setting(section, option, value)
        az.wrote = True
    az.warn(
        "Command group 'config' is experimental and under development. Reference and support levels: https://aka.ms/CLI_refstatus"
    )
