"""The demo: which service of the catalogue it intercepts, and two at the same time."""

from __future__ import annotations

import re
import subprocess

import msgspec
import pytest

from sandbox.demo import daily
from tasks.core.config.catalogue import Catalogue, catalogue
from tasks.core.errors import Trouble
from tests.world import program


def test_the_demo_uses_the_first_service_with_a_port_and_a_host():
    worker, web = catalogue().services[0], catalogue().services[1]
    worker = msgspec.structs.replace(worker, name="counter", ports=[], hosts={})
    web = msgspec.structs.replace(web, name="shop", hosts={"test": "shop.test.example.com"})
    assert daily.demo_service(Catalogue(services=[worker, web]), "test").name == "shop"
    with pytest.raises(Trouble, match="has a port and a host for 'dev'"):
        daily.demo_service(Catalogue(services=[worker, web]), "dev")


@pytest.mark.slow
def test_two_demos_at_the_same_time_use_ports_of_their_own():
    runs = [subprocess.Popen(program("demo", "--fast"), stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [run.communicate(timeout=300)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    first, second = (re.findall(r"--port (\d+)", text) for text in said)
    assert first != second
    assert all("ok reached" in text for text in said)
