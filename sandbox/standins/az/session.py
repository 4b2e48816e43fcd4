"""One call of az: the account, its tokens, and the messages on stderr."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from sandbox.protocol.call import LOGIN_VARIABLE, Call
from sandbox.standins.az import entra
from sandbox.standins.az.cloud import ARM, SERVER_APP, Cloud
from sandbox.standins.az.parser import AzError, Parsed
from sandbox.standins.az.profile import Profile
from sandbox.world.state import User, World

NOT_LOGGED_IN = "Please run 'az login' to setup account."
FILES = threading.RLock()  # so that parallel calls never see half of a change; the token cache has its own lock


@dataclass
class Session:
    """The context of a command. messages: lines for stderr; wrote: whether anything was changed."""

    call: Call
    world: World
    cloud: Cloud
    parsed: Parsed
    profile: Profile
    messages: list[str] = field(default_factory=list)
    wrote: bool = False
    printed: str = ""  # text for stdout that -o and --query do not apply to

    @property
    def owner(self) -> User:
        """The user whose workstation this is."""
        return self.world.user(self.call)

    @property
    def person(self) -> User:
        """The user who enters the code or the password of a login: the owner, unless the test names another."""
        return self.world.user_named(self.call.env.get(LOGIN_VARIABLE) or self.call.user)

    def fault(self, name: str) -> bool:
        """Is this fault on?"""
        return self.world.fault(name)

    def stderr(self) -> str:
        """The messages so far, as text for stderr."""
        return "".join(f"{line}\n" for line in self.messages)

    def warn(self, text: str) -> None:
        """Add a warning unless warnings are off. Off a terminal az prefixes it with WARNING."""
        quiet = self.parsed.values.get("only_show_errors") or _yes(self.call.env.get("AZURE_CORE_ONLY_SHOW_ERRORS", ""))
        if not quiet:
            self.messages.append(text if self.call.tty else f"WARNING: {text}")

    def account(self, wanted: str | None = None) -> dict[str, Any]:
        """The default subscription, or the wanted one. Needs no network and no token. Raises AzError."""
        subscriptions = self.subscriptions()
        if not subscriptions:
            raise AzError(NOT_LOGGED_IN)
        if wanted:
            account = find(subscriptions, wanted)
            if not account:
                raise AzError(f"Subscription '{wanted}' not found. Check the spelling and casing and try again.")
            return account
        active = next((subscription for subscription in subscriptions if subscription.get("isDefault")), None)
        if not active:
            raise AzError("No subscription found. Run 'az account set' to select a subscription.")
        return active

    def subscriptions(self) -> list[dict[str, Any]]:
        """All known subscriptions. A broken file reads as empty, with a message."""
        try:
            return self.profile.subscriptions()
        except ValueError:
            path = self.profile.folder / "azureProfile.json"
            self.messages.append(f"Failed to load or parse file {path}. It will be overridden by default settings.")
            return []

    def arm(self) -> dict[str, Any]:
        """The account of a call to ARM, after checking its token. Raises AzError."""
        wanted = self.parsed.values.get("subscription")
        try:
            account = self.account(wanted)
        except AzError:
            if wanted and self.subscriptions():
                self.warn(f"Subscription '{wanted}' not recognized.")
            raise
        self.token(account, ARM)
        self.reaches("management.azure.com")
        return account

    def reaches(self, host: str) -> None:
        """Raise AzError if this host name does not resolve."""
        if self.fault("dns"):
            raise AzError(
                "The command failed with an unexpected error. Here is the traceback:\nERROR: "
                f"HTTPSConnectionPool(host='{host}', port=443): Max retries exceeded with url: / (Caused by "
                f"NameResolutionError(\"HTTPSConnection(host='{host}', port=443): Failed to resolve '{host}' ([Errno -3] "
                'Temporary failure in name resolution)"))\nTo check existing issues, please visit: '
                "https://github.com/Azure/azure-cli/issues"
            )

    def token(self, account: dict[str, Any], resource: str, scope: str | None = None) -> tuple[str, int]:
        """An access token and its expiry in epoch seconds, cached or from Entra. Raises AzError with the AADSTS code."""
        target = scope or f"{resource}/.default"
        audience = target.removesuffix("/.default")
        name = str(account["user"]["name"])
        home = f"{self.cloud.oid(name)}.{self.cloud.tenant}"
        with FILES:
            credential = self._credential(account, home)
            self._refused(account, credential, audience, target)
            cached = self.profile.tokens.access_token(home, target)
        if cached:
            return str(cached["secret"]), int(cached["expires_on"])
        self.reaches("login.microsoftonline.com")
        token, expires = self.cloud.token(name, audience)
        refresh = self.cloud.renewed(credential)
        self.profile.tokens.add_access(home, account["tenantId"], target, token, expires, refresh)
        return token, expires

    def _credential(self, account: dict[str, Any], home: str) -> str:
        """The account's credential for Entra. Raises AzError if the token cache has none."""
        name = str(account["user"]["name"])
        if account["user"]["type"] == "servicePrincipal":
            if account["user"].get("assignedIdentityInfo"):
                return str(account["user"]["assignedIdentityInfo"])
            if not any(entry.get("client_id") == name for entry in self.profile.service_principals()):
                raise AzError(
                    f"Could not retrieve credential from local cache for service principal {name}. Run `az login` for this "
                    "service principal."
                )
            return name
        if not self.profile.tokens.accounts(name):
            raise AzError(f"User '{name}' does not exist in MSAL token cache. Run `az login`.")
        refresh = self.profile.tokens.refresh_token(home)
        if not refresh:
            raise AzError("Can't find token from MSAL cache.\nTo re-authenticate, please run:\naz login")
        return refresh

    def _refused(self, account: dict[str, Any], credential: str, audience: str, target: str) -> None:
        for code in entra.AT_TOKEN:
            name = f"login-{code}"
            if not self.fault(name):
                self.cloud.fresh(name).clear()
            elif credential not in self.cloud.fresh(name):
                self._refuse(code, account, audience, target)
        if audience == SERVER_APP and self.fault("cluster-token-50076"):
            self._refuse("50076", account, audience, target)

    def _refuse(self, code: str, account: dict[str, Any], audience: str, target: str) -> None:
        tenant = account["tenantId"]
        text = entra.error_description(code, resource=audience, tenant=tenant, user=account["user"]["name"])
        raise entra.login_again(text, tenant=tenant, scope=target)

    def allowed(self, action: str, scope: str) -> None:
        """Raise AuthorizationFailed if the account has no role for this action."""
        if not self.fault("arm-denied"):
            return
        name = self.account()["user"]["name"]
        text = (
            f"The client '{name}' with object id '{self.cloud.oid(name)}' does not have authorization "
            f"to perform action '{action}' over scope '{scope.replace('resourceGroups', 'resourcegroups')}' or the scope is "
            "invalid. If access was recently granted, please refresh your credentials."
        )
        raise arm_error("AuthorizationFailed", text, 1)


def arm_error(code: str, text: str, exit: int) -> AzError:
    """An error of ARM as az prints it."""
    return AzError(f"({code}) {text}\nCode: {code}\nMessage: {text}", exit)


def find(subscriptions: list[dict[str, Any]], wanted: str) -> dict[str, Any] | None:
    """Find a subscription by id or name, ignoring case."""
    for subscription in subscriptions:
        if wanted.lower() in (str(subscription.get("id", "")).lower(), str(subscription.get("name", "")).lower()):
            return subscription
    return None


def _yes(text: str) -> bool:
    return text.lower() in ("1", "y", "yes", "true", "on")
