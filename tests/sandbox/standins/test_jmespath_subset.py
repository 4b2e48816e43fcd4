"""`az --query` selects what JMESPath selects."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.standins.az.output import shown
from sandbox.standins.jmespath_subset import InvalidQuery, search

DATA = {
    "azure-cli": "2",
    "list": [{"n": "x", "on": True, "in": [1, 2]}, {"n": "y", "on": False, "in": [3]}, {"n": "z"}],
    "map": {"a": {"v": 1}, "b": {"v": 2}},
}


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ('"azure-cli"', "2"),
        ("nothing.at.all", None),
        ("list[0].n", "x"),
        ("list[-1].n", "z"),
        ("list[9]", None),
        ("list[].n", ["x", "y", "z"]),
        ("list[*].in[0]", [1, 3]),
        ("list[].in[]", [1, 2, 3]),
        ("list[?on].n", ["x"]),
        ("list[?n=='y'].{name: n, first: in[0]}", [{"name": "y", "first": 3}]),
        ("list[?n!='y' && !on].n", ["z"]),
        ("list[?contains(n, 'z')] | [0].n", "z"),
        ("list[?in[0] >= `3`].n", ["y"]),
        ("list[].[n, on]", [["x", True], ["y", False], ["z", None]]),
        ("map.*.v", [1, 2]),
        ("length(list)", 3),
        ("sort_by(list, &n)[-1].n", "z"),
        ("nothing || map.a.v", 1),
        ("join(',', list[].n)", "x,y,z"),
        ("@.map.a", {"v": 1}),
    ],
)
def test_it_selects(query: str, wanted: object):
    assert search(query, DATA) == wanted


@pytest.mark.parametrize("query", ["", "[", "a.", "a b", "list[?", "unknown(a)", "list[0:2]", "length(nothing)", "{a}"])
def test_what_it_does_not_know_is_invalid_never_wrong(query: str):
    with pytest.raises(InvalidQuery):
        search(query, DATA)


@given(st.text(max_size=30))
def test_no_text_makes_it_fall(query: str):
    try:
        search(query, DATA)
    except InvalidQuery:
        pass


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
