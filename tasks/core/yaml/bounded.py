"""The loader of YAML for every file: safe, in C where PyYAML has it, and bounded.

PyYAML's parser in C calls itself for each level: 20,000 brackets end the process with a segmentation fault. An alias
bomb of ten lines becomes billions of values in whatever walks over it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

DEEPEST = 100  # levels
LARGEST = 200_000  # values, each alias counted as what it stands for

# What PyYAML's constructor raises for `2024-13-45`, `!!bool maybe`, `!!timestamp x`, a number of 5,000 digits.
INVALID = (ValueError, LookupError, AttributeError, TypeError, ArithmeticError)


class _Limits:
    """The limits, before a loader of PyYAML in the order of methods."""

    def __init__(self, stream: Any) -> None:
        try:
            super().__init__(stream)  # type: ignore[call-arg]
        except UnicodeEncodeError:
            raise _refused("not valid Unicode", None) from None
        self.level = 0
        self.has_aliases = not isinstance(stream, str) or ("&" in stream and "*" in stream)

    def descend_resolver(self, current: Any, index: Any) -> None:
        """Count the level. The parser calls this before each value: the one place where both parsers can be stopped."""
        self.level += 1
        if self.level > DEEPEST:
            raise _refused(f"nested too deeply: more than {DEEPEST} levels", current)
        super().descend_resolver(current, index)  # type: ignore[misc]

    def ascend_resolver(self) -> None:
        self.level -= 1
        super().ascend_resolver()  # type: ignore[misc]

    def get_single_node(self) -> Any:
        return self._measured(super().get_single_node())  # type: ignore[misc]

    def get_node(self) -> Any:
        return self._measured(super().get_node())  # type: ignore[misc]

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)  # type: ignore[misc]
        except INVALID:
            raise _refused(f"'{str(node.value)[:60]}' is not a valid value", node) from None

    def _measured(self, node: Any) -> Any:
        if node is not None and self.has_aliases:
            _measure(node, {})
        return node


@cache
def loader() -> Any:
    """Return the loader's class. It raises yaml.YAMLError for anything that it does not read."""
    import yaml

    parent = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C it is ten times as fast
    return type("BoundedLoader", (_Limits, parent), {})


def _measure(node: Any, known: dict[int, tuple[int, int]]) -> tuple[int, int]:
    """The number of values and of levels with the aliases written out. Raises ConstructorError beyond the limits.

    known: those of the nodes that were measured; an alias names one of them
    """
    if id(node) in known:
        return known[id(node)]
    known[id(node)] = (0, DEEPEST + 1)  # until it is measured: an alias to itself has no end
    size, height = 1, 1
    for child in _children(node):
        more, levels = _measure(child, known)
        size, height = size + more, max(height, levels + 1)
        if height > DEEPEST:
            raise _refused(f"nested too deeply: more than {DEEPEST} levels", node)
        if size > LARGEST:
            raise _refused("its aliases stand for too much", node)
    known[id(node)] = (size, height)
    return size, height


def _children(node: Any) -> list[Any]:
    if node.id == "mapping":
        return [part for pair in node.value for part in pair]
    return list(node.value) if node.id == "sequence" else []


def _refused(problem: str, node: Any) -> Exception:
    from yaml.constructor import ConstructorError

    return ConstructorError(None, None, problem, node.start_mark if node is not None else None)
