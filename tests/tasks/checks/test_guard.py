"""The guard by names alone: whichever way production is named, it is refused."""

from __future__ import annotations

import msgspec
import pytest

from tasks.checks import guard
from tasks.core.config.settings import Production, settings
from tasks.core.errors import Refused

SERVER = "https://prod-aks-dns-1a2b.hcp.westeurope.azmk8s.io:443"


@pytest.mark.parametrize(
    "pattern",
    [
        SERVER,
        "*prod-aks*",
        "prod-aks-dns-1a2b.hcp.westeurope.azmk8s.io",
        "prod-aks-*.azmk8s.io",
        "PROD-AKS-*",
    ],
)
def test_a_production_server_is_refused_by_its_url_and_by_its_host(pattern: str):
    s = settings()
    s = msgspec.structs.replace(s, guard=msgspec.structs.replace(s.guard, production=Production(servers=[pattern])))
    with pytest.raises(Refused, match="API server"):
        guard.names(s, server=SERVER)


def test_another_server_passes():
    guard.names(settings(), server="https://ameide-dev-aks-dns-1a2b.hcp.westeurope.azmk8s.io:443")
