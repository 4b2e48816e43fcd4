"""Edit the YAML text of another program in a few places: comments, quoting and every other byte stay."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.core.yaml import nodes
from tasks.core.yaml.bounded import loader
from tasks.core.yaml.nodes import Node

Edit = tuple[int, int, str]  # start, end, and the new text between them
_NULL = "tag:yaml.org,2002:null"


class _NotLocal(Exception):
    """The change cannot be made in a few places."""


def changed(text: str, wanted: Node) -> str:
    """Return the text edited so that it reads as `wanted`, a mapping: keys set, list entries replaced or added.

    Where that needs more, such as a file that another program wrote as JSON, return the whole newly serialized.
    """
    import yaml

    rewritten = nodes.serialized(wanted)
    try:
        old = yaml.compose(text, Loader=loader())
        edits = list(_edits(text, old, wanted)) if old is not None else [_appended(text, rewritten)]
        edited = _applied(text, edits)
        return edited if _same(yaml.compose(edited, Loader=loader()), wanted) else rewritten
    except (_NotLocal, yaml.YAMLError):
        return rewritten


def _applied(text: str, edits: list[Edit]) -> str:
    """The text with these edits, made from the end so that none moves another; those at one place in their order."""
    newline = "\r\n" if "\r\n" in text else "\n"
    order = sorted(range(len(edits)), key=lambda number: (edits[number][0], number), reverse=True)
    for start, end, new in (edits[number] for number in order):
        text = text[:start] + new.replace("\n", newline) + text[end:]
    return text


def _appended(text: str, more: str) -> Edit:
    return len(text), len(text), _missing_newline(text) + more


def _edits(text: str, old: Node, new: Node) -> Iterator[Edit]:
    """The edits from one mapping to another, which has each key of the first."""
    _must(_block(old, "mapping") and new.id == "mapping")
    existing = {nodes.text(key): (key, value) for key, value in old.value}
    added = []
    for key, value in new.value:
        old_key, old_value = existing.get(nodes.text(key), (None, None))
        if old_value is None:
            added.append((key, value))
        elif _block(old_value, "sequence") and value.id == "sequence":
            yield from _item_edits(text, old_value, value)
        elif not _same(old_value, value):
            yield _replaced(text, old_value, value, old_key.start_mark.column)
    if added:
        yield _inserted(text, old, _mapping(added))


def _item_edits(text: str, old: Node, new: Node) -> Iterator[Edit]:
    """The edits from one list of mappings to another, which is at least as long."""
    _must(len(new.value) >= len(old.value))
    for before, after in zip(old.value, new.value, strict=False):
        if not _same(before, after):
            yield from _edits(text, before, after)
    more = new.value[len(old.value) :]
    if more:
        yield _inserted(text, old, nodes.sequence(*more))


def _replaced(text: str, old: Node, new: Node, column: int) -> Edit:
    """The new value in the place of the old one. column: of its key."""
    start, end = old.start_mark.index, _end(old)
    if new.id == "scalar":
        return start, end, _after_key(new).strip("\n")
    if _block(old, new.id):
        return start, end, _indented(new, old.start_mark.column).lstrip(" ").rstrip("\n")
    start = len(text[:start].rstrip(" "))
    return start, end, "\n" + _indented(new, column + (2 if new.id == "mapping" else 0)).rstrip("\n")


def _inserted(text: str, old: Node, more: Node) -> Edit:
    """More of a block, after its last line."""
    at = _end(old)
    if text[at - 1 : at] != "\n":
        at = text.find("\n", at) + 1 or len(text)
    return at, at, _missing_newline(text[:at]) + _indented(more, old.start_mark.column)


def _indented(node: Node, column: int) -> str:
    lines = nodes.serialized(node).splitlines(keepends=True)
    return "".join(" " * column + line if line.strip() else line for line in lines)


def _after_key(node: Node) -> str:
    return nodes.serialized(nodes.mapping(("k", node))).removeprefix("k:").removeprefix(" ")


def _missing_newline(text: str) -> str:
    """The newline that the last line lacks."""
    return "\n" if text and not text.endswith("\n") else ""


def _mapping(pairs: list[tuple[Node, Node]]) -> Node:
    mapping = nodes.mapping()
    mapping.value.extend(pairs)
    return mapping


def _end(node: Node) -> int:
    """Where the node's text ends. The parser's own mark of a block is after the comments and blank lines below it."""
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
        raise _NotLocal
