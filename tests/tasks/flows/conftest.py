"""Flows with faked wrappers need no program on PATH. Tests in a sandbox start `inv` itself, which looks for them."""

from __future__ import annotations

import pytest

from tasks.tools import base


@pytest.fixture(autouse=True)
def programs_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every program for installed in this process."""
    monkeypatch.setattr(base, "must_be_installed", lambda s, *names: None)
