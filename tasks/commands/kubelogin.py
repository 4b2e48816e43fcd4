"""Azure's kubelogin, the credential plugin; int128's program of the same name is another one."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from tasks.commands import base
from tasks.commands import kubeconfig as kc
from tasks.commands.kubeconfig import Context, Plugin
from tasks.core.errors import ToolError
from tasks.core.settings import Settings
from tasks.core.tool import Tool

LOGIN = "azurecli"  # the token comes from az, whatever way az was logged in


def tool(s: Settings) -> Tool:
    """kubelogin with the session's environment."""
    return base.tool(s, "kubelogin", timeout=s.deadlines.az)


def uses_az(s: Settings, plugin: Plugin | None) -> str:
    """What is wrong with the plugin's arguments, empty when the token comes from az, or no kubelogin is in the way."""
    if plugin is None or not plugin.is_kubelogin:
        return ""
    way = plugin.option("--login", "-l") or "devicecode"
    if way != LOGIN:
        return f"kubelogin asks for the token itself ({way}) instead of az"
    server = plugin.option("--server-id")
    if server != s.azure.server_id:
        return f"kubelogin asks for a token of {server or 'no server'}, not of {s.azure.server_id}"
    return ""


def as_converted(s: Settings, context: Context) -> Context:
    """The context as kubelogin's conversion leaves it, computed here: a question can be asked with it, no file is written.

    Recorded of kubelogin 0.2.22: the arguments are exactly these; tenant, client and environment are gone.
    """
    plugin = context.plugin
    if plugin is None or not plugin.is_kubelogin:
        return context
    server = plugin.option("--server-id") or s.azure.server_id
    args = kc.sequence(*(kc.word(w) for w in ("get-token", "--login", LOGIN, "--server-id", server)))
    exec_body = kc.with_value(kc.find(context.user_body, "exec"), "args", args)
    return replace(context, user_body=kc.with_value(context.user_body, "exec", exec_body))


def convert(s: Settings, context: Context) -> Context:
    """The context, converted by kubelogin itself on a private file, for this context only.

    Neither exit code 0 nor silence proves anything, so the file is read again. Raises ToolError when it is not converted.
    """
    if context.plugin is None or not context.plugin.is_kubelogin:
        return context
    with tempfile.TemporaryDirectory(prefix="remote-dev-") as folder:  # mode 0700
        file = Path(folder) / "config"
        file.write_text(kc.rendered(context), encoding="utf-8")
        args = convert_args(context.name, str(file))
        tool(s).run(*args)
        found = kc.load([file]).context(context.name)
    wrong = uses_az(s, found.plugin) if found else "the context is gone"
    if found is None or wrong:
        raise ToolError(
            f"kubelogin convert-kubeconfig ended without an error, and yet: {wrong}",
            tool="kubelogin",
            exit=0,
            fix="inv setup --only tools shows which kubelogin it is",
        )
    return replace(context, user_body=found.user_body)


def convert_args(context: str, file: str) -> tuple[str, ...]:
    """Its arguments. Without --context it would rewrite every user; without --kubeconfig the default file."""
    return ("convert-kubeconfig", "--kubeconfig", file, "--context", context, "--login", LOGIN)
