"""Which service of the catalogue the demo intercepts."""

from __future__ import annotations

import msgspec
import pytest

from sandbox.demo import daily
from tasks.core.config.catalogue import Catalogue, catalogue
from tasks.core.errors import Trouble


def test_the_demo_uses_the_first_service_with_a_port_and_a_host():
    worker, web = catalogue().services[0], catalogue().services[1]
    worker = msgspec.structs.replace(worker, name="counter", ports=[], hosts={})
    web = msgspec.structs.replace(web, name="shop", hosts={"test": "shop.test.example.com"})
    assert daily.demo_service(Catalogue(services=[worker, web]), "test").name == "shop"
    with pytest.raises(Trouble, match="has a port and a host for 'dev'"):
        daily.demo_service(Catalogue(services=[worker, web]), "dev")
