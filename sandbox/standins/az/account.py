"""az account: the stored login, which needs no network, and access tokens."""

from __future__ import annotations

import time
from typing import Any

from sandbox.standins.az.cloud import ARM
from sandbox.standins.az.login import listed
from sandbox.standins.az.parser import AzError
from sandbox.standins.az.session import FILES, NOT_LOGGED_IN, Session, find

_TYPES = {"arm": ARM, "ms-graph": "https://graph.microsoft.com/", "aad-graph": "https://graph.windows.net/"}


def show(az: Session) -> Any:
    """The default subscription. It succeeds even if the login has expired: az only reads its file."""
    return az.account(az.parsed["subscription"])


def list_(az: Session) -> Any:
    """All subscriptions; an empty list and exit code 0 without a login."""
    subscriptions = az.subscriptions()
    if not subscriptions:
        az.warn('Please run "az login" to access your accounts.')
    return [listed(subscription) for subscription in subscriptions]


def set_(az: Session) -> Any:
    """Make a subscription the default."""
    wanted = az.parsed["subscription"]
    subscriptions = az.subscriptions()
    chosen = find(subscriptions, wanted)
    if not chosen:
        raise AzError(f"The subscription of '{wanted}' doesn't exist in cloud 'AzureCloud'.")
    az.wrote = True
    with FILES:
        az.profile.choose(subscriptions, chosen)


def get_access_token(az: Session) -> Any:
    """A token with its expiry: `expiresOn` in local time without a zone, `expires_on` in epoch seconds."""
    parsed = az.parsed
    if parsed["subscription"] and parsed["tenant"]:
        raise AzError("Please specify only one of subscription and tenant, not both")
    if not az.subscriptions():
        raise AzError(NOT_LOGGED_IN)
    account = az.account(parsed["subscription"])
    if parsed["tenant"] and parsed["tenant"].lower() not in (az.cloud.tenant, az.cloud.domain):
        from sandbox.standins.az.entra import error_description, login_again

        raise login_again(error_description("90002", tenant=parsed["tenant"]), tenant=parsed["tenant"])
    resource = parsed["resource"] or _TYPES.get(parsed["resource_type"] or "arm", ARM)
    token, expires = az.token(account, resource, parsed["scope"][0] if parsed["scope"] else None)
    local = time.strftime("%Y-%m-%d %H:%M:%S.000000", time.localtime(expires))
    answer: dict[str, Any] = {
        "accessToken": token,
        "expiresOn": local,
        "expires_on": expires,
        "subscription": account["id"],
        "tenant": account["tenantId"],
        "tokenType": "Bearer",
    }
    if parsed["tenant"]:
        del answer["subscription"]
    return answer
