"""A Dockerfile as its instructions and stages: https://docs.docker.com/reference/dockerfile/"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

_DIRECTIVE = re.compile(r"#\s*(\w+)\s*=\s*(\S+)\s*$")
_HERE_DOCUMENT = re.compile(r"<<-?\s*([\"']?)(\w+)\1")
_HAS_DOCUMENTS = frozenset({"RUN", "COPY", "ADD"})
_FROM = re.compile(r"(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE)
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::?([-+])([^}]*))?\})")


@dataclass(frozen=True)
class Instruction:
    """One instruction. first, last: its lines, from 0; text: what follows the keyword, continued lines joined by a blank."""

    first: int
    last: int
    keyword: str
    text: str


@dataclass(frozen=True)
class Stage:
    """One stage. image: as its FROM names it; name: in lower case, empty when it has none; lines from 0."""

    image: str
    name: str
    first: int
    last: int
    instructions: tuple[Instruction, ...] = field(repr=False)

    def texts(self, keyword: str) -> list[str]:
        """The texts of its instructions with this keyword."""
        return [i.text for i in self.instructions if i.keyword == keyword]


@dataclass(frozen=True)
class Dockerfile:
    """A Dockerfile. arguments: of its build; they replace the defaults of ARG."""

    text: str
    arguments: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def lines(self) -> list[str]:
        """Its lines with their ends."""
        return re.findall(r"[^\n]*\n|[^\n]+", self.text)

    @cached_property
    def instructions(self) -> tuple[Instruction, ...]:
        """All instructions in their order."""
        return tuple(_instructions([line.rstrip("\r\n") for line in self.lines]))

    @cached_property
    def stages(self) -> tuple[Stage, ...]:
        """All stages in their order."""
        starts = [n for n, i in enumerate(self.instructions) if i.keyword == "FROM"]
        ends = [*starts[1:], len(self.instructions)]
        return tuple(self._stage(self.instructions[start:end]) for start, end in zip(starts, ends, strict=True))

    def _stage(self, instructions: tuple[Instruction, ...]) -> Stage:
        found = _FROM.match(instructions[0].text)
        image, name = (found[1], found[2] or "") if found else ("", "")
        return Stage(
            self._value(image, self._global_arguments),
            name.lower(),
            instructions[0].first,
            instructions[-1].last,
            instructions[1:],
        )

    @cached_property
    def _global_arguments(self) -> dict[str, str]:
        """The values of the ARGs above the first FROM."""
        first = next((n for n, i in enumerate(self.instructions) if i.keyword == "FROM"), 0)
        return self._assigned(self.instructions[:first], {})

    def _assigned(self, instructions: tuple[Instruction, ...], outer: Mapping[str, str]) -> dict[str, str]:
        """The values of these ARGs and ENVs. outer: those that an ARG without a default takes over."""
        values: dict[str, str] = {}
        for instruction in instructions:
            given = self.arguments if instruction.keyword == "ARG" else {}
            for name, value in _assignments(instruction.text) if instruction.keyword in {"ARG", "ENV"} else ():
                default = outer.get(name, "") if value is None else self._value(value, values)
                values[name] = given.get(name, default)
        return values

    @staticmethod
    def _value(text: str, values: Mapping[str, str]) -> str:
        """The text with its variables replaced; an unknown one stays."""

        def value(match: re.Match[str]) -> str:
            name, sign, word = match[1] or match[2], match[3], match[4]
            if sign == "+":
                return word if values.get(name) else ""
            return values.get(name) or (word if sign == "-" else match[0])

        return _VARIABLE.sub(value, text.strip("\"'"))

    def stage(self, target: str = "") -> Stage | None:
        """The stage with this name or number; without one the last. None when it does not exist."""
        if not target:
            return self.stages[-1] if self.stages else None
        by_name = next((s for s in self.stages if s.name == target.lower()), None)
        is_number = target.isdigit() and int(target) < len(self.stages)
        return by_name or (self.stages[int(target)] if is_number else None)

    def chain(self, target: str = "") -> list[Stage]:
        """The stage and those that it is built from, the stage first."""
        found: list[Stage] = []
        stage = self.stage(target)
        while stage is not None and stage not in found:
            found.append(stage)
            image, above = stage.image.lower(), self.stages[: self.stages.index(stage)]
            stage = next((s for s in above if s.name and s.name == image), None)
        return found

    def base(self, target: str = "") -> str:
        """The image from outside that the stage is built from."""
        chain = self.chain(target)
        return chain[-1].image if chain else ""

    def user(self, target: str = "") -> str:
        """The user that the stage's last USER names, or that of a stage it is built from; empty without one."""
        for stage in self.chain(target):
            users = stage.texts("USER")
            if users:
                return self._value(users[-1], self._assigned(stage.instructions, self._global_arguments))
        return ""

    def is_used(self, stage: Stage) -> bool:
        """Is another stage built from this one, or does it copy from it?"""
        number = str(self.stages.index(stage))
        for other in self.stages:
            copied = re.findall(r"--from=(\S+)", " ".join(other.texts("COPY")))
            sources = {other.image.lower(), *(name.lower() for name in copied)}
            if other != stage and not sources.isdisjoint({stage.name or number, number}):
                return True
        return False


def _instructions(lines: list[str]) -> Iterator[Instruction]:
    escape = _escape(lines)
    place = 0
    while place < len(lines):
        if not lines[place].strip() or lines[place].lstrip().startswith("#"):
            place += 1
            continue
        first = place
        words, place = _continued(lines, place, escape)
        keyword, _, text = " ".join(words).strip().partition(" ")
        if keyword.upper() in _HAS_DOCUMENTS:
            place = _after_documents(lines, place, text)
        yield Instruction(first, place - 1, keyword.upper(), text.strip())


def _escape(lines: list[str]) -> str:
    """The character that continues a line. Directives are the first lines of the file."""
    for line in lines:
        directive = _DIRECTIVE.match(line)
        if directive is None:
            break
        if directive[1].lower() == "escape":
            return directive[2]
    return "\\"


def _continued(lines: list[str], place: int, escape: str) -> tuple[list[str], int]:
    """The parts of an instruction that begins at this line, and the line below it."""
    words: list[str] = []
    while place < len(lines):
        line = lines[place].strip()
        place += 1
        if words and (line.startswith("#") or not line):
            continue  # comments and empty lines within an instruction are ignored
        words.append(line.removesuffix(escape).strip())
        if not line.endswith(escape):
            break
    return words, place


def _after_documents(lines: list[str], place: int, text: str) -> int:
    """The line below the here-documents of an instruction."""
    for _, mark in _HERE_DOCUMENT.findall(text):
        end = next((n for n in range(place, len(lines)) if lines[n].lstrip("\t") == mark), None)
        if end is None:
            return place  # `$((1 <<2))` is not a here-document
        place = end + 1
    return place


def _assignments(text: str) -> list[tuple[str, str | None]]:
    """The names and values of an ARG or ENV; None for an ARG without a default."""
    if not re.match(r"\w+=", text):
        name, _, value = text.partition(" ")
        return [(name, value or None)]
    return [(name, value.strip("\"'")) for name, value in re.findall(r"(\w+)=(\"[^\"]*\"|'[^']*'|\S*)", text)]
