"""On a bad day every command ends soon and names the cause. The table in docs/development.md is measured the same way."""

from __future__ import annotations

import pytest

from sandbox.demo import outages
from sandbox.demo.outages import COMMANDS, OUTAGES, Outage, Row

SLACK = 4.0  # budgets: other tests run beside this one


@pytest.mark.slow
@pytest.mark.parametrize("outage", OUTAGES, ids=lambda outage: outage.fault)
def test_every_command_ends_soon_and_names_the_cause(outage: Outage):
    rows = list(outages.measure(outage, latency="none"))
    assert [row.command for row in rows] == list(COMMANDS)
    assert [fault for row in rows for fault in row.faults(SLACK)] == []


def row(**changed: object) -> Row:
    values = {"outage": OUTAGES[0], "command": "tp.who", "seconds": 1.0, "exit": 1, "said": "nothing comes back from x"}
    return Row(**{**values, **changed})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changed", "wrong"),
    [
        ({}, 0),
        ({"seconds": 5.1}, 1),
        ({"command": "down", "seconds": 14.9}, 0),
        ({"command": "down", "seconds": 15.1, "left": ("telepresence rootd (pid 1)",)}, 2),
        ({"said": "error: no session"}, 1),
        ({"said": "www-ameide  Deployment", "exit": 0}, 0),
        ({"command": "status", "said": "all is well", "exit": 0}, 1),
    ],
)
def test_a_late_silent_or_unclean_command_is_a_fault(changed: dict[str, object], wrong: int):
    assert len(row(**changed).faults()) == wrong


def test_the_table_shows_the_words_without_the_host():
    said = "one\n!! session   open, but nothing comes back from dev-dns-0a1b.hcp.westeurope.azmk8s.io:443 | x"
    assert outages.table([row(said=said)]).splitlines()[-1] == (
        "| the API server is silent: packets are dropped | tp.who | 1.0 | 1 |"
        " session open, but nothing comes back from HOST \\| x |"
    )
