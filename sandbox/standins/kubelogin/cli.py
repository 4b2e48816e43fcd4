"""The stand-in for Azure's kubelogin 0.2.22; with the fault `kubelogin-wrong`, for int128's program of that name."""

from __future__ import annotations

import json
import re
import shutil
import time
from typing import Any

from sandbox.protocol.call import Answer, Call
from sandbox.standins.kubelogin.convert import METHODS, KubeloginError, convert
from sandbox.world.state import OutOfTime, World

_VERSION = "kubelogin version \ngit hash: v0.2.22\nGo version: go1.26.10\nBuild time: unknown\nPlatform: linux/amd64\n"
_TROUBLE = "To troubleshoot, visit https://aka.ms/azsdk/go/identity/troubleshoot#azure-cli"
_AZ_LIMIT = 30.0  # seconds for which get-token waits for az
_GLOBAL = {"logtostderr": False, "v": True, "help": False}
_VALUES = (
    "authority-host azure-pipelines-service-connection-id cache-dir client-certificate client-certificate-password client-id "
    "client-secret environment federated-token-file identity-resource-id login login-hint password pop-claims redirect-url "
    "server-id subscription tenant-id timeout username"
)
_SWITCHES = "disable-environment-override disable-instance-discovery legacy pop-enabled use-azurerm-env-vars"
_TOKEN = {**dict.fromkeys(_VALUES.split(), True), **dict.fromkeys(_SWITCHES.split(), False)}
_FLAGS: dict[str, dict[str, bool]] = {  # command -> flag -> whether it takes a value
    "convert-kubeconfig": {**_TOKEN, "azure-config-dir": True, "context": True, "kubeconfig": True, "outfile": True},
    "get-token": _TOKEN,
    "remove-cache-dir": {"cache-dir": True},
    "remove-tokens": {"token-cache-dir": True},
}
_SHORT = {"e": "environment", "l": "login", "s": "subscription", "t": "tenant-id", "v": "v", "h": "help"}
_SUMMARY = {
    "convert-kubeconfig": "convert kubeconfig to use exec auth module",
    "get-token": "get AAD token",
    "remove-cache-dir": "Remove all cached authentication record from filesystem",
    "remove-tokens": "Remove all cached authentication record from filesystem",
}
_ROOT = """login to azure active directory and populate kubeconfig with AAD tokens

Usage:
  kubelogin [flags]
  kubelogin [command]

Available Commands:
  completion         Generate the autocompletion script for the specified shell
  convert-kubeconfig convert kubeconfig to use exec auth module
  get-token          get AAD token
  help               Help about any command
  remove-cache-dir   Remove all cached authentication record from filesystem

Flags:
  -h, --help          help for kubelogin
      --logtostderr   log to standard error instead of files (default true)
  -v, --v Level       number for the log level verbosity
      --version       version for kubelogin

Use "kubelogin [command] --help" for more information about a command.
"""


def handle(call: Call, world: World) -> Answer:
    """Answer one call of kubelogin."""
    if world.fault("kubelogin-wrong"):
        return _int128(call)
    argv = call.argv
    if not argv or argv[0] in ("--help", "-h", "help"):
        return Answer(stdout=_ROOT)
    if argv[0] == "--version":
        return Answer(stdout=_VERSION)
    try:
        return _run(call, world, argv[0])
    except KubeloginError as why:
        return Answer(1, stderr=f"Error: {why}\n")


