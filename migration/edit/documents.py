"""Sections for the documents of core, generated from the suite's tables: settings, services, failure signatures.

The settings are those in core, without the overrides of this workstation, so that every run writes the same text.
"""

from __future__ import annotations

import re
from typing import Any

from migration.edit.telepresence_helper import calls_the_suite
from migration.simulation import Simulation
from tasks.core.errors import Trouble
from tasks.core.repository import CONFIG, repository_root
from tasks.core.yaml.bounded import loader

_REPLACES = "There is no local cluster. Where another passage of this page starts one, this section replaces it."


def _yaml(simulation: Simulation, name: str) -> dict[str, Any]:
    """A configuration file as core has it in the simulation; without one, the suite's own."""
    import yaml

    path = f"{simulation.config}/{name}"
    data = simulation.core.text(path)
    if data is None:
        data = (repository_root() / CONFIG / name).read_bytes()
    try:
        content = yaml.load(data, Loader=loader())
    except yaml.YAMLError as why:
        raise Trouble(f"{path} in core is not YAML: {str(why).splitlines()[0]}", fix=f"correct {path}") from None
    return content if isinstance(content, dict) else {}


def telepresence(simulation: Simulation) -> str:
    """Daily use (connect, intercept, leave), and the names of the services."""
    settings = _yaml(simulation, "settings.yaml")
    cluster, header = settings["cluster"], settings.get("telepresence", {}).get("header", "")
    rows = [_service_row(service) for service in _yaml(simulation, "services.yaml").get("services", [])]
    return "\n".join(
        [
            "## The shared cluster",
            "",
            f"There is one cluster for development, `{cluster['name']}`, namespace `{cluster['namespace']}`. You need no local cluster.",
            "",
            "```bash",
            "inv setup                          # tools, login, credentials, registry, connection",
            "inv intercept SERVICE              # run the service here with the pod's environment; it gets the traffic",
            "inv leave SERVICE                  # end the intercept (also happens when the command ends)",
            "inv status                         # show the state, and who intercepts what",
            "inv down                           # delete what this workstation created",
            "```",
            "",
            *_script(simulation),
            f"With your own slot (`telepresence.slot`), only requests with the header `{header}` reach you.",
            "",
            "| service | port | Tilt release |",
            "|---|---|---|",
            *rows,
        ]
    )


def _script(simulation: Simulation) -> list[str]:
    """The team's own script, which calls these tasks too."""
    path = simulation.mapping.telepresence_script
    is_helper = path and calls_the_suite(simulation.core.text(path) or b"")
    return [f"`{path} VERB` calls the same tasks; `{path} help` lists its verbs.", ""] if is_helper else []


def _service_row(service: dict[str, Any]) -> str:
    ports = ", ".join(str(port["port"]) for port in service.get("ports", []))
    return f"| `{service['name']}` | {ports or 'none: a worker'} | `{service['release']}` |"


def start(simulation: Simulation) -> str:
    """How to start; the section of the README."""
    settings = _yaml(simulation, "settings.yaml")
    budgets = settings.get("budgets", {})
    return "\n".join(
        [
            "## Develop against the shared cluster",
            "",
            "Open the repository in its dev container, or run `./scripts/inv setup` on a machine with the tools. Then:",
            "",
            "| to | run |",
            "|---|---|",
            "| send a service's traffic to your code | `inv intercept SERVICE` |",
            "| build and deploy the real container next to the baseline | `inv tilt.up --only SERVICE` |",
            "| find out what is wrong | `inv status`; for the cluster `inv aks.check`, for the container `inv devcontainer.check` |",
            "",
            f"From clone to a running service takes less than {budgets.get('clone_to_running', 600)} s. You need a network",
            "connection. To change the infrastructure, open a pull request in the gitops repository.",
            "",
            _REPLACES,
        ]
    )


def container(script: str) -> str:
    """How the dev container starts; the section of its README. script: the one that it runs when it is created"""
    return "\n".join(
        [
            "## Start",
            "",
            f"When the container is created, `{script}` runs `inv setup`. It never prompts; every new terminal shows what is",
            "still missing. In the first terminal:",
            "",
            "```bash",
            "inv aks.login",
            "inv setup",
            "```",
            "",
            _REPLACES,
        ]
    )


def troubleshooting(simulation: Simulation) -> str:
    """The failures that the suite recognises."""
    from tasks.core import entra, signatures

    folders = f"{CONFIG}/settings", f"{simulation.config}/settings"  # the fixes name files of the suite that runs
    rows = [
        f"| {_cell(', '.join(signature.tools) or 'any')} | {_cell(signature.why)} | {_cell(signature.fix.replace(*folders))} |"
        for signature in signatures.SIGNATURES
    ]
    codes = [
        f"| AADSTS{code} | {_cell(refusal.why)} | {_cell(refusal.fix.replace(*folders))} |"
        for code, refusal in entra.AADSTS.items()
    ]
    return "\n".join(
        [
            "## Troubleshooting",
            "",
            "A failed command shows which of these it was. `inv status`, `inv aks.check` and `inv devcontainer.check` find them earlier.",
            "",
            "| tool | cause | fix |",
            "|---|---|---|",
            *dict.fromkeys(rows),
            "",
            "| login error | cause | fix |",
            "|---|---|---|",
            *codes,
        ]
    )


def access(simulation: Simulation) -> str:
    """The access that a developer needs."""
    settings = _yaml(simulation, "settings.yaml")
    cluster, registry = settings["cluster"], settings["registry"]
    return "\n".join(
        [
            "## Access",
            "",
            "Ask the administrator of the Azure subscription for:",
            "",
            f"1. an account in the tenant (Microsoft Entra ID, formerly Azure AD) that can log in to `{cluster['name']}`;",
            f"2. on the cluster (resource group `{cluster['resource_group']}`): *Azure Kubernetes Service Cluster User Role*, and in the",
            f"   namespace `{cluster['namespace']}` edit permission (*Azure Kubernetes Service RBAC Writer*, or the role `edit`);",
            f"3. on the registry `{registry['host']}`: to push images with Tilt, *AcrPush*; to pull, *AcrPull*.",
            "",
            "```bash",
            "inv aks.login          # log in: browser, device code, managed identity or federated token",
            "inv aks.credentials    # write the context to your kubeconfig",
            "inv aks.check          # show which of the above is missing",
            "```",
        ]
    )


def _cell(text: str) -> str:
    """The text for a table. A placeholder such as {name}, which a failure fills in, is shown as NAME."""
    text = re.sub(r"\{(\w+)\}", lambda match: match[1].upper(), text)
    return text.replace("|", "\\|").replace("\n", " ")
