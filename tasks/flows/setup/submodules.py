"""The gitops repository is checked out where core has it as a submodule."""

from __future__ import annotations

from collections.abc import Iterator

from tasks.core.config.settings import Settings
from tasks.core.errors import Blocked
from tasks.core.plan.change import Change
from tasks.core.plan.steps import Step
from tasks.flows.setup.work import Work
from tasks.tools import git


def path(s: Settings) -> str:
    """The submodule's path in core; empty when gitops lies elsewhere."""
    return s.gitops.relative_to(s.core).as_posix() if s.gitops.is_relative_to(s.core) else ""


def plan(work: Work) -> Iterator[Change[object]]:
    """Only a missing one is checked out: one at another commit than the pin is somebody's work."""
    s = work.settings
    place = path(s)
    if not place or not (s.core / ".gitmodules").is_file():
        work.notes["submodules"] = f"{s.repositories.gitops} is no submodule"
        return
    sign = git.submodule_state(s, s.core, place)
    if sign == "-":
        yield git.submodule_update(s, s.core, place)
    elif sign == "U":
        raise Blocked(f"the submodule {place} is in a merge conflict", fix=f"resolve it, then: git add {place}")
    elif sign == "+":
        work.notes["submodules"] = f"{place} is at another commit than the pin; left as it is"
    elif not sign:
        work.notes["submodules"] = f"{place} is no submodule"


def commands(s: Settings) -> tuple[str, ...]:
    """What a person would type."""
    return (" ".join(("git", *git.submodule_args(path(s) or s.repositories.gitops))),)


STEP: Step[Work] = Step(
    "submodules", "the gitops repository is checked out", plan, after=("credentials",), alone="submodules"
)
