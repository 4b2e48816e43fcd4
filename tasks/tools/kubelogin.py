"""Azure's kubelogin, the credential plugin. int128's program of the same name is a different one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tasks.core.config.settings import Settings
from tasks.core.errors import ToolError
from tasks.core.process.tool import Tool
from tasks.core.typed import with_more
from tasks.tools import base
from tasks.tools import kubeconfig as kc
from tasks.tools.kubeconfig import Context


def tool(s: Settings) -> Tool:
    """Return kubelogin with the session's environment."""
    return base.tool(s, "kubelogin", timeout=s.deadlines.az)


def convert(s: Settings, context: Context) -> Context:
    """Let kubelogin convert this one context in a private file, and return it.

    kubelogin exits with 0, without a word, when it converts nothing (recorded: kubelogin-0.2.22.yaml), so the file is
    read again. Raises ToolError when the context is not converted.
    """
    if context.plugin is None or not context.plugin.is_kubelogin:
        return context
    with kc.private(context) as file:
        tool(s)[convert_args(context.name, file)].run()
        converted = kc.load([Path(file)]).context(context.name)
    wrong = kc.wrong_plugin(s, converted.plugin) if converted else "the context is gone"
    if converted is None or wrong:
        raise ToolError(
            f"kubelogin convert-kubeconfig ended without an error, and yet: {wrong}",
            tool="kubelogin",
            exit=0,
            fix=with_more("install the wanted one", "inv devcontainer.check", "shows which kubelogin it is"),
        )
    return replace(context, user_body=converted.user_body)


def convert_args(context: str, file: str) -> tuple[str, ...]:
    """Return its arguments. Without --context it would rewrite every user, without --kubeconfig the default file."""
    return ("convert-kubeconfig", "--kubeconfig", file, "--context", context, "--login", kc.THROUGH_AZ)
