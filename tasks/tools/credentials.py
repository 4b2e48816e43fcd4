"""The cluster's token as the session's programs get it: when it expires, and how the kept ones are given up."""

from __future__ import annotations

import time

from tasks.core.config.settings import Settings
from tasks.core.errors import Blocked, TimedOut
from tasks.core.process.tool import Tool
from tasks.core.state import store
from tasks.tools import az, base, credential_helper
from tasks.tools import kubeconfig as kc
from tasks.tools.credential_helper.copied import cached
from tasks.tools.kubeconfig import Context, Plugin

_LEAST = 1.0  # second for az itself, after the helper has failed
_BY_HAND = (
    "see whether `az account get-access-token` answers by hand: a VPN, a proxy or a lock may hold it up;"
    " when it answers, kubelogin is what hangs"
)

forget = credential_helper.forget


def expiry(s: Settings, timeout: float | None = None) -> float:
    """Return when the cluster's token expires, in seconds since the epoch. The token itself is never read.

    timeout: seconds, by default those of the settings

    It asks as kubectl does, through the session's helper: what it learns of az, the next kubectl need not ask.
    Raises LoginNeeded when Entra refuses, else ToolError.
    """
    end = time.monotonic() + (s.deadlines.az if timeout is None else timeout)
    asked = _through_helper(s, timeout)
    return az.token_expiry(s, max(_LEAST, end - time.monotonic())) if asked is None else asked


def prepare(s: Settings) -> None:
    """Install the helper, so that a first question to the cluster can use it. In a dry run, nothing is written."""
    if not store.reads_only() and credential_helper.is_wanted(s):
        credential_helper.install(s)


def in_private(s: Settings, context: Context) -> Context:
    """Return the context for a private kubeconfig: with the helper where it is installed already."""
    if kc.takes_helper(s, context) and credential_helper.is_installed(s):
        return kc.with_helper(s, context)
    return context


def _through_helper(s: Settings, timeout: float | None) -> float | None:
    """Return what the helper says; None when az must be asked itself: for its own words, or because there is no helper.

    Raises LoginNeeded when Entra refuses: kubelogin quotes az.
    """
    if not credential_helper.is_wanted(s) or not credential_helper.is_installed(s):
        return None
    plugin, server = _plugin(s)
    if plugin is None:
        return None
    helper = Tool(
        str(credential_helper.command(s)),
        env={**base.environment(s), **dict(plugin.env), cached.SERVER: server},
        drop=base.FOREIGN,
        timeout=s.deadlines.az,
    )
    kept = _kept(s, plugin, helper.environment)
    if kept:
        return kept
    command = helper[(cached.EXPIRES, plugin.command, *plugin.args)]
    try:
        done = command.call(timeout=timeout)
    except TimedOut as why:
        raise TimedOut(f"kubelogin get-token: {why.what.rpartition(': ')[2]}", tool="az", fix=_BY_HAND) from None
    if done.exit != 0:
        if refusal := az.quoted_refusal(s, done.stderr):
            raise refusal
        return None
    return float(done.stdout) or time.time() + cached.FRESH


def _kept(s: Settings, plugin: Plugin, env: dict[str, str]) -> float:
    """Return the expiry of the kept credential that the helper would serve, without starting it; 0 without one."""
    request = cached.Request(str(credential_helper.entries(s)), [plugin.command, *plugin.args], env)
    entry = cached.served_at_once(request) if cached.through_az(request) else None
    if entry is None or entry.left < cached.FRESH:
        return 0.0
    return entry.expires


def _plugin(s: Settings) -> tuple[Plugin | None, str]:
    """Return the plugin of the session's context, and its API server.

    Before the context is known: the plugin that it will have, without a server. The helper takes that token over.
    """
    for files in ([base.frozen_kubeconfig(s)], None):
        try:
            context = kc.load(files).context(s.cluster.context)
        except Blocked:  # reported by the step that needs the file; the login can be tested without it
            context = None
        if context is not None:
            plugin = kc.through_az(s, context).plugin
            return (plugin if plugin is not None and plugin.is_through_az else None), context.server
    return Plugin("kubelogin", (*kc.TOKEN_ARGS, s.azure.server_id)), ""
