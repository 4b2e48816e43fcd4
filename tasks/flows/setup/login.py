"""The Azure login is for the right tenant and gives a token for the cluster."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from tasks.core.config.settings import Settings
from tasks.core.errors import Trouble
from tasks.core.plan.change import Change
from tasks.core.plan.steps import Step
from tasks.flows.setup.setup_run import SetupRun
from tasks.tools import az, base, credentials
from tasks.tools.az import LoginNeeded, login


def plan(setup: SetupRun) -> Iterator[Change[object]]:
    """Test the login by the cluster's token: az's profile looks valid long after a login has expired.

    The token is kept, and is there when kubectl and Telepresence ask for it.
    """
    base.must_be_installed(setup.settings, "az")
    relogin = setup.relogin and not setup.fresh_login
    why = LoginNeeded("a new login was asked for") if relogin else login_needed(setup)
    if why is None:
        return
    if not why.login_helps:
        raise why
    change = login.login(setup.settings, login.mode(setup.settings, setup.login_mode), after=why)

    def run() -> None:
        forget_kept(setup.settings)
        change.run()
        setup.logged_in()

    yield replace(change, run=run)


def login_needed(setup: SetupRun) -> LoginNeeded | None:
    """Return why a login is needed, None when the present one works. Raises Blocked when a login would not help."""
    s = setup.settings
    try:
        account = az.account(s)
        with suppress(Trouble):  # then az is asked without the helper
            credentials.prepare(s)
        left = credentials.expiry(s) - time.time()
    except LoginNeeded as why:
        return why
    setup.remarks["login"] = (
        f"{account.user}, {account.subscription_name or account.subscription}, token for {left / 60:.0f} min"
    )
    return None


def forget_kept(s: Settings) -> None:
    """Forget the kept tokens where the state can be written. Where it cannot, a login ends them: az's files change."""
    with suppress(Trouble):
        credentials.forget(s)


def commands(setup: SetupRun) -> tuple[str, ...]:
    """Return the command that tests the login."""
    server = setup.settings.azure.server_id
    return (f"az account get-access-token --resource {server} --query expires_on --output json",)


STEP: Step[SetupRun] = Step("login", "the Azure login gives a token for the cluster", plan, commands=commands)
