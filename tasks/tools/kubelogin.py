"""Azure's kubelogin, the credential plugin; int128's program of the same name is another one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tasks.core.config.settings import Settings
from tasks.core.errors import ToolError
from tasks.core.process.tool import Tool
from tasks.tools import base
from tasks.tools import kubeconfig as kc
from tasks.tools.kubeconfig import Context


def tool(s: Settings) -> Tool:
    """kubelogin with the session's environment."""
    return base.tool(s, "kubelogin", timeout=s.deadlines.az)


def convert(s: Settings, context: Context) -> Context:
    """The context, converted by kubelogin itself on a private file, for this context only.

    Neither exit code 0 nor silence proves anything, so the file is read again. Raises ToolError when it is not converted.
    """
    if context.plugin is None or not context.plugin.is_kubelogin:
        return context
    with kc.private(context) as file:
        tool(s).run(*convert_args(context.name, file))
        found = kc.load([Path(file)]).context(context.name)
    wrong = kc.wrong_plugin(s, found.plugin) if found else "the context is gone"
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
    return ("convert-kubeconfig", "--kubeconfig", file, "--context", context, "--login", kc.THROUGH_AZ)
