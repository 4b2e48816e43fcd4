"""The guard by names alone: whichever way production is named, it is refused."""

from __future__ import annotations

import msgspec
import pytest

from tasks.checks import guard
from tasks.core.config.settings import Production, settings
from tasks.core.errors import Refused
from tests.made import settings as made

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


def test_a_mapped_namespace_that_is_production_is_refused():
    s = made(cluster__mapped_namespaces="team, live-shop", guard__production__namespaces="live-*")
    with pytest.raises(Refused, match="the mapped namespace 'live-shop' is production"):
        guard.names(s)


def test_a_mapped_namespace_that_no_pattern_fits_passes():
    guard.names(made(cluster__mapped_namespaces="team, shop", guard__production__namespaces="live-*"))
