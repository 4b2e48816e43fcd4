"""az login and az logout: device code, browser, service principal, managed identity."""

from __future__ import annotations

import random
import shutil
import string
from pathlib import Path
from typing import Any

from sandbox.standins.az import entra
from sandbox.standins.az.cloud import ARM, made_id
from sandbox.standins.az.parser import AzError
from sandbox.standins.az.session import FILES, Session, find

CLI_APP = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
_TRACEBACK = "The command failed with an unexpected error. Here is the traceback:"
_NO_PASSWORD = "Please specify both username and password in non-interactive mode."
_ANSWERED = 0.3  # seconds until the user has entered the code


def login(az: Session) -> Any:
    """Log in and print the subscriptions. Raises AzError with the text of az or Entra."""
    parsed = az.parsed
    az.wrote = True
    if parsed["identity"]:
        return _identity(az)
    if parsed["service_principal"]:
        return _service_principal(az)
    if parsed["username"] is not None:
        raise AzError(_NO_PASSWORD)
    az.reaches("login.microsoftonline.com")
    _tenant_exists(az)
    name = az.person.name
    if parsed["use_device_code"] or not _browser(az):
        _device_code(az)
    else:
        _in_browser(az)
    _refused(az, name)
    return _user(az, name)


def already(az: Session) -> None:
    """Store the login of a workstation that starts logged in."""
    name = az.cloud.user
    with FILES:
        _keep_login(az, name)
        only = _subscription(az, name, "user", "")
        az.profile.choose([only], only)


def logout(az: Session) -> Any:
    """Log out the active account, or the named one."""
    subscriptions = az.subscriptions()
    active = next((subscription for subscription in subscriptions if subscription.get("isDefault")), None)
    name = az.parsed["username"] or (active and active["user"]["name"])
    if not name:
        raise AzError("There are no active accounts.")
    if not any(subscription["user"]["name"].lower() == name.lower() for subscription in subscriptions):
        raise AzError(f"Account {name} was not found.")
    az.wrote = True
    with FILES:
        az.profile.log_out(name)


def clear(az: Session) -> Any:
    """Remove every login. az says nothing, with and without one."""
    az.wrote = True
    with FILES:
        az.profile.forget()


def _browser(az: Session) -> str | None:
    """The command that opens a page, found as Python's webbrowser does; None if az falls back to a device code."""
    env = az.call.env
    if env.get("CODESPACES") == "true":
        return None
    names = [env["BROWSER"].split(":")[0]] if env.get("BROWSER") else []
    if env.get("DISPLAY") or env.get("WAYLAND_DISPLAY"):
        names.append("xdg-open")
    for name in [*names, "www-browser", "links", "lynx", "w3m"]:
        program = shutil.which(name, path=env.get("PATH", ""))
        if program:
            return name
    return None


def _device_code(az: Session) -> None:
    code = "".join(random.choices(string.ascii_uppercase + string.digits, k=9))
    page = "https://microsoft.com/devicelogin"
    _say(az, f"To sign in, use a web browser to open the page {page} and enter the code {code} to authenticate.")
    while az.fault("device-code-unanswered"):
        az.world.wait(az.call, 0.2)
    az.world.wait(az.call, _ANSWERED)
    for fault, error in (("device-code-expired", "70020"), ("device-code-declined", "50126")):
        if az.fault(fault):
            raise entra.login_again(entra.error_description(error))
    if az.fault("device-code-blocked"):
        raise entra.login_again(entra.error_description("53003"))


def _in_browser(az: Session) -> None:
    command = _browser(az) or ""
    tenant = az.parsed["tenant"] or "organizations"
    page = f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize"
    az.warn(
        f"A web browser has been opened at {page}. Please continue the login in the web browser. If no web browser is "
        "available or if the web browser fails to open, use device code flow with `az login --use-device-code`."
    )
    _flush(az)
    query = (
        f"?client_id={CLI_APP}&response_type=code&redirect_uri=http%3A%2F%2Flocalhost%3A{random.randint(33000, 60000)}"
    )
    az.world.run(az.call, command, (page + query,))
    while az.fault("browser-unanswered"):
        az.world.wait(az.call, 0.2)
    az.world.wait(az.call, _ANSWERED)


