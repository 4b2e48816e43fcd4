"""Somebody is logged in to Azure, to the right tenant, and the login gives a token for the cluster."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tasks.core.config.settings import Settings
from tasks.core.plan.change import Change
from tasks.core.plan.steps import Step
from tasks.flows.setup.work import Work
from tasks.tools import az
from tasks.tools.az import LoginNeeded, login


def plan(work: Work) -> Iterator[Change[object]]:
    """The cluster's token is the real test; az's profile looks fine long after a login has died."""
    anew = work.relogin and not work.fresh_login
    why = LoginNeeded("a new login was asked for") if anew else missing(work)
    if why is None:
        return
    if not why.login_helps:
        raise why
    change = login.login(work.settings, login.mode(work.settings, work.way), after=why)

    def run() -> None:
        change.run()
        work.logged_in()

    yield Change(change.text, change.argv, run)


def missing(work: Work) -> LoginNeeded | None:
    """Why a login is needed, None when there is one that works. Raises Blocked for what a login does not mend."""
    s = work.settings
    try:
        account = az.account(s)
        left = az.token_expiry(s) - time.time()
    except LoginNeeded as why:
        return why
    work.notes["login"] = (
        f"{account.user}, {account.subscription_name or account.subscription}, token for {left / 60:.0f} min"
    )
    return None


def commands(s: Settings) -> tuple[str, ...]:
    """What a person would type."""
    return (f"az account get-access-token --resource {s.azure.server_id} --query expires_on --output json",)


STEP: Step[Work] = Step("login", "the Azure login gives a token for the cluster", plan)
