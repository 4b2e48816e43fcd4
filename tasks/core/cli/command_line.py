"""The command line, split once at the first `--`: the words of `inv`, and those for another program."""

from __future__ import annotations

import sys
from collections.abc import Container, Sequence
from dataclasses import dataclass

from invoke.context import Context

from tasks.core.errors import Trouble

CONFIG_KEY = "command_line"  # where the program keeps it in Invoke's config, for the tasks


@dataclass(frozen=True)
class CommandLine:
    """The words of one command, without the program's name."""

    words: tuple[str, ...] = ()
    """The words before the first `--`."""

    remainder: tuple[str, ...] | None = None
    """The words after the first `--`; None without a `--`."""

    @classmethod
    def of(cls, argv: Sequence[str]) -> CommandLine:
        """Split these words. `argv` starts with the program's name, as `sys.argv` does."""
        words = tuple(argv[1:])
        if "--" not in words:
            return cls(words)
        dashes = words.index("--")
        return cls(words[:dashes], words[dashes + 1 :])

    def after(self, names: Container[str]) -> tuple[str, ...]:
        """The words behind the first of these names; empty when none of them is there."""
        place = next((i for i, word in enumerate(self.words) if word in names), len(self.words))
        return self.words[place + 1 :]


def remainder(c: Context, *, required: bool = False) -> list[str]:
    """The words after `--`, exactly as typed; Invoke's own `c.remainder` joins them with blanks.

    required: raise Trouble for a `--` with nothing behind it.
    """
    line = c.config.get(CONFIG_KEY) or CommandLine.of(sys.argv)  # absent when plain `invoke` runs the task
    if required and line.remainder == ():
        raise Trouble("there is no command after --", fix="omit `--`, or add a command after it")
    return list(line.remainder or ())
