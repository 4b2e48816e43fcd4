"""Generated start scripts. The generator knows every command in them, so that no parser has to be asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

_DOCUMENT = ["it's (", "then $(echo ')') fi", "}", "  EOF", "\tteam not-a-command", "# don't", 'a "quote', ""]
_ERRORS = ["fi", "echo 'it", "if true; then", ")", "done", 'x="', "case a in", "cat <<EOF", "f( {", "&& true"]


@dataclass(frozen=True)
class Command:
    """A command of the script. marker: its first argument, used once; line: where it begins, from 1.

    alone: it is a whole top-level line, so that it must be kept; function: in whose body it is
    """

    marker: str
    local: bool
    line: int
    alone: bool = False
    function: str = ""


@dataclass
class Piece:
    """Some lines of a script. Lines of its commands count from 0 here."""

    lines: list[str] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)

    def add(self, other: Piece) -> None:
        """Append the other piece."""
        self.commands += [replace(c, line=c.line + len(self.lines)) for c in other.commands]
        self.lines += other.lines


@dataclass
class Script:
    """text: the whole script, with LF; broken_from: the line of a syntax error, 0 for a valid script

    called: functions that a top-level line above the syntax error calls
    """

    text: str
    commands: list[Command]
    broken_from: int
    called: frozenset[str]


def generate(seed: int) -> Script:
    """A script of the team with a local cluster in it."""
    return _Generator(Random(seed)).script()


class _Generator:
    def __init__(self, random: Random) -> None:
        self._random, self._number = random, 0
        self._functions: list[str] = []
        self._called: set[str] = set()
        self._broken = 0

    def script(self) -> Script:
        """Some top-level pieces below a shebang, sometimes with a syntax error between them."""
        random, whole = self._random, Piece(["#!/bin/bash", "# The team's script: don't touch"])
        count = random.randint(4, 12)
        error = random.randrange(count) if random.random() < 0.25 else -1
        for number in range(count):
            if number == error:
                self._broken = len(whole.lines) + 1
                whole.add(Piece([random.choice(_ERRORS)]))
            whole.add(random.choice([self._alone, self._alone, self._alone, self._compound, self._function])())
            if random.random() < 0.2:
                whole.add(Piece(random.choice([[""], ["# if (it's", ""], ["   # k3d"]])))
        commands = [replace(c, line=c.line + 1) for c in whole.commands]
        return Script("\n".join([*whole.lines, ""]), commands, self._broken, frozenset(self._called))

    def _alone(self) -> Piece:
        """A command as a top-level line."""
        if self._functions and self._random.random() < 0.25:
            return self._call(self._random.choice(self._functions))
        if self._random.random() < 0.1:
            first, second = self._one_line(), self._one_line()
            return Piece([f"{first.lines[0]}; {second.lines[0]}"], first.commands + second.commands)
        piece = self._command(0)
        return Piece(piece.lines, [replace(c, alone=len(piece.commands) == 1) for c in piece.commands])

    def _call(self, function: str) -> Piece:
        if not self._broken:
            self._called.add(function)
        return Piece([function])

    def _name(self) -> tuple[str, Command]:
        self._number += 1
        local = self._random.random() < 0.35
        marker = f"{'L' if local else 'T'}{self._number}"
        return f"{'k3d' if local else 'team'} {marker}", Command(marker, local, 0)

    def _one_line(self) -> Piece:
        code, command = self._name()
        forms = [
            "{}",
            "{} 'a;b' \"it's\"",
            "{} | cat",
            "{} >/dev/null 2>&1",
            "A=1 {}",
            "{} $((1 << 2))",
            '{} "${{HOME#*/}}"',
        ]
        forms += ["[ -n x ] && {}", "! {}", '{} "$(echo ")")" \\\'', "{} 'größe → ✓ \u2028\x0c'", "( {} )", "{{ {}; }}"]
        return Piece([self._random.choice(forms).format(code)], [command])

    def _command(self, depth: int) -> Piece:
        """A command in one or more lines, indented like its surroundings."""
        indent = "  " * depth
        form = self._random.choice([self._plain, self._plain, self._long, self._document, self._captured, self._two])
        piece = form()
        return Piece([indent + piece.lines[0], *piece.lines[1:]], piece.commands)

    def _plain(self) -> Piece:
        piece = self._one_line()
        end = self._random.choice(["", "", " # don't (k3d)", " ;", " || true", " & wait"])
        return Piece([piece.lines[0] + end], piece.commands)

    def _long(self) -> Piece:
        """More than one line, by a backslash or in quotes."""
        code, command = self._name()
        forms = [[f"{code} \\", "  --more"], [f'{code} "a', "fi; done", 'b"'], [f"{code} 'x", "# y", "'"]]
        forms += [[f"{code} |", "  cat"], [f"{code} &&", "  true"]]
        return Piece(self._random.choice(forms), [command])

    def _document(self) -> Piece:
        """A command with a here-document."""
        code, command = self._name()
        mark, end = self._random.choice(
            [
                ("<<EOF", "EOF"),
                ("<<'EOF'", "EOF"),
                ("<<-EOF", "\tEOF"),
                ("<<-'X'", "\t\tX"),
                ('<<"E F"', "E F"),
                ("<<\\EOF", "EOF"),
            ]
        )
        rows = self._random.sample(_DOCUMENT, 4)
        if end.strip() == "EOF" and mark.startswith("<<-"):
            rows = [row for row in rows if row.strip() != "EOF"]
        kind = self._random.random()
        if kind < 0.6:
            return Piece([f"{code} {mark}", *rows, end], [command])
        if kind < 0.8:
            return Piece([f"{code} {mark} | cat", *rows, end], [command])
        if kind < 0.9:
            return Piece([f"{code} {mark} <<'SECOND'", *rows, end, "it's", "SECOND"], [command])
        other, second = self._name()
        return Piece([f"{code} {mark} && {other}", *rows, end], [command, second])

    def _captured(self) -> Piece:
        """A here-document, or quotes, in a command substitution."""
        code, command = self._name()
        name = f"x{self._number}"
        forms = [
            [f"{name}=$({code} <<EOF", "it's here", "EOF", ")"],
            [f"{name}=$({code} <<'EOF'", "don't )", "EOF", ")"],
            [f'{name}="$({code} "a b")"'],
            [f'{name}="$(', f"  {code}", ')"'],
            [f"echo `{code}`"],
        ]
        lines = self._random.choice(forms)
        return Piece(lines, [replace(command, line=next(n for n, row in enumerate(lines) if code in row))])

    def _two(self) -> Piece:
        """A list of two commands."""
        first, second = self._one_line(), self._one_line()
        sign = self._random.choice(["&&", "||", ";"])
        return Piece([f"{first.lines[0]} {sign} {second.lines[0]}"], first.commands + second.commands)

    def _block(self, depth: int) -> Piece:
        """The commands in a compound statement."""
        piece = Piece()
        for _ in range(self._random.randint(1, 3)):
            nested = depth < 3 and self._random.random() < 0.3
            piece.add(self._compound(depth) if nested else self._command(depth))
        return piece

    def _compound(self, depth: int = 0) -> Piece:
        forms: list[Callable[[int], list[str | None]]] = [_if, _for, _while, _case, _group, _subshell, _one_liner]
        piece, indent = Piece(), "  " * depth
        for line in self._random.choice(forms)(self._random.randrange(3)):
            if line is None:
                piece.add(self._block(depth + 1))
            elif "{}" in line:
                inner = self._one_line()
                piece.add(Piece([indent + line.replace("{}", inner.lines[0])], inner.commands))
            else:
                piece.add(Piece([indent + line]))
        return piece

    def _function(self) -> Piece:
        name = f"{self._random.choice(['do', 'do', 'k3d'])}_{len(self._functions)}"
        head, tail = self._random.choice(
            [
                (["NAME() {"], "}"),
                (["NAME()", "{"], "}"),
                (["function NAME {"], "}"),
                (["NAME() ("], ")"),
                (["NAME() {"], "} >&2"),
            ]
        )
        piece = Piece([row.replace("NAME", name) for row in head])
        piece.add(self._block(1))
        piece.add(Piece([tail]))
        if self._functions and self._random.random() < 0.2:
            piece.lines.insert(-1, f"  {self._random.choice(self._functions)}")
        self._functions.append(name)
        if self._random.random() < 0.7:
            piece.add(self._call(name))
        return Piece(piece.lines, [replace(c, function=name) for c in piece.commands])


def _if(kind: int) -> list[str | None]:
    parts: list[list[str | None]] = [[], ["else", None], ["elif {}; then", None, "else", None]]
    return ['if [ -d "$HOME" ]; then', None, *parts[kind], "fi"]


def _for(kind: int) -> list[str | None]:
    heads: list[list[str | None]] = [["for i in 1; do"], ["for i in 'a b'", "do"], ["for ((i = 0; i < 1; i++)); do"]]
    return [*heads[kind], None, "done"]


def _while(kind: int) -> list[str | None]:
    heads: list[list[str | None]] = [["while true; do"], ["until false", "do"], ["while {}; do"]]
    return [*heads[kind], None, "break", "done"]


def _case(kind: int) -> list[str | None]:
    first = ["a | b)", "(a)", "'it')"][kind]
    return ['case "${1:-}" in', first, None, ";;", "*)", None, ";;", "esac"]


def _group(kind: int) -> list[str | None]:
    return ["{", None, ["}", "} 2>/dev/null", "} | cat"][kind]]


def _subshell(kind: int) -> list[str | None]:
    return ["(", None, [")", ") >/dev/null", ") || true"][kind]]


def _one_liner(kind: int) -> list[str | None]:
    return [["if true; then {}; fi", "for i in 1; do {}; done", "{ {}; } || { true; }"][kind]]
