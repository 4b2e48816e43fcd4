"""How long the login is still valid. Telepresence does not say: an open session outlives an expired login."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.core import ui
from tasks.core.config.settings import Settings
from tasks.core.errors import Trouble
from tasks.tools import api_server, base, credentials, kubeconfig

_SOON = 300  # seconds
_SAID_AFTER = 2.5  # seconds without an answer of az


def validity(s: Settings) -> str:
    """Return a line about the cluster token's validity; empty when the kubeconfig does not log in through az.

    Raises Trouble when az gives no token, with the meaning of its AADSTS code.

    Without this question an expired login shows late: Telepresence stays `Connected`, and a new intercept fails
    after half a minute without naming the cause.
    """
    context = kubeconfig.load([base.frozen_kubeconfig(s)]).context(s.cluster.context)
    plugin = context.plugin if context else None
    if plugin is None or not plugin.is_through_az:
        return ""
    try:
        with _waiting_is_shown():
            expires = api_server.ask(s, lambda limit: credentials.expiry(s, limit), name="az account get-access-token")
    except api_server.Unreachable:  # az may wait for the same network; the guard asks the cluster and names the cause
        return ""
    except Trouble as why:
        raise Trouble(
            f"the Azure login gives no token for the cluster: {why.what}",
            why=why.why or "an open session goes on without one, but a new intercept fails",
            fix=why.fix or "inv aks.login",
        ) from None
    seconds = expires - time.time()
    if seconds < _SOON:
        return f"login: the cluster token expires in {seconds:.0f} s; az will renew it"
    return f"login: the cluster token is good for {seconds / 60:.0f} min"


@contextmanager
def _waiting_is_shown() -> Iterator[None]:
    """Say that there is no token yet when the block takes long."""
    late = threading.Timer(_SAID_AFTER, ui.talk, ["   no token for the cluster yet: waiting for az"])
    late.daemon = True
    late.start()
    try:
        yield
    finally:
        late.cancel()
