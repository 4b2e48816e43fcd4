"""The Azure CLI: who is logged in, whether the login still works, the cluster's credentials, the registry's login."""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from tasks.core import regular_file, strict_json
from tasks.core.config.settings import Settings
from tasks.core.entra import LOGIN, login_helps
from tasks.core.errors import Absent, Blocked, TimedOut, ToolError, Trouble
from tasks.core.plan.change import Change
from tasks.core.process.output import clean
from tasks.core.process.tool import Command, Done, Tool
from tasks.core.repository import LOCAL_SETTINGS
from tasks.tools import base

_ERROR = re.compile(r"^ERROR: (?!The command failed with an unexpected error)(.+)$", re.MULTILINE)
_NO_SUCH_RESOURCE = 3  # the exit code of `az aks get-credentials`, recorded in az-2.91.0.yaml
_NOT_ALLOWED = re.compile(r"AuthorizationFailed|ubscription '")  # a role is missing, or the subscription is not visible
_LOGGED_OUT = re.compile(r"(?i)please run:? ?['`\"]?az login|run ['`\"]az login|MSAL token cache|token from MSAL cache")


@dataclass(frozen=True)
class Account:
    """A subscription that the login sees."""

    user: str
    kind: str
    """az's word: user or servicePrincipal."""

    subscription: str
    subscription_name: str
    tenant: str
    domain: str = ""
    """The default domain of the tenant; az does not know every tenant's."""

    default: bool = False
    """It is the one that `az account set` chose."""


class LoginNeeded(Blocked):
    """No login works.

    aadsts: Entra's code for the refusal, empty without one
    login_helps: a new login fixes it; it does not give a missing consent or role
    """

    def __init__(
        self, what: str, *, why: str = "", fix: str = LOGIN, aadsts: str = "", login_helps: bool = True
    ) -> None:
        self.aadsts, self.login_helps = aadsts, login_helps
        super().__init__(what, why=why, fix=fix)


def tool(s: Settings) -> Tool:
    """Return az with the session's environment. A call takes 0.5 to 2 s."""
    return base.tool(s, "az", timeout=s.deadlines.az)


def accounts() -> tuple[Account, ...]:
    """Return what `az account list` would say, empty when nobody is logged in. The login may have expired.

    It is read from az's own profile, in 1 ms instead of a second.
    """
    folder = os.environ.get("AZURE_CONFIG_DIR") or "~/.azure"
    try:
        content = regular_file.text(Path(folder).expanduser() / "azureProfile.json")  # az writes a byte order mark
        listed = strict_json.mapping(content)["subscriptions"]
    except (OSError, ValueError, KeyError, TypeError):
        return ()  # az too treats a broken profile as empty
    return tuple(_account(item) for item in listed if isinstance(item, dict)) if isinstance(listed, list) else ()


def account(s: Settings) -> Account:
    """Return the login's account for these settings. Raises LoginNeeded without one, Blocked for another tenant."""
    seen = accounts()
    current = _default(seen)
    chosen = _chosen(s, seen, current)
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


def _default(seen: tuple[Account, ...]) -> Account:
    """The account that az uses. Raises LoginNeeded or Blocked without one."""
    current = next((account for account in seen if account.default), None)
    if current is not None:
        return current
    if seen:
        raise Blocked("az has no default subscription", fix=f"az account set --subscription {seen[0].subscription}")
    raise LoginNeeded("nobody is logged in to Azure")


def _chosen(s: Settings, seen: tuple[Account, ...], current: Account) -> Account:
    """The account of the subscription in the settings, else the current one. Raises LoginNeeded when it is not seen."""
    wanted = s.azure.subscription.lower()
    if not wanted:
        return current
    for account in seen:
        if wanted in {account.subscription.lower(), account.subscription_name.lower()}:
            return account
    raise LoginNeeded(
        f"the subscription '{s.azure.subscription}' is not among those of {current.user}",
        why=f"the login sees {', '.join(account.subscription_name or account.subscription for account in seen[:5])}",
        fix=f"{LOGIN} with the right account; or correct azure.subscription in {LOCAL_SETTINGS}",
    )


def token_expiry(s: Settings, timeout: float | None = None) -> float:
    """Return when the cluster's token expires, in seconds since the epoch. The token itself is never read.

    timeout: seconds, by default those of the settings

    This is the real test of a login: kubelogin asks for the same. Raises LoginNeeded when Entra refuses, else ToolError.
    """
    command = tool(s)["account", "get-access-token", "--resource", s.azure.server_id]
    command = command["--query", "expires_on", "--output", "json"]
    done = command.call(timeout=timeout)
    if done.exit != 0:
        raise _login_error(failed(command, done))
    try:
        return float(strict_json.loads(done.stdout or "null"))
    except (ValueError, TypeError, OverflowError):  # az before 2.54 has no expires_on; it answered, so the login works
        return time.time() + 300


