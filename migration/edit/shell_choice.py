"""What stays of a start script that served a local cluster, what is dropped, and what must be decided by hand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from migration.edit.shell import Statement, node_text, walk
from migration.edit.shell_commands import Command, called, commands, mentions, reads

Names = frozenset[str]


@dataclass(frozen=True)
class Sourced:
    """What a statement brings by the files that it sources: their functions and variables, and all of their code."""

    functions: Names = frozenset()
    variables: Names = frozenset()
    code: str = ""


NOTHING = Sourced()
Brings = Callable[[Statement], Sourced]


@dataclass(frozen=True)
class Lines:
    """Some code of the script: where it is, and its first line. readable: whether it could be parsed."""

    first: int
    last: int
    text: str
    readable: bool = True

    @property
    def place(self) -> str:
        """The numbers of its lines."""
        return f"{self.first}-{self.last}" if self.last > self.first else f"{self.first}"

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


@dataclass
class Chosen:
    """All statements of a script, sorted.

    kept: what stays, in order
    calls: lines that stay, from functions that are dropped; their place is that of the statement that called the function
    dropped: what belongs to the local cluster, or what the new script does
    unused: functions and variables that only dropped statements use
    lost: what neither belongs to the local cluster nor can be kept on its own
    """

    kept: list[Statement] = field(default_factory=list)
    calls: list[Lines] = field(default_factory=list)
    dropped: list[Statement] = field(default_factory=list)
    unused: list[Statement] = field(default_factory=list)
    lost: list[Lines] = field(default_factory=list)

    @property
    def only_defines(self) -> bool:
        """Does what is kept do nothing by itself?"""
        return not self.calls and all(_defines(s) or _changes_folder(s) for s in self.kept)


@dataclass(frozen=True)
class _Rules:
    obsolete: re.Pattern[str]
    ours: re.Pattern[str]

    def drop(self, statement: Statement) -> bool:
        texts = statement.without_comments, statement.without_documents
        return bool(self.obsolete.search(texts[0]) or self.ours.search(texts[1]))

    def drop_command(self, text: str) -> bool:
        return bool(self.obsolete.search(text) or self.ours.search(text))

    def drop_function(self, name: str) -> bool:
        return bool(self.obsolete.search(name) or self.ours.search(f"{name}()"))


def choose(
    script: Sequence[Statement],
    obsolete: re.Pattern[str],
    ours: re.Pattern[str],
    brings: Brings = lambda statement: NOTHING,
) -> Chosen:
    """Drop what matches `obsolete` or `ours`; keep all else, with the functions, variables and sourced files it needs.

    A function is dropped for its content too, or when it calls one that is dropped. Its lines that do not belong to the
    local cluster are then kept on their own where they can be. Such lines of an `if`, a loop or a list are lost: whether
    they should run without it is for a person to decide.

    brings: what is in the files that a statement sources
    """
    rules = _Rules(obsolete, ours)
    functions = frozenset[str]().union(*(s.defines | brings(s).functions for s in script))
    dropped, bad = _dropped(script, rules, functions)
    rescue = _Rescue(script, rules, functions, bad)
    for statement in dropped:
        if not statement.function:
            rescue.take_apart(statement)
    kept = _with_what_it_needs(script, dropped, rescue.calls, brings)
    there = frozenset[str]().union(*(s.defines | brings(s).functions for s in kept))
    lost = [
        *rescue.lost,
        *_without_function(script, kept, rescue.calls, functions - there),
        *_changed_folders(script, dropped, kept),
    ]
    return Chosen(
        kept=[s for s in script if s in kept],
        calls=rescue.calls,
        dropped=[s for s in dropped if s not in kept],
        unused=[s for s in script if s not in kept and s not in dropped],
        lost=lost,
    )


def _changed_folders(script: Sequence[Statement], dropped: Sequence[Statement], kept: set[Statement]) -> list[Lines]:
    """Each `cd` in what is dropped, when a command that stays runs in that folder."""
    gone = [s for s in dropped if s not in kept and not s.function]
    moves = {s.first: [c for c in commands(s) if c.changes_folder] for s in gone}
    last = [(first, of[-1]) for first, of in moves.items() if of]
    return [Lines(c.first, c.last, c.text) for first, c in last if _runs_below(script, kept, first)]


def _runs_below(script: Sequence[Statement], kept: set[Statement], line: int) -> bool:
    """Does a kept command run below this line, before another `cd`?"""
    following = next((s for s in script if s in kept and s.first > line and not _defines(s)), None)
    return following is not None and not _changes_folder(following)


def _without_function(
    script: Sequence[Statement], kept: set[Statement], calls: Sequence[Lines], gone: Names
) -> list[Lines]:
    """What is kept and calls a function that only something dropped defines: it cannot run as it is."""
    statements = [_line(s) for s in script if s in kept and called(s, gone)]
    return [*statements, *(line for line in calls if any(mentions(name, line.text) for name in gone))]


def _dropped(script: Sequence[Statement], rules: _Rules, functions: Names) -> tuple[list[Statement], Names]:
    """The statements that are dropped, and the functions that they define."""
    calls = {s: called(s, functions) for s in script}
    dropped = {s for s in script if rules.drop(s)}
    while True:
        bad = frozenset[str]().union(*(s.defines for s in dropped))
        more = {s for s in script if s not in dropped and calls[s] & bad}
        if not more:
            return [s for s in script if s in dropped], bad
        dropped |= more


class _Rescue:
    """Look for code of the team in what is dropped."""

    def __init__(self, script: Sequence[Statement], rules: _Rules, functions: Names, bad: Names) -> None:
        self.calls: list[Lines] = []
        self.lost: list[Lines] = []
        self._rules, self._functions, self._bad = rules, functions, bad
        self._definitions = [s for s in script if s.function in bad]
        self._entered: set[str] = set()

    def take_apart(self, statement: Statement) -> None:
        """Sort what is in a dropped statement, and in the dropped functions that it calls."""
        self._report(statement)
        self._enter(called(statement, self._functions), statement.first)

    def _enter(self, names: Iterable[str], place: int) -> None:
        new = set(names) & self._bad - self._entered
        self._entered |= new
        for definition in self._definitions:
            if definition.function in new:
                for part in definition.body:
                    self._sort(part, definition, place)

    def _sort(self, part: Statement, definition: Statement, place: int) -> None:
        """Decide about a statement in the body of a dropped function. place: where the function is called."""
        calls = called(part, self._functions)
        self._enter(calls, place)
        code = part.code.strip()
        line = Lines(place, place, code)
        if self._rules.drop_function(definition.function):
            if code in self._functions - self._bad and all(code != c.text for c in self.calls):
                self.calls.append(line)
        elif self._rules.drop(part) or calls & self._bad or _declares_locals(part):
            self._report(part)
        elif _needs_its_function(part, definition):
            self.lost.append(_line(part))
        else:
            self.calls.append(line)

    def _report(self, statement: Statement) -> None:
        """Add the commands that do not belong to the local cluster to what is lost."""
        if statement.root is None:
            self.lost.append(_line(statement))
        for command in commands(statement):
            if not all(self._goes(part) for part in (command.inner or (command,))):
                self.lost.append(Lines(command.first, command.last, command.text.partition("\n")[0]))

    def _goes(self, command: Command) -> bool:
        """Does it belong to the local cluster, or change nothing?"""
        is_obsolete = self._rules.drop_command(command.text)
        return is_obsolete or command.only_reads or bool(command.calls(self._functions) & self._bad)


def _with_what_it_needs(
    script: Sequence[Statement], dropped: Sequence[Statement], calls: Sequence[Lines], brings: Brings
) -> set[Statement]:
    """The statements that stay: commands of the team, the definitions that they need, and those that nothing uses.

    A variable that nothing reads in the script may still matter to the programs it starts (PATH, LC_ALL).
    """
    returning = {s for s in dropped if _may_return(s, brings)}
    definitions = {s for s in script if s not in set(dropped) and _defines(s)}
    commands = set(script) - set(dropped) - definitions
    unused = {s for s in definitions if not _is_used(s, script)}
    return _closed_under_need(commands | unused, definitions | returning, calls, brings)


def _closed_under_need(
    kept: set[Statement], optional: set[Statement], calls: Sequence[Lines], brings: Brings
) -> set[Statement]:
    """Return the kept statements and all optional ones that they need, directly or through one another."""
    while True:
        sourced = [brings(s).code for s in kept]
        code = "\n".join([*(s.without_comments for s in kept), *(c.text for c in calls), *sourced])
        needed = {s for s in optional - kept if _needs(code, s, brings(s))}
        if not needed:
            return kept
        kept = kept | needed


def _may_return(dropped: Statement, brings: Brings) -> bool:
    """Can it stay after all, when something that stays needs it? It only sets variables, or only sources files."""
    return bool(dropped.assigned) or (brings(dropped) != NOTHING and _only_sources(dropped))


def _only_sources(statement: Statement) -> bool:
    return not statement.function and all(c.only_reads or c.sources for c in commands(statement))


def _is_used(definition: Statement, script: Sequence[Statement]) -> bool:
    return any(_needs(s.without_comments, definition) for s in script if s != definition)


def _needs(code: str, definition: Statement, brought: Sourced = NOTHING) -> bool:
    functions = {definition.function} - {""} | brought.functions
    variables = definition.assigned | brought.variables
    return any(mentions(f, code) for f in functions) or any(reads(v, code) for v in variables)


def _defines(statement: Statement) -> bool:
    """Does it only define a function, or set variables of this shell?"""
    sets = bool(statement.assigned) and all(c.only_reads for c in commands(statement))
    return bool(statement.function) or sets


def _changes_folder(statement: Statement) -> bool:
    return [c.node.type for c in commands(statement)] == ["command"] and statement.code.startswith("cd ")


def _declares_locals(part: Statement) -> bool:
    return bool(part.nodes) and all(_is_local(node_text(n)) for n in part.nodes)


def _is_local(code: str) -> bool:
    return re.match(r"(?:local|declare|typeset)\b", code) is not None


def _needs_its_function(part: Statement, function: Statement) -> bool:
    """Does it use an argument or a local variable of the function, or return from it?"""
    declared = [node_text(n) for n in walk(function.root) if n.type == "declaration_command"]
    names = {name for code in declared if _is_local(code) for name in re.findall(r"\s(\w+)", code)}
    arguments = re.search(r"\$\{?[0-9@*#]|\breturn\b", part.code)
    return arguments is not None or any(reads(name, part.code) for name in names)


def _line(statement: Statement) -> Lines:
    code = statement.code.strip()
    text = code if statement.root is None else code.partition("\n")[0]  # nothing says where its team's lines are
    return Lines(statement.first, statement.last, text, statement.root is not None)
