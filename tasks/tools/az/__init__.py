"""The Azure CLI: who is logged in, whether the login is alive, the cluster's credentials, the registry's login."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.core.config.settings import Settings
from tasks.core.errors import Absent, Blocked, TimedOut, ToolError
from tasks.core.plan.change import Change
from tasks.core.process.tool import Done, Tool, clean
from tasks.core.signatures import LOGIN
from tasks.tools import base

_ERROR = re.compile(r"^ERROR: (?!The command failed with an unexpected error)(.+)$", re.MULTILINE)
_LOGGED_OUT = re.compile(r"(?i)please run:? ?['`\"]?az login|run ['`\"]az login|MSAL token cache|token from MSAL cache")


@dataclass(frozen=True)
class Account:
    """A subscription that the login sees. kind: user or servicePrincipal; domain: of the tenant, may be empty."""

    user: str
    kind: str
    subscription: str
    subscription_name: str
    tenant: str
    domain: str = ""
    default: bool = False


class LoginNeeded(Blocked):
    """There is no login that works. code: the AADSTS code, empty for none."""

    def __init__(self, what: str, *, why: str = "", fix: str = LOGIN, aadsts: str = "") -> None:
        self.aadsts = aadsts
        super().__init__(what, why=why, fix=fix)

    @property
    def mended_by_login(self) -> bool:
        """Does a new login help? Not against a missing consent or role."""
        return self.fix.startswith(LOGIN)


def tool(s: Settings) -> Tool:
    """az with the session's environment; a call of it costs 0.5 to 2 s."""
    return base.tool(s, "az", timeout=s.deadlines.az)


def accounts() -> tuple[Account, ...]:
    """What `az account list` would say, read from az's own profile: 1 ms instead of a second. Empty: nobody is logged in.

    The profile says nothing about whether the login is alive.
    """
    folder = os.environ.get("AZURE_CONFIG_DIR") or "~/.azure"
    try:
        content = (Path(folder).expanduser() / "azureProfile.json").read_bytes()
        listed = json.loads(content.decode("utf-8-sig"))["subscriptions"]  # az writes it with a byte order mark
    except (OSError, ValueError, KeyError, TypeError):
        return ()  # az too takes a broken profile for none
    return tuple(_account(item) for item in listed if isinstance(item, dict)) if isinstance(listed, list) else ()


def account(s: Settings) -> Account:
    """The login's account for these settings. Raises LoginNeeded for none, Blocked for one of another tenant."""
    found = accounts()
    current = next((one for one in found if one.default), None)
    if current is None:
        if found:
            raise Blocked(
                "az has no default subscription", fix=f"az account set --subscription {found[0].subscription}"
            )
        raise LoginNeeded("nobody is logged in to Azure")
    wanted = s.azure.subscription.lower()
    chosen = next((o for o in found if wanted in {o.subscription.lower(), o.subscription_name.lower()}), None)
    if wanted and chosen is None:
        raise LoginNeeded(
            f"the subscription '{s.azure.subscription}' is not among those of {current.user}",
            why=f"the login sees {', '.join(o.subscription_name or o.subscription for o in found[:5])}",
            fix=f"{LOGIN} with the right account; or correct azure.subscription in config/settings.local.yaml",
        )
    chosen = chosen or current
    tenant = s.azure.tenant.lower()
    if tenant and tenant not in {chosen.tenant.lower(), chosen.domain.lower()}:
        raise LoginNeeded(
            f"{chosen.user} is logged in to the tenant {chosen.domain or chosen.tenant}, not to {s.azure.tenant}",
            fix=f"{LOGIN} with an account of {s.azure.tenant}",
        )
    if chosen.tenant != current.tenant:  # kubelogin asks az for a token in the tenant of az's default subscription
        raise Blocked(
            f"az's default subscription '{current.subscription_name}' is in another tenant than '{chosen.subscription_name}'",
            why="kubelogin takes the token of the default subscription's tenant",
            fix=f"az account set --subscription {chosen.subscription}",
        )
    return chosen


