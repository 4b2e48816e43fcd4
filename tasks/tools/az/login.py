"""`az login` in the suitable mode: a browser, a device code, or the identity of a machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import cast, get_args

from tasks.core import ui
from tasks.core.cli.names import nearest
from tasks.core.config.settings import Login, Settings
from tasks.core.entra import LOGIN
from tasks.core.errors import Blocked, TimedOut, Trouble
from tasks.core.plan.change import Change
from tasks.core.process.tool import Command
from tasks.tools import az, capabilities
from tasks.tools.az import LoginNeeded

_STEP_UP = {"50076", "50078", "50079"}  # a second factor for this resource: the login must name it


def mode(s: Settings, asked: str = "") -> Login:
    """Return the mode: the one asked for, else that of the settings, for `auto` the one that fits this environment.

    Raises Trouble for an unknown one.
    """
    known: tuple[str, ...] = get_args(Login)
    if asked and asked not in known:
        near = nearest(asked, known, 1)
        raise Trouble(
            f"'{asked}' is not a login mode: {', '.join(known)}",
            fix=f"{LOGIN} --mode {near[0] if near else 'device-code'}",
        )
    wanted = asked or s.azure.login
    if wanted != "auto":
        return cast(Login, wanted)
    env = os.environ
    if env.get("AZURE_FEDERATED_TOKEN_FILE"):
        return "federated-token"
    if env.get("AZURE_CLIENT_ID") and (env.get("AZURE_CLIENT_SECRET") or env.get("AZURE_CLIENT_CERTIFICATE_PATH")):
        return "service-principal"
    return "browser" if has_browser(env) else "device-code"


def needs_person(way: Login) -> bool:
    """Must a person act while it runs?"""
    return way in {"browser", "device-code"}


def has_browser(env: Mapping[str, str]) -> bool:
    """Can a page be opened here that can answer a local port? As az decides, except in a Codespace in a browser."""
    if env.get("CODESPACES") == "true":
        return False
    opener = env["BROWSER"].split(":")[0].split()[0] if env.get("BROWSER", "").strip(": ") else ""
    if opener and shutil.which(opener):
        return True
    return bool(env.get("DISPLAY") or env.get("WAYLAND_DISPLAY")) and bool(shutil.which("xdg-open"))


def login(s: Settings, way: Login, *, after: LoginNeeded | None = None) -> Change[None]:
    """Log in. Raises Blocked when the mode needs something that is missing (variables, a terminal).

    after: the refusal that made it necessary, so that a second factor is asked for the right resource
    """
    if needs_person(way) and not ui.can_ask():
        raise Blocked(
            after.what if after else "nobody is logged in to Azure",
            why=(after.why if after else "") or "a login needs a person, and there is no terminal",
            fix=after.fix if after and after.login_helps else LOGIN,
        )
    args, secret = _arguments(s, way)
    if after is not None and after.aadsts in _STEP_UP and needs_person(way):
        args += ("--scope", f"{s.azure.server_id}/.default")
    args += ("--output", "none")  # without it az lists all subscriptions
    text = f"log in to Azure ({way})"
    return Change(text, az.tool(s)[args].argv, lambda: _run(s, way, _command(s, way, args), secret))


def _command(s: Settings, way: Login, args: tuple[str, ...]) -> Command:
    """The command for this az: before 2.69 `--client-id` was called `--username`."""
    tool = az.tool(s)
    if way == "managed-identity" and "--client-id" in args and "client-id" not in capabilities.flags(tool, "login"):
        args = tuple("--username" if word == "--client-id" else word for word in args)
    return tool[args]


def _run(s: Settings, way: Login, command: Command, secret: str) -> None:
    person = needs_person(way)
    try:
        done = command.call(
            stdin=secret.encode() if secret else None,
            timeout=s.deadlines.login if person else s.deadlines.az * 2,
            echo=ui.talk if person else None,
        )
    except TimedOut as late:
        if not person:
            raise
        raise LoginNeeded(
            late.what, why="the login in the browser was not completed", fix=f"{LOGIN}, or {LOGIN} --mode {_other(way)}"
        ) from None
    if done.exit != 0:
        why = az.failed(command, done)
        raise LoginNeeded(why.what, why=why.why, fix=why.fix or f"{LOGIN} --mode {_other(way)}")


def _arguments(s: Settings, way: Login) -> tuple[tuple[str, ...], str]:
    """The arguments, and the secret that az reads from stdin."""
    tenant = s.azure.tenant or os.environ.get("AZURE_TENANT_ID", "")
    in_tenant = ("--tenant", tenant) if tenant else ()
    client = os.environ.get("AZURE_CLIENT_ID", "")
    if way == "browser":
        return ("login", *in_tenant), ""
    if way == "device-code":
        return ("login", "--use-device-code", *in_tenant), ""
    if way == "managed-identity":
        return ("login", "--identity", *(("--client-id", client) if client else ())), ""
    machine = ("login", "--service-principal", "--username", client, *in_tenant)
    if way == "federated-token":
        file = os.environ.get("AZURE_FEDERATED_TOKEN_FILE", "")
        _must_be_set(way, AZURE_CLIENT_ID=client, AZURE_TENANT_ID=tenant, AZURE_FEDERATED_TOKEN_FILE=file)
        return (*machine, "--federated-token", f"@{file}"), ""  # az reads the file: the token is in no process list
    secret, certificate = os.environ.get("AZURE_CLIENT_SECRET", ""), os.environ.get("AZURE_CLIENT_CERTIFICATE_PATH", "")
    _must_be_set(way, AZURE_CLIENT_ID=client, AZURE_TENANT_ID=tenant, AZURE_CLIENT_SECRET=secret or certificate)
    ui.hide(secret)
    if certificate and not secret:
        return (*machine, "--certificate", certificate), ""
    # az reads an argument that starts with @ from that file, and @- from stdin.
    return (*machine, "--password", "@-"), secret


def _must_be_set(way: Login, **variables: str) -> None:
    missing = [name for name, value in variables.items() if not value]
    if missing:
        raise Blocked(
            f"the login as {way} needs {', '.join(missing)}",
            fix=f"set {' and '.join(missing)}, or choose another way: {LOGIN} --mode device-code",
        )


def _other(way: Login) -> str:
    return "device-code" if way == "browser" else "browser"
