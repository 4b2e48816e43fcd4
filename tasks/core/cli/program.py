"""The program behind `inv`: Invoke's own, with this suite's tasks, spellings, errors and signals."""

from __future__ import annotations

import errno
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import cast

import invoke
from invoke.collection import Collection
from invoke.exceptions import ParseError
from invoke.loader import Loader
from invoke.parser.argument import Argument
from invoke.parser.context import ParserContext
from invoke.parser.parser import ParseResult
from invoke.program import Program

from tasks.core.cli.command_line import CONFIG_KEY, CommandLine
from tasks.core.cli.flags import FAILURE_TEXT
from tasks.core.errors import Trouble
from tasks.core.process.interrupt import Interrupted, take_signals, unwinding
from tasks.core.repository import ELSEWHERE
from tasks.core.typed import set_running

_READER_GONE = 141  # the exit code of a program that SIGPIPE ended


def main() -> None:
    """Run the command line of this process."""
    take_signals()
    try:
        SuiteProgram().run()
    finally:
        gc.freeze()  # else the end of the interpreter looks at every object once more: 20 ms of each command


class PackageLoader(Loader):
    """Load the package of tasks beside this program, whatever the current folder is."""

    def load(self, name: str | None = None) -> tuple[ModuleType, str]:
        """Return the package and the folder that holds it."""
        module = import_module(name or self.config.tasks.collection_name)
        return module, str(Path(str(module.__file__)).parent.parent)


class TaskTree(Collection):
    """The tree of tasks, as one command line needs it.

    It accepts both spellings of a task: `migrate.cleanup_infra` is `migrate.cleanup-infra`, and `--list` shows the
    latter. A positional argument with a default is optional, which Invoke cannot express: `inv leave`, `inv leave NAME`.
    """

    line: CommandLine = CommandLine()

    def to_contexts(self, ignore_unknown_help: bool | None = None) -> list[ParserContext]:
        """Return what Invoke's parser knows of each task."""
        contexts = super().to_contexts(ignore_unknown_help)
        for context in contexts:
            names = names_of(context)
            context.aliases = (*context.aliases, *sorted({name.replace("-", "_") for name in names} - names))
            if any(not word.startswith("-") for word in self.line.after(names_of(context))):
                for argument in context.positional_args:
                    argument.default = None  # the parser gives a word only to an argument without a value
        return contexts


class SuiteProgram(Program):
    """Invoke's program with the tasks of this checkout.

    An error is shown in the form of a Problem, and with `--json` also as the document on stdout. Output that nobody
    reads any more ends the program without a traceback.
    """

    line: CommandLine

    def __init__(self) -> None:
        super().__init__(
            version=invoke.__version__,
            name="Invoke",
            binary="inv",
            binary_names=["inv", "invoke"],
            loader_class=PackageLoader,
        )

    def task_args(self) -> list[Argument]:
        """Omit --collection and --search-root: the tasks are those of this checkout."""
        return [argument for argument in super().task_args() if argument.name not in {"collection", "search-root"}]

    def run(self, argv: list[str] | None = None, exit: bool = True) -> None:
        """Run the command line, by default that of this process."""
        try:
            try:
                super().run(argv, exit)
            except BaseException as why:
                self._print_failure_text(why)
                raise
            finally:
                if sys.stdout:  # None when it was closed before the start
                    sys.stdout.flush()
        except OSError as why:
            _end_if_unwritable(why)
            raise

    def parse_core(self, argv: list[str] | None) -> None:
        """Parse the flags before the first task.

        Invoke turns bytecode off for what it loads afterwards: after a `git pull` each start would compile the tasks.
        """
        before = sys.dont_write_bytecode
        super().parse_core(argv)
        sys.dont_write_bytecode = before

    def normalize_argv(self, argv: list[str] | None) -> None:
        """Keep the command line, split at `--`."""
        super().normalize_argv(argv)
        self.line = CommandLine.of(self.argv)

    def load_collection(self) -> None:
        """Load the tree of tasks and the settings of Invoke that stand beside it."""
        module, root = PackageLoader(config=self.config).load()
        self.config.set_project_location(root)
        self.config.load_project()
        dashes = self.config.tasks.auto_dash_names
        tree = cast(TaskTree, TaskTree.from_module(module, loaded_from=root, auto_dash_names=dashes))
        tree.line = self.line
        self.collection = tree

    def parse_tasks(self) -> None:
        """Parse the tasks and their flags.

        The parser copies what it knows of every task, 5 ms that `inv --list` need not wait for.
        """
        self.tasks = ParseResult()
        if not self.core.unparsed and not self.args.help.value:
            return
        with self._errors_shown():
            super().parse_tasks()
            set_running(name for context in self.tasks for name in names_of(context))
            for context in self.tasks:
                _must_have_values(context, self.line)

    def parse_cleanup(self) -> None:
        """Show a help text or a list, where one is asked for."""
        with self._errors_shown():
            super().parse_cleanup()

    def update_config(self, merge: bool = True) -> None:
        """Hand the command line to the tasks."""
        super().update_config(merge)
        self.config.update({CONFIG_KEY: self.line})

    def execute(self) -> None:
        """Run the tasks."""
        with self._errors_shown():
            super().execute()

    @contextmanager
    def _errors_shown(self) -> Iterator[None]:
        """Invoke itself prints an error on stderr and exits with its code; here it gets its form and its JSON."""
        try:
            yield
        except ParseError as why:
            from tasks.core.cli.parse_errors import explained

            problem = explained(why, self.parser.contexts, self.collection.configuration().get(ELSEWHERE))
            self._print_json(problem)
            raise problem from None
        except Trouble as why:
            if number := unwinding():
                raise Interrupted(number) from None  # the error is a consequence
            self._print_json(why)
            raise

    def _print_failure_text(self, why: BaseException) -> None:
        """Print what the task wants a shell to evaluate when it fails."""
        ended_well = isinstance(why, SystemExit) and not why.code
        if ended_well or not hasattr(self, "collection") or "--json" in self.line.words:
            return
        for word in self.line.words:
            if word in self.collection.task_names:
                if text := getattr(self.collection[word].body, FAILURE_TEXT, ""):  # a closed terminal takes not even ""
                    sys.stdout.write(text)
                return

    def _print_json(self, why: Trouble) -> None:
        if "--json" in self.line.words:
            from tasks.core import ui

            ui.failure_as_json(why)


def names_of(context: ParserContext) -> set[str]:
    """All names under which a task can be called."""
    return {str(context.name), *context.aliases}


def _must_have_values(context: ParserContext, line: CommandLine) -> None:
    """Raise Trouble for a repeatable flag without a value: Invoke ignores it, and `tilt.up --only` would deploy all."""
    repeatable = {flag for flag, argument in context.flags.items() if argument.kind is list}
    for word, following in pairwise((*line.after(names_of(context)), "-")):
        if word in repeatable and following.startswith("-"):
            raise Trouble(f"{word} needs a value", fix=f"inv --help {context.name}")


def _end_if_unwritable(why: OSError) -> None:
    """End the process when nobody reads its output, or when the disk is full: neither is a bug to trace.

    `os._exit`, because the interpreter would flush the same output once more, and fail again.
    """
    if why.errno in {errno.EPIPE, errno.EIO}:
        os._exit(_READER_GONE)
    if why.errno == errno.ENOSPC:
        from tasks.core import ui

        ui.talk(f"error: cannot write: {why.strerror}\n  fix: free some space, then run this again")
        os._exit(1)
