"""YAML as nodes: for files of other programs, which are copied and edited without knowing every key.

A node keeps what reading would change: the order of keys, quoting, and words such as `on`, `0123`, `12:30`.
"""

from __future__ import annotations

from typing import Any

Node = Any  # a yaml.Node; yaml itself is imported where it is used


def find(node: Node, key: str) -> Node:
    """Return the value of the key in a mapping node; None when it is absent or null, or for another node."""
    if getattr(node, "id", "") != "mapping":
        return None
    for name, value in node.value:
        if text(name) == key:
            return None if value.tag == "tag:yaml.org,2002:null" else value
    return None


def text(node: Node) -> str:
    """Return a scalar node's text as it is written; empty for anything else."""
    value = getattr(node, "value", None)
    return value if isinstance(value, str) and node.tag != "tag:yaml.org,2002:null" else ""


def items(node: Node) -> list[Node]:
    """Return the nodes of a list; empty for anything else."""
    return list(node.value) if getattr(node, "id", "") == "sequence" else []


def word(value: str) -> Node:
    """Return a node for a string, quoted if it would be read as something else."""
    import yaml

    return yaml.compose(yaml.safe_dump(value, allow_unicode=True, width=10**6))


def mapping(*pairs: tuple[str, Node]) -> Node:
    """Return a node for a mapping, in this order."""
    import yaml

    return yaml.MappingNode("tag:yaml.org,2002:map", [(word(key), value) for key, value in pairs], flow_style=False)


def sequence(*nodes: Node) -> Node:
    """Return a node for a list."""
    import yaml

    return yaml.SequenceNode("tag:yaml.org,2002:seq", list(nodes), flow_style=not nodes)


def serialized(node: Node) -> str:
    """Return the node as YAML text, scalars unchanged."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.serialize(node, Dumper=dumper, allow_unicode=True, width=10**6))


def with_value(node: Node, key: str, value: Node) -> Node:
    """Return a copy of a mapping node with this key set, in its old place or at the end."""
    import yaml

    pairs = [(name, value if text(name) == key else old) for name, old in node.value]
    if not any(text(name) == key for name, _ in pairs):
        pairs.append((word(key), value))
    return yaml.MappingNode(node.tag, pairs, flow_style=False)


def without(node: Node, key: str) -> Node:
    """Return a copy of a mapping node without this key."""
    import yaml

    return yaml.MappingNode(node.tag, [(n, v) for n, v in node.value if text(n) != key], flow_style=False)


def plain(node: Node) -> Any:
    """Return the node as plain data, scalars as their texts, to compare it."""
    kind = getattr(node, "id", "")
    if kind == "mapping":
        return {text(key): plain(value) for key, value in node.value}
    if kind == "sequence":
        return [plain(value) for value in node.value]
    return text(node)
