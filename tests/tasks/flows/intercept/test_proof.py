"""The ways on which a request is sent for proof."""

from __future__ import annotations

import pytest

from tasks.core.config.catalogue import catalogue
from tasks.core.errors import Trouble
from tasks.flows.intercept import proof
from tests.made import settings


@pytest.mark.parametrize("url", ["http://{svc}/", "http://{}/", "http://{service/"])
def test_an_address_with_a_word_that_nobody_fills_in_is_named(url: str):
    s = settings(ingress__service_url=url)
    with pytest.raises(Trouble, match=r"only \{service\}, \{namespace\}, \{port\} are filled in"):
        proof.ways(s, catalogue().services[0], "www", 80, "service")
