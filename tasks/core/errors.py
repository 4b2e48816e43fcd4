"""Problem: what is wrong, why, and how to fix it. Trouble is the error that carries one."""

from __future__ import annotations

from dataclasses import dataclass

from invoke.exceptions import Exit

from tasks.core.typed import as_typed
from tasks.core.visible import visible

FAILED = 1
MISSING = 2
REFUSED = 3


@dataclass(frozen=True)
class Problem:
    """Something that is wrong, and how to fix it. Tests compare problems, not sentences."""

    what: str
    """A lower-case sentence without a full stop, with the last line of the tool where there is one."""

    why: str = ""
    """The cause; empty when it is not known."""

    fix: str = ""
    """The command that fixes it, or a sentence that says what to do."""

    code: int = FAILED
    """The exit code if it ends the run; see docs/architecture.md."""

    @property
    def summary(self) -> str:
        """What and why in one line."""
        return f"{self.what} ({self.why})" if self.why else self.what

    def __str__(self) -> str:
        """Up to three lines: `error:`, `why:`, `fix:`."""
        lines = [f"error: {self.what}"]
        if self.why:
            lines.append(f"  why: {self.why}")
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)


class Trouble(Exit):
    """The error that carries a Problem. Invoke prints it on stderr and exits with its code.

    Any other exception is a bug and keeps its traceback.
    """

    def __init__(self, what: str, *, why: str = "", fix: str = "", code: int = FAILED) -> None:
        self.problem = Problem(what, why, fix, code)
        super().__init__(message=visible(as_typed(str(self.problem))), code=code)

    @classmethod
    def of(cls, problem: Problem) -> Trouble:
        """Return an error that carries this problem."""
        return Trouble(problem.what, why=problem.why, fix=problem.fix, code=problem.code)

    @property
    def what(self) -> str:
        """What is wrong."""
        return self.problem.what

    @property
    def why(self) -> str:
        """The cause; empty when it is not known."""
        return self.problem.why

    @property
    def fix(self) -> str:
        """How to fix it; empty when that is not known."""
        return self.problem.fix

    def text(self) -> str:
        """Return the lines for stderr."""
        return str(self.problem)

    def __str__(self) -> str:
        return self.text()


class Refused(Trouble):
    """Not done for a reason: production, a colleague's work, something would be lost. Exit code 3."""

    def __init__(self, what: str, *, why: str = "", fix: str = "") -> None:
        super().__init__(what, why=why, fix=fix, code=REFUSED)


class Blocked(Trouble):
    """Someone must act first: log in, grant a right, install a program. The step is blocked; other steps go on."""


class ToolError(Trouble):
    """A program failed, is not installed or did not answer.

    tool: the bare name of the program
    exit: its exit code; None when it was killed at its deadline or never started
    stdout, stderr: its output, decoded and with known secrets masked
    """

    def __init__(
        self,
        what: str,
        *,
        tool: str = "",
        exit: int | None = None,
        stdout: str = "",
        stderr: str = "",
        why: str = "",
        fix: str = "",
    ) -> None:
        self.tool, self.exit, self.stdout, self.stderr = tool, exit, stdout, stderr
        super().__init__(what, why=why, fix=fix)

    @property
    def output(self) -> str:
        """Both streams as one text, to search in."""
        return f"{self.stderr}\n{self.stdout}"

    def reworded(
        self, what: str = "", *, why: str = "", fix: str = "", kind: type[ToolError] | None = None
    ) -> ToolError:
        """Return the same failure with other words or as a subclass. Arguments that are not given stay as they are."""
        return (kind or type(self))(
            what or self.what,
            tool=self.tool,
            exit=self.exit,
            stdout=self.stdout,
            stderr=self.stderr,
            why=why or self.why,
            fix=fix or self.fix,
        )


class Absent(ToolError):
    """The program is not on PATH."""


class TimedOut(ToolError):
    """The program was killed at its deadline."""
