"""az acr: the registry, and the login through Docker."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sandbox.standins.az.parser import AzError
from sandbox.standins.az.session import NOT_LOGGED_IN, Session, arm_error

TOKEN_USER = "00000000-0000-0000-0000-000000000000"
_PROVIDER = "Microsoft.ContainerRegistry/registries"
_LIFETIME = 3 * 3600  # lifetime of a refresh token of the registry, in seconds


def show(az: Session) -> Any:
    """One registry."""
    account = az.arm()
    if not _known(az):
        raise arm_error("ResourceNotFound", _not_found(az, account), 3)
    return az.cloud.registry_json()


def login(az: Session) -> Any:
    """Log Docker in, or return the token. Docker's engine is checked first, even without an Azure login."""
    name = az.parsed["name"]
    exposed = az.parsed["expose_token"]
    command = "" if exposed else _engine(az, name)
    account, host = _registry(az, name)
    if az.parsed["username"] and az.parsed["password"]:
        raise AzError("Unable to authenticate using admin login credentials. Admin user is disabled.")
    if az.fault("registry-firewall"):
        raise AzError(_firewall(az, host))
    token = _exchange(az, account, host)
    if exposed:
        az.warn(
            "Note: The token in both the accessToken and refreshToken fields is an ACR Refresh Token, not an ACR Access "
            "Token. This ACR Refresh Token cannot be used directly to authenticate with registry APIs such as "
            "pushing/pulling images and listing repositories/tags. This ACR Refresh Token must be subsequently exchanged "
            "for an ACR Access.Please see https://aka.ms/acr/auth/oauth"
        )
        az.warn(
            "You can perform manual login using the provided refresh token below, for example: 'docker login loginServer "
            f"-u {TOKEN_USER} -p refreshToken'"
        )
        return {"accessToken": token, "loginServer": host, "refreshToken": token, "username": TOKEN_USER}
    argv = ("login", "--username", TOKEN_USER, "--password-stdin", host)
    done = az.world.run(az.call, command, argv, stdin=token.encode())
    az.wrote = True
    if done.stderr:
        az.warn(done.stderr.rstrip("\n"))
    if done.exit:
        raise AzError("Login failed.")
    az.printed = done.stdout
    return None


def _engine(az: Session, name: str) -> str:
    """The docker command whose engine answers. As in az, any output on its stderr counts as a failure."""
    wanted = az.call.env.get("DOCKER_COMMAND")
    command = next((c for c in ([wanted] if wanted else ["docker", "podman"]) if az.world.which(az.call, c)), None)
    problem = (
        "Please verify if Docker client is installed and running." if command is None else _docker_problem(az, command)
    )
    if problem:
        az.warn(
            f"You may want to use 'az acr login -n {name} --expose-token' to get a refresh token, which does not require "
            "Docker to be installed."
        )
        now = datetime.now().strftime("%Y-%m-%d %H:%M:%S.%f")
        raise AzError(f"{now} An error occurred: DOCKER_COMMAND_ERROR\n{problem}")
    return command or ""


def _docker_problem(az: Session, command: str = "docker") -> str:
    return az.world.run(az.call, command, ("ps",)).stderr


def _registry(az: Session, name: str) -> tuple[dict[str, Any] | None, str]:
    """The account and the registry's host, which is guessed if ARM does not know the registry."""
    try:
        account = az.account(az.parsed["subscription"])
    except AzError as why:
        host = f"{name}.azurecr.io"
        az.warn(f"{why.text}\nUsing '{host}' as the default registry login server.")
        if host != az.cloud.registry or az.fault("dns"):
            raise _unreachable(name, host) from None
        return None, host
    az.arm()
    if _known(az):
        return account, az.cloud.registry
    host = f"{name}.azurecr.io"
    az.warn(f"{_not_found(az, account)}\nUsing '{host}' as the default registry login server.")
    raise _unreachable(name, host)


def _exchange(az: Session, account: dict[str, Any] | None, host: str) -> str:
    """Exchange the account's token for a refresh token of the registry. Raises AzError without a role."""
    refused = ""
    if account is None:
        refused = NOT_LOGGED_IN
    elif az.fault("registry-role") or az.fault("registry-refused") or az.fault("arm-denied"):
        now = datetime.now().strftime("%Y-%m-%d %H:%M:%S.%f")
        refused = (
            f"{now} An error occurred: CONNECTIVITY_REFRESH_TOKEN_ERROR\nAccess to registry '{host}' was denied. "
            "Response code: 401. Please try running 'az login' again to refresh permissions."
        )
    if refused:
        az.warn(f"Unable to get AAD authorization tokens with message: {refused}")
        az.warn("Unable to get admin user credentials with message: Admin user is disabled.")
        raise AzError(
            "Unable to authenticate using AAD or admin login credentials. Please specify both username and password in "
            "non-interactive mode."
        )
    assert account is not None
    az.token(account, "https://containerregistry.azure.net")
    return az.world.issue(account["user"]["name"], _LIFETIME, host).text


def _known(az: Session) -> bool:
    return bool(az.parsed["name"].lower() == az.cloud.registry_name)


def _not_found(az: Session, account: dict[str, Any]) -> str:
    return (
        f"The resource with name '{az.parsed['name']}' and type '{_PROVIDER}' could not be found in subscription "
        f"'{account['name']} ({account['id']})'."
    )


def _unreachable(name: str, host: str) -> AzError:
    return AzError(
        f"Could not connect to the registry login server '{host}'. Please verify that the registry exists and the URL "
        f"'https://{host}/v2/' is reachable from your environment.\nTry running 'az acr check-health -n {name} --yes' to "
        "diagnose this issue."
    )


def _firewall(az: Session, host: str) -> str:
    return (
        f"Looks like you don't have access to registry '{host}'. To see configured firewall rules, run 'az acr show "
        f"--query networkRuleSet --name {az.parsed['name']}'. To see if public network access is enabled, run 'az acr show "
        "--query publicNetworkAccess'.Please refer to https://aka.ms/acr/errors#connectivity_forbidden_error for more "
        "information."
    )
