"""A member is added and removed in the right place, however people break the lines of their JSON."""

from __future__ import annotations

import pytest

from migration.edit.jsonc import Jsonc, plain

SHAPES = {
    "the bracket behind the last member": '{\n  "f": {\n    "a": 1,\n    "b": 2 },\n  "x": 1\n}\n',
    "the same with a comma": '{\n  "f": {\n    "a": 1,\n    "b": 2, },\n  "x": 1, }\n',
    "two brackets in a line": '{\n  "x": 1,\n  "f": {\n    "a": 1,\n    "b": 2 }}\n',
    "half a comment in the line": '{\n  "f": {\n    "a": 1,\n    "b": 2 /* two\n lines, } */\n  },\n  "x": 1 /* and\n here */\n}\n',
    "a comment behind the bracket": '{\r\n  "f": {\r\n    "a": 1,\r\n    "b": 2 }, // }\r\n  "x": 1 } /* more\r\n */',
    "a comma in front": '{\n  "f": {\n    "a": 1 // one\n    , "b": 2 // two\n  }\n  , "x": 1 // x\n}\n',
}


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
def test_a_member_gets_into_the_object_that_was_meant(text: str):
    document = Jsonc(text, "x")
    document.set(("f", "new"), {"k": []})
    document.set(("top",), "t")
    document.append(("list",), [1, 2])
    assert plain(document.whole(), "x") == {"f": {"a": 1, "b": 2, "new": {"k": []}}, "x": 1, "top": "t", "list": [1, 2]}
    assert document.whole().count("/*") == text.count("/*")


@pytest.mark.parametrize("text", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("key", ["a", "b"])
def test_a_removed_member_takes_no_other_with_it(text: str, key: str):
    document = Jsonc(text, "x")
    document.remove("f", key)
    document.remove("x")
    assert plain(document.whole(), "x") == {"f": {"b": 2} if key == "a" else {"a": 1}}
