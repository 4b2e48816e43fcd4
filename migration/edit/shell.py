"""A shell script as its top-level statements, and the choice of those that stay."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from migration.edit.shell_commands import HEREDOC, commands, says_only

_FUNCTION = re.compile(r"^\s*(?:function\s+([\w-]+)\s*(?:\(\s*\)\s*)?|([\w-]+)\s*\(\s*\)\s*)[{(]")
_HEADER = re.compile(
    r"^\s*(?:function\s+[\w-]+\s*(?:\(\s*\))?|[\w-]+\s*\(\s*\))\s*(?:#.*)?$"
)  # its bracket comes below
_ASSIGN = re.compile(r"^\s*(?:export\s+|readonly\s+)?(\w+)=", re.MULTILINE)
_OPEN, _CLOSE = {"if", "case", "do", "{"}, {"fi", "esac", "done", "}"}


@dataclass(frozen=True)
class Statement:
    """first, last: lines, from 1; text: with the comments above it; code: without comments."""

    first: int
    last: int
    text: str
    code: str

    @property
    def function(self) -> str:
        """The name, when it defines a function."""
        found = _FUNCTION.match(self.code)
        return (found[1] or found[2]) if found else ""

    @property
    def assigned(self) -> set[str]:
        """The variables it sets at the top level."""
        return set() if self.function else set(_ASSIGN.findall(self.code))


@dataclass
class Chosen:
    """kept: what stays, in order; calls: lines that stay, out of functions that go; lost: lines that neither go with the
    local cluster nor can stand alone, each with its place."""

    kept: list[Statement] = field(default_factory=list)
    dropped: list[Statement] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def statements(text: str) -> list[Statement]:
    """The top-level statements of a script. Comments belong to the statement below them."""
    found: list[Statement] = []
    pending: list[str] = []
    code: list[str] = []
    start, scan = 1, _Scan()
    for number, line in enumerate(text.splitlines(), 1):
        pending.append(line)
        bare = line.strip()
        if not code and not scan.open and (not bare or bare.startswith("#")):
            continue
        if not code:
            start = number
        code.append(line)
        scan.line(line)
        if not scan.open:
            found.append(Statement(start, number, "\n".join(pending), "\n".join(code)))
            pending, code = [], []
    if code:
        found.append(Statement(start, start + len(code) - 1, "\n".join(pending), "\n".join(code)))
    return found


class _Scan:
    """What is open at the end of a line: quotes, brackets, blocks, here-documents, a continued line."""

    def __init__(self) -> None:
        self._stack: list[str] = []
        self._blocks = 0
        self._heredocs: list[str] = []
        self._goes_on = False

    @property
    def open(self) -> bool:
        """Does the statement go on in the next line?"""
        return bool(self._stack or self._heredocs or self._goes_on) or self._blocks > 0

    def line(self, line: str) -> None:
        """Read one line."""
        if self._heredocs and not self._stack:
            if line.strip() == self._heredocs[0]:
                self._heredocs.pop(0)
            return
        self._goes_on, place, before = False, 0, " "
        while place < len(line):
            step = (
                self._inside(line, place)
                if self._stack and self._stack[-1] != "("
                else self._command(line, place, before)
            )
            before = line[place + step - 1 : place + step] or " "
            place += step
        if not self._stack and (re.search(r"(?:\|\||&&|\|)\s*(?:#.*)?$", line) or _HEADER.match(line)):
            self._goes_on = True

    def _inside(self, line: str, place: int) -> int:
        top, char = self._stack[-1], line[place]
        if top == "'":
            if char == "'":
                self._stack.pop()
            return 1
        if char == "\\":
            return 2
        if top in {"((", "(1"}:  # arithmetic: `<<` is no here-document
            if line.startswith("))" if top == "((" else ")", place):
                self._stack.pop()
                return len(top) if top == "((" else 1
            if char == "(":
                self._stack.append("(1")
            return 1
        if char == {'"': '"', "{": "}", "`": "`"}[top]:
            self._stack.pop()
        elif line.startswith("$((", place):
            self._stack.append("((")
            return 3
        elif line.startswith("$(", place):
            self._stack.append("(")
            return 2
        elif line.startswith("${", place):
            self._stack.append("{")
            return 2
        elif char == "`" or (char == '"' and top != '"') or (char == "'" and top == "`"):
            self._stack.append(char)
        return 1

    def _command(self, line: str, place: int, before: str) -> int:
        char = line[place]
        if char == "\\":
            self._goes_on = place == len(line) - 1
            return 2
        if char == "#" and before in " \t;(":
            return len(line) - place
        if char in "\"'`":
            self._stack.append(char)
        elif line.startswith("${", place):
            self._stack.append("{")
            return 2
        elif line.startswith(
            (
                "((",
                "$((",
            ),
            place,
        ):
            self._stack.append("((")
            return 3 if char == "$" else 2
        elif char == "(":
            if line.startswith("()", place):
                return 2
            self._stack.append("(")
        elif char == ")":
            if self._stack:
                self._stack.pop()
        elif line.startswith("<<<", place):
            return 3
        elif found := HEREDOC.match(line, place):
            self._heredocs.append(found[2])
            return len(found[0])
        elif not self._stack and before in " \t;&|()" and (word := re.match(r"[a-z]+|[{}]", line[place:])):
            after = line[place + len(word[0]) : place + len(word[0]) + 1]
            if after == "" or after in " \t;)&|<>":
                self._blocks += (word[0] in _OPEN) - (word[0] in _CLOSE)
            return len(word[0])
        return 1


def choose(script: Sequence[Statement], obsolete: re.Pattern[str], ours: re.Pattern[str]) -> Chosen:
    """Drop what matches `obsolete` or `ours`; keep all else, with the functions and variables it needs.

    A function that goes by its content, not by its name, is looked into: its lines that are no part of the local cluster
    are kept as lines of their own where they can stand alone. A function that stays is still called. What an `if`, a loop
    or a list that goes holds beside the local cluster is lost: whether it should run is for a person to say.
    """
    functions = {s.function: s for s in script if s.function}
    bad = {n for n, s in functions.items() if _says(obsolete, s) or _says(ours, s)}
    good = {n: s for n, s in functions.items() if n not in bad}
    found = Chosen()
    kept: list[Statement] = []
    inside: dict[str, None] = {}
    entered: set[str] = set()

    def leave_out(code: str, first: int) -> None:
        """Name what goes with this piece of the script and is none of the local cluster. first: its first line."""
        for offset, said in commands(code):
            head = said.partition("\n")[0]
            if HEREDOC.search(head):  # what a text holds does not say what is done with it
                said = head
            gone = obsolete.search(said) or ours.search(said) or says_only(said) or any(_names(n, said) for n in bad)
            if not gone:
                found.lost.append(f"{first + offset}: {head}")

    def enter(name: str) -> None:
        """Sort the lines of a function that goes, and of those it calls."""
        if name in entered:
            return
        entered.add(name)
        whole = obsolete.search(name) is not None or ours.search(f"{name}()") is not None
        one = functions[name]
        for part in statements(_body(one.code)):
            for other in (n for n in functions if n != name and _names(n, part.code)):
                if other in bad:
                    enter(other)
                elif whole and part.code.strip() == other:
                    inside.setdefault(other)
            named_bad = any(_names(n, part.code) for n in bad)
            if whole or _is_local(part.code):
                continue
            if named_bad or _says(obsolete, part) or _says(ours, part):
                leave_out(part.code, one.first + part.first - 1)
            elif re.search(r"\$\{?[0-9@*#]|\breturn\b", part.code):
                found.lost.append(f"{one.first + part.first - 1}: {part.code.strip().splitlines()[0]}")
            else:
                inside.setdefault(part.code.strip())

    for one in script:
        if one.function:
            continue
        called = {n for n in functions if _names(n, one.code)}
        if _says(obsolete, one) or _says(ours, one) or called & bad:
            found.dropped.append(one)
            leave_out(one.code, one.first)
            for name in sorted(called & bad):
                enter(name)
        else:
            kept.append(one)
    texts = [*(s.code for s in kept), *inside]
    needed = {n for n in good if any(_names(n, t) for t in texts)}
    while more := {n for n in good if n not in needed and any(_names(n, good[m].code) for m in needed)}:
        needed |= more
    used = "\n".join([*texts, *(good[n].code for n in needed)])
    for one in list(found.dropped):  # an assignment that something kept still reads
        if one.assigned and not _runs(one) and any(re.search(rf"\$\{{?{v}\b", used) for v in one.assigned):
            kept.append(one)
            found.dropped.remove(one)
    keep = {id(s) for s in kept} | {id(functions[n]) for n in needed}
    found.kept = [s for s in script if id(s) in keep and not _unused(s, used)]
    stays = {id(k) for k in found.kept}
    found.dropped = [s for s in script if id(s) not in stays]
    found.calls = list(inside)
    return found


def _body(code: str) -> str:
    """The lines between a function's brackets."""
    found = _FUNCTION.match(code)
    return code[found.end() :].rstrip().removesuffix("}").removesuffix(")") if found else ""


def _is_local(code: str) -> bool:
    return re.match(r"\s*local\s+[\w\s]+$", code) is not None


def _unused(one: Statement, used: str) -> bool:
    """An assignment, and nothing else, that nothing kept reads and no child process gets."""
    if not one.assigned or _runs(one) or one.code.lstrip().startswith("export"):
        return False
    return not any(re.search(rf"\$\{{?{v}\b", used) for v in one.assigned)


def _runs(one: Statement) -> bool:
    return not all(_ASSIGN.match(line) for line in one.code.splitlines())


def _says(pattern: re.Pattern[str], one: Statement) -> bool:
    return (
        pattern.search("\n".join(line for line in one.code.splitlines() if not line.lstrip().startswith("#")))
        is not None
    )


def _names(name: str, code: str) -> bool:
    return re.search(rf"(?<![\w$./-]){re.escape(name)}(?![\w/-]|\(\))", code) is not None
