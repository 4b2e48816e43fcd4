"""A YAML text of another program, changed in a few places: comments, quoting and every other byte stay."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.core.yaml import nodes
from tasks.core.yaml.nodes import Node
from tasks.core.yaml.strict import loader

Place = tuple[int, int, str]  # from, to, and what stands there then
_NULL = "tag:yaml.org,2002:null"


class _Anew(Exception):
    """Not a change that this can make; the whole is written anew."""


def changed(text: str, wanted: Node) -> str:
    """The text so that it reads as `wanted`, a mapping: entries of its lists replaced or added, keys set.

    Where that takes more (another program wrote it as JSON), the whole is written anew.
    """
    import yaml

    anew = nodes.serialized(wanted)
    lines = "\r\n" if "\r\n" in text else "\n"
    try:
        old = yaml.compose(text, Loader=loader())
        places = list(_places(text, old, wanted)) if old is not None else [(len(text), len(text), _after(text) + anew)]
        order = sorted(range(len(places)), key=lambda number: (places[number][0], number))
        for start, end, new in (places[number] for number in reversed(order)):  # from behind: no place moves another
            text = text[:start] + new.replace("\n", lines) + text[end:]
        return text if _same(yaml.compose(text, Loader=loader()), wanted) else anew
    except (_Anew, yaml.YAMLError):
        return anew


def _places(text: str, old: Node, new: Node) -> Iterator[Place]:
    """What differs between two mappings, the second of which has each key of the first."""
    _must(_block(old, "mapping") and new.id == "mapping")
    there = {nodes.text(key): (key, value) for key, value in old.value}
    added = []
    for key, value in new.value:
        name, at = there.get(nodes.text(key), (None, None))
        if at is None:
            added.append((key, value))
        elif _block(at, "sequence") and value.id == "sequence":
            yield from _items(text, at, value)
        elif not _same(at, value):
            yield _replaced(text, at, value, name.start_mark.column)
    if added:
        yield _inserted(text, old, _mapping(added))


def _items(text: str, old: Node, new: Node) -> Iterator[Place]:
    """What differs between two lists of mappings, the second of which is at least as long."""
    _must(len(new.value) >= len(old.value))
    for before, after in zip(old.value, new.value, strict=False):
        if not _same(before, after):
            yield from _places(text, before, after)
    more = new.value[len(old.value) :]
    if more:
        yield _inserted(text, old, nodes.sequence(*more))


def _replaced(text: str, old: Node, new: Node, column: int) -> Place:
    """The new value where the old one stands; column: of its key."""
    start, end = old.start_mark.index, _end(old)
    if new.id == "scalar":
        return start, end, _after_key(new).strip("\n")
    if _block(old, new.id):
        return start, end, _indented(new, old.start_mark.column).lstrip(" ").rstrip("\n")
    start = len(text[:start].rstrip(" "))
    return start, end, "\n" + _indented(new, column + (2 if new.id == "mapping" else 0)).rstrip("\n")


def _inserted(text: str, old: Node, more: Node) -> Place:
    """More of a block, behind its last line."""
    at = _end(old)
    if text[at - 1 : at] != "\n":
        at = text.find("\n", at) + 1 or len(text)
    return at, at, _after(text[:at]) + _indented(more, old.start_mark.column)


def _indented(node: Node, column: int) -> str:
    lines = nodes.serialized(node).splitlines(keepends=True)
    return "".join(" " * column + line if line.strip() else line for line in lines)


def _after_key(node: Node) -> str:
    return nodes.serialized(nodes.mapping(("k", node))).removeprefix("k:").removeprefix(" ")


def _after(text: str) -> str:
    """The end of the last line, where it has none."""
    return "\n" if text and not text.endswith("\n") else ""


def _mapping(pairs: list[tuple[Node, Node]]) -> Node:
    found = nodes.mapping()
    found.value.extend(pairs)
    return found


def _end(node: Node) -> int:
    """Where the node's text ends: the parser counts comments and blank lines behind a block to it."""
    if node.id == "scalar" or node.flow_style or not node.value:
        return int(node.end_mark.index)
    last = node.value[-1]
    return _end(last[1] if node.id == "mapping" else last)


def _block(node: Node, kind: str) -> bool:
    return bool(node.id == kind and not node.flow_style and node.value)


def _same(a: Node, b: Node) -> bool:
    """The same data in the same order, scalars of the same kind."""
    if a is None or b is None or a.id != b.id or a.tag != b.tag:
        return False
    if a.id == "scalar":
        return bool(a.value == b.value or a.tag == _NULL)
    flat = [(n for pair in node.value for n in pair) if node.id == "mapping" else node.value for node in (a, b)]
    return len(a.value) == len(b.value) and all(_same(x, y) for x, y in zip(*flat, strict=True))


def _must(holds: bool) -> None:
    if not holds:
        raise _Anew
