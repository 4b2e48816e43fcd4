"""The gitops repository is checked out where core has it as a submodule."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from tasks.core.config.settings import Settings
from tasks.core.errors import Blocked
from tasks.core.plan.change import Change
from tasks.core.plan.steps import Step
from tasks.flows.setup.setup_run import SetupRun
from tasks.tools import git


def path(s: Settings) -> str:
    """Return the submodule's path in core; empty when gitops is outside of core."""
    return s.gitops.relative_to(s.core).as_posix() if s.gitops.is_relative_to(s.core) else ""


def plan(setup: SetupRun) -> Iterator[Change[object]]:
    """Check out a missing submodule. One at another commit than the pinned one may hold someone's work: leave it."""
    s = setup.settings
    submodule = path(s)
    if not submodule or not (s.core / ".gitmodules").is_file():
        setup.skip("submodules", f"{s.repositories.gitops} is not a submodule")
        return
    sign = git.submodule_state(s, s.core, submodule)  # the first column of `git submodule status`
    if sign == "-":
        yield git.submodule_update(s, s.core, submodule)
    elif sign == "U":
        raise Blocked(
            f"the submodule {submodule} is in a merge conflict",
            fix=f"resolve it, then: git add {shlex.quote(str(submodule))}",
        )
    elif sign == "+":
        pinned = " ".join(("git", *git.submodule_args(shlex.quote(submodule))))
        setup.remarks["submodules"] = (
            f"{submodule} is at another commit than the pinned one; left as it is ({pinned} checks out the pinned one)"
        )
    elif not sign:
        setup.skip("submodules", f"{submodule} is not a submodule")


def commands(setup: SetupRun) -> tuple[str, ...]:
    """Return the command that checks it out."""
    s = setup.settings
    return (" ".join(("git", *git.submodule_args(path(s) or s.repositories.gitops))),)


STEP: Step[SetupRun] = Step(
    "submodules",
    "the gitops repository is checked out",
    plan,
    after=("credentials",),
    lock="submodules",
    commands=commands,
)
