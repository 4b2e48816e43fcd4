"""Texts of the core repository's documents, made from the suite's tables: settings, catalogue, signatures.

They come from the files in core, not from this workstation's overrides, so that everybody's run writes the same.
"""

from __future__ import annotations

import re
from typing import Any

from migration.simulation import Simulation
from tasks.core.repository import repository_root
from tasks.core.yaml.strict import loader


def _yaml(simulation: Simulation, path: str) -> dict[str, Any]:
    """A configuration file as core has it in the simulation, else the suite's own."""
    import yaml

    data = simulation.core.text(path)
    if data is None:
        data = (repository_root() / path).read_bytes()
    found = yaml.load(data, Loader=loader())
    return found if isinstance(found, dict) else {}


def telepresence(simulation: Simulation) -> str:
    """The daily use: connect, intercept, leave; what each service is called."""
    settings = _yaml(simulation, "config/settings.yaml")
    cluster, header = settings["cluster"], settings.get("telepresence", {}).get("header", "")
    rows = [
        f"| `{s['name']}` | {', '.join(str(p['port']) for p in s.get('ports', [])) or 'none: a worker'} | `{s['release']}` |"
        for s in _yaml(simulation, "config/services.yaml").get("services", [])
    ]
    return "\n".join(
        [
            "## The shared cluster",
            "",
            f"There is one cluster for development, `{cluster['name']}`, namespace `{cluster['namespace']}`. No local one is needed.",
            "",
            "```bash",
            "inv setup                          # tools, login, credentials, registry, connection",
            "inv intercept SERVICE              # the service runs here, in the pod's environment, and gets the traffic",
            "inv leave SERVICE                  # give it back (also happens when the command ends)",
            "inv status                         # what there is, and who holds what",
            "inv down                           # undo what this workstation made",
            "```",
            "",
            f"With a slot of your own (`telepresence.slot`) only requests with the header `{header}` come to you.",
            "",
            "| service | port | Tilt's release |",
            "|---|---|---|",
            *rows,
        ]
    )


def start(simulation: Simulation) -> str:
    """The README's section."""
    settings = _yaml(simulation, "config/settings.yaml")
    budgets = settings.get("budgets", {})
    return "\n".join(
        [
            "## Develop against the shared cluster",
            "",
            "Open the repository in its dev container, or run `./scripts/inv setup` on a machine with the tools. Then:",
            "",
            "| what | how |",
            "|---|---|",
            "| your code gets a service's traffic | `inv intercept SERVICE` |",
            "| build and deploy the real container beside the baseline | `inv tilt.up --only SERVICE` |",
            "| what is wrong | `inv status`; of the cluster `inv aks.check`, of the container `inv devcontainer.check` |",
            "",
            f"From clone to a running service takes less than {budgets.get('clone_to_running', 600)} s. There is no work without a",
            "network: the cluster is elsewhere. Infrastructure is changed in the gitops repository, through a pull request there.",
        ]
    )


def troubleshooting(simulation: Simulation) -> str:
    """What the suite knows of failures."""
    from tasks.core import entra, signatures

    rows = [
        f"| {_cell(', '.join(s.tools) or 'any')} | {_cell(s.why)} | {_cell(s.fix)} |" for s in signatures.SIGNATURES
    ]
    codes = [
        f"| AADSTS{code} | {_cell(refusal.why)} | {_cell(refusal.fix)} |" for code, refusal in entra.AADSTS.items()
    ]
    return "\n".join(
        [
            "## Troubleshooting",
            "",
            "A command that fails says which of these it was. `inv status`, `inv aks.check` and `inv devcontainer.check` look before.",
            "",
            "| said by | cause | what to do |",
            "|---|---|---|",
            *dict.fromkeys(rows),
            "",
            "| login error | cause | what to do |",
            "|---|---|---|",
            *codes,
        ]
    )


def access(simulation: Simulation) -> str:
    """Who gets in, and how."""
    settings = _yaml(simulation, "config/settings.yaml")
    cluster, registry = settings["cluster"], settings["registry"]
    return "\n".join(
        [
            "## Access",
            "",
            "You need, from whoever administers the Azure subscription:",
            "",
            f"1. an account in the tenant (Microsoft Entra ID, formerly Azure AD) that may log in to `{cluster['name']}`;",
            f"2. on the cluster (resource group `{cluster['resource_group']}`): *Azure Kubernetes Service Cluster User Role*, and in the",
            f"   namespace `{cluster['namespace']}` the right to edit (*Azure Kubernetes Service RBAC Writer*, or the role `edit`);",
            f"3. on the registry `{registry['host']}`: to push images with Tilt, *AcrPush*; to pull, *AcrPull*.",
            "",
            "```bash",
            "inv aks.login          # the way that fits: browser, device code, managed identity, federated token",
            "inv aks.credentials    # your kubeconfig gets the context",
            "inv aks.check          # says which of the above is missing",
            "```",
        ]
    )


def _cell(text: str) -> str:
    """For a table; what a signature takes from the tool's words is shown in capitals."""
    text = re.sub(r"\{(\w+)\}", lambda m: m[1].upper(), text)
    return text.replace("|", "\\|").replace("\n", " ")
