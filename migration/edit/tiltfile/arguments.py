"""What a Tiltfile takes after `--`: its calls of `config`, in the files that it loads and includes too."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import libcst as cst

from migration.edit.tiltfile.syntax import UneditableTiltfile, content, is_call_of, parse, positions

_USAGE = {
    "intercept": "services to run here in an intercept, with commas or repeated",
    "only": "resources to start, with commas or repeated",
}


@dataclass
class Arguments:
    """The settings of a Tiltfile."""

    defined: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Their names, each with the file and the line that defines it."""

    parsed: bool = False
    """Does it call config.parse?"""

    parsed_elsewhere: tuple[str, int] | None = None
    """A config.parse that runs in another folder: Tilt allows one folder in a run."""

    @property
    def selects(self) -> bool:
        """Does the team's Tiltfile handle --only itself?"""
        return "only" in self.defined

    def definitions(self) -> list[str]:
        """The lines that define what the suite's tasks hand to the Tiltfile and the team's own does not know.

        Without a config.parse Tilt takes positional words as names of resources; they still are.
        """
        lines = [f"config.define_string_list('intercept', usage='{_USAGE['intercept']}')"]
        if not self.selects:
            positional = "" if self.parsed else "args=True, "
            lines.append(f"config.define_string_list('only', {positional}usage='{_USAGE['only']}')")
        return lines


def read(path: str, text: str, text_of: Callable[[str], bytes | None]) -> Arguments:
    """Read the Tiltfile and what it loads. text_of: the content of a file of the repository; None without one.

    Raises UneditableTiltfile with file and line when `--intercept` cannot be added.
    """
    found, seen = Arguments(), {path}
    open_files = [(path, text, False)]
    while open_files:
        file, content_of_file, included = open_files.pop()
        calls = _Calls(content_of_file, file)
        found.defined |= {name: (file, line) for name, line in calls.defined.items()}
        found.parsed |= bool(calls.parses)
        outside = [line for line, in_function in calls.parses if included or not in_function]
        if outside and posixpath.dirname(file) != posixpath.dirname(path):
            found.parsed_elsewhere = (file, outside[0])
        for name, is_included in calls.files:
            other = posixpath.normpath(posixpath.join(posixpath.dirname(file), name))
            data = None if "://" in name or other in seen else text_of(other)
            if data is not None:
                seen.add(other)
                open_files.append((other, data.decode("utf-8", "surrogateescape"), is_included))
    _must_take_intercept(found)
    return found


def _must_take_intercept(found: Arguments) -> None:
    if "intercept" in found.defined:
        file, line = found.defined["intercept"]
        reason = "it has a setting named intercept already, which inv tilt.up --intercept would set"
        raise UneditableTiltfile(line, reason, fix="give that setting another name", name=file)
    if found.parsed_elsewhere is not None:
        file, line = found.parsed_elsewhere
        reason = "config.parse runs in another folder than the Tiltfile's, and Tilt allows one folder"
        raise UneditableTiltfile(
            line, reason, fix="call config.parse in the Tiltfile and pass its result on", name=file
        )


class _Calls(cst.CSTVisitor):
    """The calls of config, load and include in one file."""

    def __init__(self, text: str, name: str) -> None:
        super().__init__()
        self.defined: dict[str, int] = {}
        self.parses: list[tuple[int, bool]] = []  # line, and whether it is in a function
        self.files: list[tuple[str, bool]] = []  # name, and whether it is included
        self._functions = 0
        self._module = parse(text, name)
        self._module.visit(self)

    def _line(self, node: cst.CSTNode) -> int:
        # Positions are slow: most files that a Tiltfile loads have no call of config.
        return int(positions(self._module)[node].start.line)

    def visit_FunctionDef(self, node: cst.FunctionDef) -> None:
        self._functions += 1

    def leave_FunctionDef(self, original_node: cst.FunctionDef) -> None:
        self._functions -= 1

    def visit_Call(self, node: cst.Call) -> None:
        first = _first_word(node)
        verb = _verb_of_config(node)
        if verb == "parse":
            self.parses.append((self._line(node), self._functions > 0))
        elif verb.startswith("define_") and first:
            self.defined.setdefault(first, self._line(node))
        elif first and (is_call_of(node, "load") or is_call_of(node, "include") or is_call_of(node, "load_dynamic")):
            self.files.append((first, not is_call_of(node, "load")))


def _verb_of_config(node: cst.Call) -> str:
    """`parse` of `config.parse()`; empty for any other call."""
    function: Any = node.func
    if not isinstance(function, cst.Attribute) or not isinstance(function.value, cst.Name):
        return ""
    return function.attr.value if function.value.value == "config" else ""


def _first_word(node: cst.Call) -> str:
    """The literal that is its first argument; empty without one."""
    first = node.args[0].value if node.args else None
    return content(first) if isinstance(first, cst.SimpleString) else ""
