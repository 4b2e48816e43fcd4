"""The command line of `inv tilt.up`, as a request."""

from __future__ import annotations

import pytest

from tasks.core.errors import Trouble
from tasks.flows.tilt.request import Request, parse
from tests.tiltfile.conftest import KNOWN

WWW = "apps-www-ameide-platform-tilt"


def asked(only: list[str] | None = None, intercept: list[str] | None = None, rest: list[str] | None = None) -> Request:
    return parse(KNOWN, only or [], intercept or [], rest or [])


def test_an_empty_request_has_no_arguments_for_the_tiltfile():
    assert asked().tiltfile_args == []


@pytest.mark.parametrize(
    "only", [["www-ameide-platform", "graph"], ["www_ameide_platform,graph"], [WWW, "apps-graph-tilt,", WWW]]
)
def test_every_name_of_a_service_selects_its_release(only: list[str]):
    assert asked(only).tiltfile_args == [f"--only={WWW},apps-graph-tilt"]


def test_the_words_after_the_dashes_reach_the_tiltfile_byte_for_byte():
    rest = ["--only=graph , agents", "--x=  y ", "ü"]
    assert asked(rest=[*rest[:1]]).args == tuple(rest[:1])
    assert asked(["platform"], rest=rest[1:]).tiltfile_args == ["--only=apps-platform-tilt", *rest[1:]]


def test_the_words_before_a_second_pair_of_dashes_are_flags_for_tilt():
    request = asked(rest=["--log-level", "warn", "--", "--only=graph"])
    assert request.flags == ("--log-level", "warn")
    assert request.tiltfile_args == ["--only=graph"]


@pytest.mark.parametrize("rest", [["--intercept=grahp"], ["--intercept", "graph,grahp"]])
def test_services_to_intercept_after_the_dashes_are_checked_too(rest: list[str]):
    with pytest.raises(Trouble) as why:
        asked(rest=rest)
    assert why.value.fix == "did you mean graph?"


@pytest.mark.parametrize("rest", [["--only=cache"], ["--only", "cache"], ["--only=graph,cache"]])
def test_what_only_names_after_the_dashes_may_be_a_resource_of_the_teams_own(rest: list[str]):
    """The Tiltfile refuses what it does not know, with the nearest names."""
    assert asked(rest=rest).tiltfile_args == rest


def test_an_unknown_name_is_refused_with_the_nearest_one():
    with pytest.raises(Trouble, match="no service 'www-amide'") as why:
        asked(["www-amide"])
    assert "www-ameide" in why.value.fix


@pytest.mark.parametrize("where", ["intercept", "rest"])
def test_a_service_without_ports_cannot_be_intercepted(where: str):
    words = (
        {"intercept": ["workflows-runtime"]} if where == "intercept" else {"rest": ["--intercept=workflows-runtime"]}
    )
    with pytest.raises(Trouble, match="workflows-runtime has no port"):
        asked(**words)


def test_a_flag_is_not_a_service():
    with pytest.raises(Trouble, match="'--help' is not a service"):
        asked(["--help"])