def quoted_refusal(s: Settings, said: str) -> Trouble | None:
    """Return Entra's refusal that another program quotes from az, as if az had been asked; None without one.

    kubelogin does: `Error: failed to get token: AzureCLICredential: ERROR: AADSTS70043: ...` (kubectl-70043.yaml).
    """
    at = said.find("ERROR: AADSTS")
    if at < 0:
        return None
    return _login_error(failed(tool(s)["account", "get-access-token"], Done(1, "", said[at:], 0.0)))


def cluster_credentials(s: Settings) -> str:
    """Return the cluster's kubeconfig as az prints it. No file is written.

    Exit code 0 proves nothing, because az 2.79 and later tries to run kubelogin in the folder '': the caller checks the
    text. Raises LoginNeeded when Entra refuses, Blocked when a role or the cluster is missing, else ToolError.
    """
    command = tool(s)[credentials_args(s)]
    done = command.call()
    if done.exit == 0:
        return done.stdout
    why = failed(command, done)
    if done.exit == _NO_SUCH_RESOURCE or _NOT_ALLOWED.search(done.stderr):
        raise Blocked(why.what, why=why.why, fix=why.fix)
    raise _login_error(why)


def credentials_args(s: Settings) -> tuple[str, ...]:
    """Return the arguments of this read. Without --overwrite-existing az may ask, whatever the target is."""
    return (
        "aks", "get-credentials",
        "--resource-group", s.cluster.resource_group,
        "--name", s.cluster.name,
        "--overwrite-existing",
        "--file", "-",
        *subscription(s),
    )  # fmt: skip


def registry_login(s: Settings) -> Change[None]:
    """Log Docker in to the registry. az looks for the Docker engine first, and the login lasts 3 hours."""
    command = tool(s)["acr", "login", "--name", registry_name(s), *subscription(s)]

    def run() -> None:
        done = command.call(timeout=s.deadlines.az + s.deadlines.docker)
        if done.exit != 0:
            raise _login_error(failed(command, done))

    return Change(f"log Docker in to {s.registry.host}", command.argv, run)


def registry_name(s: Settings) -> str:
    """Return the name of the registry as az expects it: the first label of its host, in lower case."""
    return s.registry.host.split(".")[0].lower()


def subscription(s: Settings) -> tuple[str, ...]:
    """Return the flag that pins the subscription, nothing for the login's default. `account set` is never called."""
    return ("--subscription", s.azure.subscription) if s.azure.subscription else ()


def failed(command: Command, done: Done) -> ToolError:
    """Return the error with az's own `ERROR:` line. The lines after it are advice for users of az itself."""
    plain = command.failed(done)
    lines = _ERROR.findall(done.stderr)
    if not lines:
        return plain
    said = clean(lines[-1].split(" Trace ID:")[0])[:300]
    verbs = takewhile(lambda word: not word.startswith("-"), command.argv[1:4])  # `az role assignment list` has three
    return plain.reworded(f"{' '.join(('az', *verbs))}: {said}")


def _login_error(why: ToolError) -> ToolError | LoginNeeded:
    """LoginNeeded when Entra refused or nobody is logged in; every other error as it is."""
    if isinstance(why, Absent | TimedOut):
        return why
    codes = re.findall(r"AADSTS(\d+)", why.output)
    if codes:
        # MSAL caches a refusal of Entra for a minute on disk: the same question gets the same answer meanwhile.
        return LoginNeeded(
            f"Entra refuses the token: {why.what}",
            why=why.why,
            fix=why.fix,
            aadsts=codes[0],
            login_helps=login_helps(codes[0]),
        )
    if _LOGGED_OUT.search(why.output):
        return LoginNeeded(why.what, why=why.why, fix=why.fix or LOGIN)
    return why


def _account(item: dict[str, Any]) -> Account:
    user = item.get("user")
    user = user if isinstance(user, dict) else {}
    return Account(
        user=str(user.get("name", "")),
        kind=str(user.get("type", "")),
        subscription=str(item.get("id", "")),
        subscription_name=str(item.get("name", "")),
        tenant=str(item.get("tenantId", "")),
        domain=str(item.get("tenantDefaultDomain") or ""),
        default=bool(item.get("isDefault")),
    )