def _tenant_exists(az: Session) -> None:
    wanted = az.parsed["tenant"]
    if not wanted or wanted.lower() in (az.cloud.tenant, az.cloud.domain):
        return
    authority = f"https://login.microsoftonline.com/{wanted}"
    description = entra.error_description("90002", tenant=wanted)
    raise AzError(
        f"{_TRACEBACK}\nERROR: Unable to get authority configuration for {authority}. Authority would typically be in a "
        "format of https://login.microsoftonline.com/your_tenant or https://tenant_name.ciamlogin.com or "
        "https://tenant_name.b2clogin.com/tenant.onmicrosoft.com/policy.  Also please double check your tenant name or "
        "GUID is correct.\nTraceback (most recent call last):\nValueError: OIDC Discovery failed on "
        f"{authority}/v2.0/.well-known/openid-configuration. HTTP status: 400, Error: "
        f'{{"error": "invalid_request", "error_description": "{description}", "error_codes": [90002]}}\n'
        "To check existing issues, please visit: https://github.com/Azure/azure-cli/issues"
    )


def _refused(az: Session, name: str) -> None:
    for code in entra.BLOCKED:
        if az.fault(f"login-{code}"):
            raise entra.login_again(entra.error_description(code, user=name, tenant=az.cloud.tenant))


def _user(az: Session, name: str) -> Any:
    _fresh(az, _keep_login(az, name), (*entra.MENDED_BY_LOGIN, *entra.OF_ROBOTS))
    return _subscriptions(az, name, "user")


def _keep_login(az: Session, name: str) -> str:
    """Store the account and the token for ARM with which az lists the subscriptions. Returns the refresh token."""
    account, tenant = f"{az.cloud.oid(name)}.{az.cloud.tenant}", az.cloud.tenant
    refresh = az.profile.tokens.add_login(account, name, tenant, CLI_APP)
    az.profile.tokens.add_access(account, tenant, f"{ARM}/.default", *az.cloud.token(name, ARM))
    return refresh


def _fresh(az: Session, credential: str, codes: tuple[str, ...]) -> None:
    """Record that this login happened while the fault was on: it is not affected."""
    for code in codes:
        if az.fault(f"login-{code}"):
            az.cloud.fresh(f"login-{code}").add(credential)


def _service_principal(az: Session) -> Any:
    parsed, cloud = az.parsed, az.cloud
    name, tenant = parsed["username"], parsed["tenant"]
    if not name:
        raise AzError(_NO_PASSWORD)
    if not tenant:
        raise AzError("A tenant must be specified with `--tenant` when logging in with a service principal.")
    secret, certificate, federated = parsed["password"], parsed["certificate"], parsed["federated_token"]
    if not (secret or certificate or federated):
        raise AzError(_NO_PASSWORD)
    az.reaches("login.microsoftonline.com")
    _tenant_exists(az)
    entry = {"client_id": name, "tenant": cloud.tenant}
    if certificate:
        entry["certificate"] = _certificate(az, certificate)
    elif federated:
        entry["client_assertion"] = federated
    else:
        entry["client_secret"] = secret
    refused = _service_principal_refused(az, name, secret if not (certificate or federated) else None, federated)
    if refused:
        raise refused
    _fresh(az, name, entra.MENDED_BY_LOGIN)
    with FILES:
        az.profile.keep_service_principal(entry)
    return _subscriptions(az, name, "servicePrincipal")


def _service_principal_refused(az: Session, name: str, secret: str | None, federated: str | None) -> AzError | None:
    if name != az.cloud.service_principal:
        return AzError(entra.error_description("700016", user=name, tenant=az.cloud.tenant))
    if federated and (az.fault("login-700024") or federated.count(".") != 2):
        return AzError(entra.error_description("700024"))
    if secret is not None and az.fault("login-7000222"):
        return AzError(entra.error_description("7000222", user=name))
    if secret is not None and (secret != az.cloud.service_principal_secret or az.fault("login-7000215")):
        return AzError(
            f"{entra.error_description('7000215', user=name)}\nThe error may be caused by passing a service principal certificate "
            "with --password. Please note that --password no longer accepts a service principal certificate. To pass a "
            "service principal certificate, use --certificate instead."
        )
    return None


def _certificate(az: Session, given: str) -> str:
    path = Path(az.call.cwd, Path(given.replace("~", az.call.home, 1) if given.startswith("~") else given))
    try:
        text = path.read_text()
    except OSError as why:
        raise AzError(f"{_TRACEBACK}\nERROR: [Errno {why.errno}] {why.strerror}: '{path}'") from None
    if "PRIVATE KEY" not in text:
        raise AzError(f"Invalid certificate: {path} holds no private key.")
    return str(path)


