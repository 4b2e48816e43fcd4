"""Parse command lines as Go's pflag does: --name value, --name=value, -n value, -nvalue, mixed flags and words, `--`."""

from __future__ import annotations

from dataclasses import dataclass, field


class UnknownFlag(Exception):
    """An unknown flag, or a flag without its value, with pflag's text."""


@dataclass
class Words:
    """flags: long name -> all values in order ("true" or "false" for a switch); rest: the words after `--`."""

    flags: dict[str, list[str]] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)
    rest: list[str] | None = None

    def value(self, name: str, otherwise: str = "") -> str:
        """The last value of this flag."""
        return self.flags[name][-1] if name in self.flags else otherwise

    def values(self, name: str) -> list[str]:
        """All values of this flag."""
        return self.flags.get(name, [])

    def on(self, name: str) -> bool:
        """Is this switch set?"""
        return self.value(name) == "true"


def flags(text: str) -> dict[str, bool]:
    """Parse a line of flags such as `all/a filter/f= format=`: `=` marks a value. Short names are separate keys."""
    known: dict[str, bool] = {}
    for word in text.split():
        for name in word.rstrip("=").split("/"):
            known[name] = word.endswith("=")
    return known


def _long(text: str) -> dict[str, str]:
    return {name: word.rstrip("=").split("/")[0] for word in text.split() for name in word.rstrip("=").split("/")}


def parse(argv: tuple[str, ...] | list[str], known: str, *, interspersed: bool = True) -> Words:
    """Parse argv with a line of known flags. If not interspersed, flags end at the first word. Raises UnknownFlag."""
    values, long = flags(known), _long(known)
    parsed = Words()
    queue = list(argv)
    while queue:
        word = queue.pop(0)
        if word == "--":
            parsed.rest = queue
            parsed.words += queue
            break
        if not word.startswith("-") or word == "-":
            parsed.words.append(word)
            if not interspersed:
                parsed.words += queue
                break
        elif word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if name not in values or len(name) == 1:
                raise UnknownFlag(f"unknown flag: --{name}")
            if equals:
                pass
            elif not values[name]:
                value = "true"
            elif queue:
                value = queue.pop(0)
            else:
                raise UnknownFlag(f"flag needs an argument: {word}")
            parsed.flags.setdefault(long[name], []).append(value)
        else:
            _shorthands(word, values, long, queue, parsed)
    return parsed


def _shorthands(word: str, values: dict[str, bool], long: dict[str, str], queue: list[str], parsed: Words) -> None:
    """`-f x`, `-fx`, `-f=x`, `-abc`."""
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        if letter not in values:
            raise UnknownFlag(f"unknown shorthand flag: '{letter}' in {word}")
        value = "true"
        if values[letter]:
            if not letters and not queue:
                raise UnknownFlag(f"flag needs an argument: '{letter}' in {word}")
            value, letters = (letters.removeprefix("=") or queue.pop(0)), ""
        parsed.flags.setdefault(long[letter], []).append(value)
