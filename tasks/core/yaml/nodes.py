"""YAML as nodes: for files of other programs, that are copied and changed in places without being understood whole.

A node keeps what a reader would turn into something else: key order, quoting, and words such as `on`, `0123`, `12:30`.
"""

from __future__ import annotations

from typing import Any

Node = Any  # a yaml.Node; yaml itself is imported where it is used


def find(node: Node, key: str) -> Node:
    """The value of the key in a mapping node; None when it is absent or null, or the node is no mapping."""
    if getattr(node, "id", "") != "mapping":
        return None
    for name, value in node.value:
        if text(name) == key:
            return None if value.tag == "tag:yaml.org,2002:null" else value
    return None


def text(node: Node) -> str:
    """A scalar node's text as it is written; empty for anything else."""
    value = getattr(node, "value", None)
    return value if isinstance(value, str) and node.tag != "tag:yaml.org,2002:null" else ""


def items(node: Node) -> list[Node]:
    """The nodes of a list; empty for anything else."""
    return list(node.value) if getattr(node, "id", "") == "sequence" else []


def word(value: str) -> Node:
    """A node for a string; quoted where it would be read as something else."""
    import yaml

    return yaml.compose(yaml.safe_dump(value, allow_unicode=True, width=10**6))


def mapping(*pairs: tuple[str, Node]) -> Node:
    """A node for a mapping, in this order."""
    import yaml

    return yaml.MappingNode("tag:yaml.org,2002:map", [(word(key), value) for key, value in pairs], flow_style=False)


def sequence(*nodes: Node) -> Node:
    """A node for a list."""
    import yaml

    return yaml.SequenceNode("tag:yaml.org,2002:seq", list(nodes), flow_style=not nodes)


def serialized(node: Node) -> str:
    """The node as YAML text, scalars unchanged."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.serialize(node, Dumper=dumper, allow_unicode=True, width=10**6))


def with_value(node: Node, key: str, value: Node) -> Node:
    """A mapping node with this key set, in its old place or at the end; the given node stays as it is."""
    import yaml

    pairs = [(name, value if text(name) == key else old) for name, old in node.value]
    if not any(text(name) == key for name, _ in pairs):
        pairs.append((word(key), value))
    return yaml.MappingNode(node.tag, pairs, flow_style=False)


def without(node: Node, key: str) -> Node:
    """A mapping node without this key."""
    import yaml

    return yaml.MappingNode(node.tag, [(n, v) for n, v in node.value if text(n) != key], flow_style=False)


def plain(node: Node) -> Any:
    """The node as plain data, scalars as their texts, for a comparison."""
    kind = getattr(node, "id", "")
    if kind == "mapping":
        return {text(key): plain(value) for key, value in node.value}
    if kind == "sequence":
        return [plain(value) for value in node.value]
    return text(node)
