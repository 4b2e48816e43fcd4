"""How long the login still lives, asked before an intercept: the session outlives it and does not say so."""

from __future__ import annotations

import time

from tasks.core.config.settings import Settings
from tasks.core.errors import Trouble
from tasks.tools import az, base, kubeconfig

_SOON = 300  # seconds


def life(s: Settings) -> str:
    """A line about the cluster token's life; empty when the kubeconfig does not log in through az.

    Raises Trouble with the AADSTS code's meaning when there is no token any more.
    """
    context = kubeconfig.load([base.frozen_kubeconfig(s)]).context(s.cluster.context)
    plugin = context.plugin if context else None
    if plugin is None or not plugin.is_kubelogin or plugin.option("--login", "-l") != kubeconfig.THROUGH_AZ:
        return ""
    try:
        left = az.token_expiry(s) - time.time()
    except Trouble as why:
        raise Trouble(
            f"the Azure login gives no token for the cluster: {why.what}",
            why=why.why or "an open session lives on without it, a new intercept does not",
            fix=why.fix or "inv aks.login",
        ) from None
    if left < _SOON:
        return f"login: the cluster token ends in {left:.0f} s and will be renewed by az"
    return f"login: the cluster token is good for {left / 60:.0f} min"
