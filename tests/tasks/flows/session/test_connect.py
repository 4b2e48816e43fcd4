"""What a switch of the session would lose, asked without any program."""

from __future__ import annotations

import pytest

from tasks.core.config.settings import settings
from tasks.core.errors import Refused
from tasks.flows.session import connect
from tasks.flows.session.connect import Look
from tasks.tools import kubeconfig
from tasks.tools.telepresence import Session


def test_who_would_lose_intercepts_by_a_switch_is_told_a_command_that_does_it(monkeypatch: pytest.MonkeyPatch):
    """Not every task that connects has a flag for it: `inv intercept --yes` answers another question."""
    elsewhere = Session(running=True, sessions=1, root=True, intercepts=(("web", "ada@box"),))
    monkeypatch.setattr(kubeconfig, "freeze", lambda s: None)
    monkeypatch.setattr(connect, "look", lambda s: Look(elsewhere, False, "connected to the context other"))
    with pytest.raises(Refused) as refused:
        list(connect.connect_changes(settings()))
    assert "web" in refused.value.what
    assert "inv tp.connect --yes" in refused.value.fix