def _run(call: Call, world: World, command: str) -> Answer:
    if command not in _FLAGS:
        if command.startswith("-"):
            raise KubeloginError(f"unknown flag: {command}")
        raise KubeloginError(f'unknown command "{command}" for "kubelogin"\nRun \'kubelogin --help\' for usage.')
    flags = _parse(command, call.argv[1:])
    deprecated = 'Command "remove-tokens" is deprecated, remove-tokens is deprecated, use remove-cache-dir instead\n'
    notice = deprecated if command == "remove-tokens" else ""
    if flags.get("help"):
        return Answer(stdout=_help(command), stderr=notice)
    if command == "convert-kubeconfig":
        return Answer(writes=convert(call, world, flags))
    if command == "get-token":
        return _get_token(call, world, flags)
    folder = flags.get("cache-dir") or flags.get("token-cache-dir") or f"{call.home}/.kube/cache/kubelogin/"
    shutil.rmtree(folder, ignore_errors=True)
    return Answer(stderr=notice, writes=True)


def _parse(command: str, words: tuple[str, ...]) -> dict[str, Any]:
    """Parse the flags by long name. Raises KubeloginError for an unknown one."""
    known = {**_FLAGS[command], **_GLOBAL}
    flags: dict[str, Any] = {}
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if not word.startswith("-"):
            if command in ("convert-kubeconfig", "get-token"):
                continue
            raise KubeloginError(f'unknown command "{word}" for "kubelogin {command}"')
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
        else:
            name, equals, value = _SHORT.get(word[1], ""), word[2:], word[2:].removeprefix("=")
        if name not in known:
            flag = (
                f"unknown flag: {word}" if word.startswith("--") else f"unknown shorthand flag: '{word[1]}' in {word}"
            )
            raise KubeloginError(flag)
        if not known[name]:
            flags[name] = not equals or value == "true"
        elif equals:
            flags[name] = value
        elif queue:
            flags[name] = queue.pop(0)
        else:
            raise KubeloginError(f"flag needs an argument: {word}")
    return flags