def token_expiry(s: Settings) -> float:
    """When the cluster's token runs out, in seconds since the epoch; the token itself is never read.

    The real test of a login: it is what kubelogin asks for. Raises LoginNeeded when Entra refuses, else ToolError.
    """
    args = ("account", "get-access-token", "--resource", s.azure.server_id, "--query", "expires_on", "--output", "json")
    done = tool(s).call(*args)
    if done.exit != 0:
        raise _login_error(failed(s, args, done))
    try:
        return float(json.loads(done.stdout or "null"))
    except (ValueError, TypeError):  # az before 2.54 has no expires_on; that it answered is what counts
        return time.time() + 300


def cluster_credentials(s: Settings) -> str:
    """The cluster's kubeconfig as az prints it: a read, no file is touched.

    Exit code 0 proves nothing (az 2.79 and later tries to run kubelogin in the folder ''): whoever calls this reads
    the text. Raises LoginNeeded when Entra refuses, Blocked when a role or the cluster is missing, else ToolError.
    """
    args = credentials_args(s)
    done = tool(s).call(*args)
    if done.exit != 0:
        why = failed(s, args, done)
        if done.exit == 3 or "AuthorizationFailed" in done.stderr or "ubscription '" in done.stderr:
            raise Blocked(why.what, why=why.why, fix=why.fix)
        raise _login_error(why)
    return done.stdout


def credentials_args(s: Settings) -> tuple[str, ...]:
    """The arguments of the read above. --overwrite-existing keeps az from asking, whatever the target."""
    return (
        "aks", "get-credentials",
        "--resource-group", s.cluster.resource_group,
        "--name", s.cluster.name,
        "--overwrite-existing",
        "--file", "-",
        *subscription(s),
    )  # fmt: skip


def registry_login(s: Settings) -> Change[object]:
    """Log Docker in to the registry. az looks for the Docker engine first, and the login lives for 3 hours."""
    args = ("acr", "login", "--name", registry_name(s), *subscription(s))

    def run() -> None:
        done = tool(s).call(*args, timeout=s.deadlines.az + s.deadlines.docker)
        if done.exit != 0:
            raise _login_error(failed(s, args, done))

    return Change(f"log Docker in to {s.registry.host}", ("az", *args), run)


def registry_name(s: Settings) -> str:
    """The name of the registry as az wants it: the first label of its host, in lower case."""
    return s.registry.host.split(".")[0].lower()


def subscription(s: Settings) -> tuple[str, ...]:
    """The flag that pins the subscription; none when the login's default is meant. `account set` is never called."""
    return ("--subscription", s.azure.subscription) if s.azure.subscription else ()


def failed(s: Settings, args: tuple[str, ...], done: Done) -> ToolError:
    """The error with az's own `ERROR:` line: what follows it is advice for another program's user."""
    plain = tool(s).failed(args, done)
    lines = _ERROR.findall(done.stderr)
    if not lines:
        return plain
    said = clean(lines[-1].split(" Trace ID:")[0])[:300]
    verbs = " ".join(word for word in args[:3] if not word.startswith("-"))
    return plain.reworded(f"az {verbs}: {said}")


def _login_error(why: ToolError) -> ToolError | LoginNeeded:
    """LoginNeeded when Entra refused or nobody is logged in; what is no matter of the login stays as it is."""
    if isinstance(why, Absent | TimedOut):
        return why
    codes = re.findall(r"AADSTS(\d+)", why.output)
    if codes:
        # MSAL keeps Entra's refusals for a minute on disk: the same question gets the same answer, unasked
        return LoginNeeded(f"Entra refuses the token: {why.what}", why=why.why, fix=why.fix, aadsts=codes[0])
    if _LOGGED_OUT.search(why.output):
        return LoginNeeded(why.what, why=why.why, fix=why.fix or LOGIN)
    return why


def _account(item: dict[str, Any]) -> Account:
    user = item.get("user") or {}
    return Account(
        user=str(user.get("name", "")),
        kind=str(user.get("type", "")),
        subscription=str(item.get("id", "")),
        subscription_name=str(item.get("name", "")),
        tenant=str(item.get("tenantId", "")),
        domain=str(item.get("tenantDefaultDomain") or ""),
        default=bool(item.get("isDefault")),
    )
