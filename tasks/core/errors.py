"""Problem: what happened, why, and the command that fixes it. Trouble is the error that carries one."""

from __future__ import annotations

from dataclasses import dataclass

from invoke.exceptions import Exit

FAILED = 1
MISSING = 2
REFUSED = 3


@dataclass(frozen=True)
class Problem:
    """Something a person can act on. Comparable: tests compare problems, not sentences.

    what: lower-case sentence without a full stop, with the tool's own last line where there is one
    why:  the cause, where it is known
    fix:  the command, or a sentence that says what to do
    code: exit code when it ends the run, see docs/architecture.md
    """

    what: str
    why: str = ""
    fix: str = ""
    code: int = FAILED

    def __str__(self) -> str:
        """Up to three lines: `error:`, `why:`, `fix:`."""
        lines = [f"error: {self.what}"]
        if self.why:
            lines.append(f"  why: {self.why}")
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)


class Trouble(Exit):
    """The error that carries a Problem. Invoke prints it on stderr and exits with its code; bugs keep their traceback."""

    def __init__(self, what: str, *, why: str = "", fix: str = "", code: int = FAILED) -> None:
        self.problem = Problem(what, why, fix, code)
        super().__init__(message=str(self.problem), code=code)

    @classmethod
    def of(cls, problem: Problem) -> Trouble:
        """Return the error that carries this problem."""
        return Trouble(problem.what, why=problem.why, fix=problem.fix, code=problem.code)

    @property
    def what(self) -> str:
        """What happened."""
        return self.problem.what

    @property
    def why(self) -> str:
        """The cause; empty when it is not known."""
        return self.problem.why

    @property
    def fix(self) -> str:
        """The command or the sentence that fixes it; empty when there is none."""
        return self.problem.fix

    def text(self) -> str:
        """Return what is printed on stderr."""
        return str(self.problem)

    def __str__(self) -> str:
        return self.text()


class Refused(Trouble):
    """There is a reason not to do it: production, a colleague, something would be lost. Exit code 3."""

    def __init__(self, what: str, *, why: str = "", fix: str = "") -> None:
        super().__init__(what, why=why, fix=fix, code=REFUSED)


class Blocked(Trouble):
    """A step that needs a person first (a login, a right, a program). The step becomes `blocked`, others go on."""


class ToolError(Trouble):
    """A program failed, is absent or gave no answer.

    tool:      the program's bare name
    exit:      its exit code, None when it was killed at its deadline or never started
    stdout, stderr: what it said, decoded, already without known secrets
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
    def said(self) -> str:
        """Both streams as one text, for a search by pattern."""
        return f"{self.stderr}\n{self.stdout}"

    def told(self, what: str = "", *, why: str = "", fix: str = "", kind: type[ToolError] | None = None) -> ToolError:
        """The same failure in other words, or as a more special kind; what is not given stays."""
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
    """The program is not installed (not found on PATH)."""


class TimedOut(ToolError):
    """The program was killed at its deadline."""
