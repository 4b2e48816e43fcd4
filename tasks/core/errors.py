"""The one error type a person sees: what, why, and the command that fixes it."""

from __future__ import annotations

from invoke.exceptions import Exit

FAILED = 1
MISSING = 2
REFUSED = 3


class Trouble(Exit):
    """Something a person can act on. Invoke prints it on stderr and exits with `code`; bugs keep their traceback.

    what: lower-case sentence, without a full stop, with the tool's own last line where there is one
    why:  the cause, where it is known
    fix:  the command, or the sentence that tells what to do
    code: exit code, see docs/architecture.md
    """

    def __init__(self, what: str, *, why: str = "", fix: str = "", code: int = FAILED) -> None:
        self.what, self.why, self.fix = what, why, fix
        super().__init__(message=self.text(), code=code)

    def text(self) -> str:
        """Up to three lines: `error:`, `why:`, `fix:`."""
        lines = [f"error: {self.what}"]
        if self.why:
            lines.append(f"  why: {self.why}")
        if self.fix:
            lines.append(f"  fix: {self.fix}")
        return "\n".join(lines)

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
