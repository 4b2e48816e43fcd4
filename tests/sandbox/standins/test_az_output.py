"""How the stand-in for az prints a result: --query and --output."""

from __future__ import annotations

import json

import pytest

from sandbox.standins.az.output import shown
from sandbox.standins.az.parser import AzError


def test_a_query_selects_with_jmespath():
    roles = [{"role": "AcrPull", "on": True}, {"role": "AcrPush", "on": False}]
    assert json.loads(shown(roles, None, "[?on].role")) == ["AcrPull"]
    assert shown({"a": 1}, None, "missing") == ""


@pytest.mark.parametrize("query", ["", "[", "a b", "unknown(a)", "length(missing)"])
def test_an_invalid_query_is_refused_in_the_words_of_az(query: str):
    with pytest.raises(AzError) as error:
        shown({"a": 1}, None, query)
    assert error.value.exit == 2
    assert error.value.text.startswith(f"argument --query: invalid jmespath_type value: {query!r}\n")


@pytest.mark.parametrize(
    ("data", "output", "text"),
    [
        ({"b": 1, "a": None}, None, '{\n  "a": null,\n  "b": 1\n}\n'),
        (None, None, ""),
        ({"a": 1}, "none", ""),
        ("x", "tsv", "x\n"),
        (True, "tsv", "true\n"),
        ([["a", True, None, [1, 2]], ["b", False, 1, []]], "tsv", "a\tTrue\tNone\t2\nb\tFalse\t1\t0\n"),
        ([{"name": "n", "id": "1"}], "table", "Name  Id\n----  --\nn     1\n"),
    ],
)
def test_the_result_is_printed_as_knack_does(data: object, output: str | None, text: str):
    assert shown(data, output, None) == text