def _get_token(call: Call, world: World, flags: dict[str, Any]) -> Answer:
    own = not flags.get("disable-environment-override")
    method = (call.env.get("AAD_LOGIN_METHOD", "") if own else "") or flags.get("login") or "devicecode"
    if method not in METHODS:
        raise KubeloginError(
            f"'{method}' is not a supported login method. Supported method is one of {', '.join(METHODS)}"
        )
    server = flags.get("server-id")
    if not server:
        raise KubeloginError("server-id is required")
    tenant = (call.env.get("AZURE_TENANT_ID", "") if own else "") or flags.get("tenant-id", "")
    if method == "azurecli":
        token, expires = _from_az(call, world, server, tenant, flags.get("subscription", ""))
    elif method == "azd":
        raise KubeloginError("failed to get token: AzureDeveloperCLICredential: executable not found on path")
    elif method == "workloadidentity" and not (flags.get("client-id") or call.env.get("AZURE_CLIENT_ID")):
        raise KubeloginError("failed to create azidentity credential: client ID cannot be empty")
    else:
        token, expires = _by_itself(call, world, method, server, flags)
    answer = {
        "kind": "ExecCredential",
        "apiVersion": _api_version(call),
        "spec": {"interactive": False},
        "status": {"expirationTimestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(expires)), "token": token},
    }
    return Answer(stdout=json.dumps(answer, separators=(",", ":")) + "\n")


def _api_version(call: Call) -> str:
    try:
        info = json.loads(call.env.get("KUBERNETES_EXEC_INFO", "{}"))
    except ValueError:
        info = {}
    return str(info.get("apiVersion") or "client.authentication.k8s.io/v1beta1") if isinstance(info, dict) else ""


def _from_az(call: Call, world: World, server: str, tenant: str, subscription: str) -> tuple[str, int]:
    """Get the token from az. kubelogin has no cache for this method, so each call starts az."""
    argv = ["account", "get-access-token", "-o", "json", "--resource", server]
    argv += ["--tenant", tenant] if tenant else []
    argv += ["--subscription", subscription] if subscription else []
    try:
        done = world.run(call, "az", tuple(argv), timeout=_AZ_LIMIT)
    except FileNotFoundError:
        raise KubeloginError("failed to get token: AzureCLICredential: executable not found on path") from None
    except OutOfTime:
        raise KubeloginError("failed to get token: unexpected end of JSON input") from None
    if done.exit:
        message = done.stderr.strip()
        raise KubeloginError(
            f"failed to get token: AzureCLICredential: {message}. {_TROUBLE}"
            if not message.endswith(".")
            else f"failed to get token: AzureCLICredential: {message} {_TROUBLE}"
        )
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        first = done.stdout.lstrip()[:1]
        reason = (
            f"invalid character '{first}' looking for beginning of value" if first else "unexpected end of JSON input"
        )
        raise KubeloginError(f"failed to get token: {reason}") from None
    return str(answer["accessToken"]), int(answer["expires_on"])


def _by_itself(call: Call, world: World, method: str, server: str, flags: dict[str, Any]) -> tuple[str, int]:
    """Get a token with a method that does not use az."""
    tenant = flags.get("tenant-id") or call.env.get("AZURE_TENANT_ID", "")
    if world.fault("dns"):
        raise KubeloginError(
            "failed to authenticate: unable to resolve an endpoint: server response error:\n Get "
            f'"https://login.microsoftonline.com/{tenant}/v2.0/.well-known/openid-configuration?": dial tcp: lookup '
            "login.microsoftonline.com on 10.98.0.1:53: no such host"
        )
    name = world.user(call).name
    if method in ("devicecode", "interactive"):
        cached = world.user(call).notes.get("kubelogin")
        if method == "devicecode" and not cached:
            world.emit(
                call,
                "To sign in, use a web browser to open the page https://microsoft.com/devicelogin and enter the code "
                "K7L2QX9ZB to authenticate.\n",
                error=True,
            )
            while world.fault("device-code-unanswered"):
                world.wait(call, 0.2)
        world.user(call).notes["kubelogin"] = True
    elif method in ("spn", "workloadidentity", "msi", "azurepipelines"):
        name = flags.get("client-id") or call.env.get("AZURE_CLIENT_ID") or f"{method}-identity"
    code = world.login_fault()
    if code:
        from sandbox.standins.az.entra import error_description

        raise KubeloginError(
            f"failed to get token: {error_description(code, resource=server, tenant=tenant, user=name)}"
        )
    issued = world.issue(name, 4500, server)
    return issued.text, int(issued.expires)


def _help(command: str) -> str:
    flags = {**_FLAGS[command], "help": False}
    short = {long: letter for letter, long in _SHORT.items()}
    lines = [
        f"  {'-' + short[name] + ', ' if name in short else '    '}--{name}{' string' if value else ''}"
        for name, value in sorted(flags.items())
    ]
    return f"{_SUMMARY[command]}\n\nUsage:\n  kubelogin {command} [flags]\n\nFlags:\n" + "\n".join(lines) + "\n"


def _int128(call: Call) -> Answer:
    """int128/kubelogin (`kubectl oidc-login`), which package managers also call kubelogin."""
    argv = call.argv
    if argv[:1] in (("--version",), ("version",)):
        return Answer(stdout="kubelogin version v1.34.1\n")
    if not argv or argv[0] in ("--help", "-h", "help"):
        return Answer(
            stdout="Log in to the OpenID Connect provider.\n\nUsage:\n  kubelogin [flags]\n  kubelogin [command]\n"
        )
    known = ("get-token", "setup", "clean", "completion")
    if argv[0] not in known and not argv[0].startswith("-"):
        return Answer(1, stderr=f'error: unknown command "{argv[0]}" for "kubelogin"\n')
    flag = next((w for w in argv if re.match(r"--(server-id|login|tenant-id)\b", w) or w == "-l"), "")
    if flag.startswith("--"):
        return Answer(1, stderr=f"error: unknown flag: {flag.split('=')[0]}\n")
    if flag:
        return Answer(1, stderr=f"error: unknown shorthand flag: 'l' in {flag}\n")
    return Answer(1, stderr='error: required flag(s) "oidc-client-id", "oidc-issuer-url" not set\n')