def _identity(az: Session) -> Any:
    if az.parsed["username"] is not None:
        raise AzError(
            "Passing the managed identity ID with --username is no longer supported. Use --client-id, --object-id or "
            "--resource-id instead."
        )
    if not (az.call.env.get("IDENTITY_ENDPOINT") or az.call.env.get("MSI_ENDPOINT")):
        raise AzError(
            f"{_TRACEBACK}\nERROR: HTTPConnectionPool(host='169.254.169.254', port=80): Max retries exceeded with url: "
            "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.core.windows.net%2F "
            "(Caused by NewConnectionError(\"HTTPConnection(host='169.254.169.254', port=80): Failed to establish a new "
            'connection: [Errno 101] Network is unreachable"))\n'
            "To check existing issues, please visit: https://github.com/Azure/azure-cli/issues"
        )
    client = az.parsed["client_id"] or az.parsed["object_id"] or az.parsed["resource_id"]
    kind = "userAssignedIdentity" if client else "systemAssignedIdentity"
    return _subscriptions(az, kind, "servicePrincipal", identity=f"MSIClient-{client}" if client else "MSI")


def _subscriptions(az: Session, name: str, kind: str, identity: str = "") -> Any:
    """Store the login's subscriptions and return the list that `az login` prints."""
    if az.fault("no-subscription") and not az.parsed["allow_no_subscriptions"]:
        az.warn(
            "The following tenants don't contain accessible subscriptions. Use `az login --allow-no-subscriptions` to "
            "have tenant level access."
        )
        az.warn(f"{az.cloud.tenant} '{az.cloud.company}'")
        raise AzError(f"No subscriptions found for {name}.")
    new = _of_login(az, name, kind, identity)
    wanted = str(az.parsed["subscription"] or "").lower()
    chosen = find(new, wanted) if wanted else None
    if wanted and not chosen:
        az.warn(f"Subscription '{az.parsed['subscription']}' not found.")
    with FILES:
        default = _keep(az, new, chosen)
    return [listed({**subscription, "isDefault": subscription is default}) for subscription in new]


def _keep(az: Session, new: list[dict[str, Any]], chosen: dict[str, Any] | None) -> dict[str, Any]:
    """Add a login's subscriptions to the known ones. Returns the default: the one before, if the login sees it."""
    known = az.subscriptions()
    active = next((str(other["id"]) for other in known if other.get("isDefault")), "")
    default = chosen or find(new, active) or new[0]
    others = [other for other in known if not find(new, str(other.get("id")))]
    az.profile.choose([*others, *new], default)
    return default


def _of_login(az: Session, name: str, kind: str, identity: str) -> list[dict[str, Any]]:
    """The subscriptions that this login sees. A person at another user's workstation also sees one of their own."""
    shared = _subscription(az, name, kind, identity)
    if kind != "user" or az.person is az.owner:
        return [shared]
    return [shared, {**shared, "id": made_id(az.cloud.tenant, name), "name": f"{az.person.key}'s own"}]


def _subscription(az: Session, name: str, kind: str, identity: str) -> dict[str, Any]:
    cloud = az.cloud
    user: dict[str, Any] = {"name": name, "type": kind}
    if identity:
        user["assignedIdentityInfo"] = identity
    none = az.fault("no-subscription")
    subscription: dict[str, Any] = {
        "environmentName": "AzureCloud",
        "homeTenantId": cloud.tenant,
        "id": cloud.tenant if none else cloud.subscription,
        "isDefault": True,
        "managedByTenants": [],
        "name": "N/A(tenant level account)" if none else cloud.subscription_name,
        "state": "Enabled",
        "tenantId": cloud.tenant,
        "user": user,
    }
    if kind == "user" and not az.parsed.values.get("tenant"):
        subscription |= {"tenantDefaultDomain": cloud.domain, "tenantDisplayName": cloud.company}
    return subscription


def listed(subscription: dict[str, Any]) -> dict[str, Any]:
    """A subscription as `az login` and `az account list` print it: with `cloudName` instead of `environmentName` in `show`."""
    rest = {key: value for key, value in subscription.items() if key != "environmentName"}
    return {"cloudName": subscription.get("environmentName", "AzureCloud"), **rest}


def _say(az: Session, line: str) -> None:
    """Print a line that the user must read while az waits."""
    az.messages.append(line)
    _flush(az)


def _flush(az: Session) -> None:
    az.world.emit(az.call, az.stderr(), error=True)
    az.messages.clear()
