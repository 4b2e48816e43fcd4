"""The migration: five phases over core and gitops, planned before they are carried out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from invoke.context import Context
from invoke.tasks import task

from tasks.core.cli.flags import DRY, JSON, YES, dry

# The default of a repeatable flag is None: with a tuple Invoke splits the word into letters (tests/tasks/test_tree.py).
_HELP = {
    "core": "the core repository (default: settings)",
    "gitops": "the gitops repository (default: settings)",
    "only": "this step only (repeatable)",
    "accept": "a file, a folder ending in / or a glob that may be lost or stay different (repeatable)",
    "yes": YES,
    "json": JSON,
    "dry_run": DRY,
    "check": "like --dry-run; exit 2 when something is missing",
    "push": "push gitops when core's commits need its copies on the remote",
    "history": "keep: gitops also gets the old history of what moves; none (default)",
    "diff": "show the rewritten files as unified diffs",
    "verbose": "show every change, block and note",
    "out": "write the plan to this file",
}
_WRITING = ("core", "gitops", "only", "accept", "yes", "json", "dry_run", "check", "push", "diff", "verbose")


def _help(*names: str) -> dict[str, str]:
    return {name: _HELP[name] for name in names}


@task(
    help={"out": "write the proposal to this file, as config/migration.yaml", **_help("core", "json")},
    auto_shortflags=False,
)
def scan(c: Context, core: str = "", out: str = "", json: bool = False) -> None:
    """Propose mapping, catalogue and settings for a repository, each row with its evidence."""
    from migration.scan import cli

    cli.scan(core, out, json=json)


@task(
    help={
        "config": "the folder to write to (default: config/ of the core repository)",
        "yes": "replace files that exist",
        **_help("core", "json", "dry_run"),
    },
    auto_shortflags=False,
)
def init(
    c: Context, core: str = "", config: str = "", yes: bool = False, json: bool = False, dry_run: bool = False
) -> None:
    """Write what migrate.scan proposes to the files of config/."""
    from migration.scan import cli

    cli.init(core, config, yes=yes, json=json, dry=dry(c, dry_run))


@task(help=_help("core", "gitops", "accept", "json", "check", "verbose"), iterable=["accept"], auto_shortflags=False)
def status(
    c: Context,
    core: str = "",
    gitops: str = "",
    accept: Sequence[str] | None = None,
    json: bool = False,
    check: bool = False,
    verbose: bool = False,
) -> None:
    """Show what is done, missing and blocked, and the success criteria of the spec."""
    from migration import cli

    cli.status(cli.Flags(core, gitops, accept=accept or (), json=json, check=check, verbose=verbose))


@task(
    help=_help("core", "gitops", "only", "accept", "out", "json", "diff", "check", "verbose"),
    iterable=["only", "accept"],
    auto_shortflags=False,
)
def plan(
    c: Context,
    core: str = "",
    gitops: str = "",
    only: Sequence[str] | None = None,
    accept: Sequence[str] | None = None,
    out: str = "",
    json: bool = False,
    diff: bool = False,
    check: bool = False,
    verbose: bool = False,
) -> None:
    """Plan all five phases, each on the result of those before; --out saves the plan for migrate.apply."""
    from migration import cli

    flags = cli.Flags(core, gitops, only or (), accept or (), json=json, check=check, diff=diff, verbose=verbose)
    cli.plan(flags, out)


@task(
    help={"file": "the plan that migrate.plan --out wrote", **_help(*_WRITING)},
    iterable=["only", "accept"],
    auto_shortflags=False,
)
def apply(
    c: Context,
    file: str,
    core: str = "",
    gitops: str = "",
    only: Sequence[str] | None = None,
    accept: Sequence[str] | None = None,
    yes: bool = False,
    json: bool = False,
    dry_run: bool = False,
    check: bool = False,
    push: bool = False,
    diff: bool = False,
    verbose: bool = False,
) -> None:
    """Carry out exactly the plan in FILE; refused when a repository has moved on since."""
    from migration import cli

    flags = cli.Flags(
        core=core,
        gitops=gitops,
        only=only or (),
        accept=accept or (),
        yes=yes,
        json=json,
        dry=dry(c, dry_run),
        check=check,
        push=push,
        diff=diff,
        verbose=verbose,
    )
    cli.apply_file(flags, file)


def _phase(number: int, name: str, text: str) -> Any:
    """Return the task of one phase. All of them take the same flags."""

    def body(
        c: Context,
        core: str = "",
        gitops: str = "",
        only: Sequence[str] | None = None,
        accept: Sequence[str] | None = None,
        yes: bool = False,
        json: bool = False,
        dry_run: bool = False,
        check: bool = False,
        push: bool = False,
        diff: bool = False,
        verbose: bool = False,
        history: str = "none",
    ) -> None:
        from migration import cli

        flags = cli.Flags(
            core=core,
            gitops=gitops,
            only=only or (),
            accept=accept or (),
            yes=yes,
            json=json,
            dry=dry(c, dry_run),
            check=check,
            push=push,
            diff=diff,
            verbose=verbose,
            history=history,
        )
        cli.phase(flags, number)

    body.__doc__, body.__name__ = text, name
    return task(body, help=_help(*_WRITING, "history"), iterable=["only", "accept"], auto_shortflags=False)


phase1 = _phase(1, "phase1", "Phase 1: the infrastructure is in gitops.")
phase2 = _phase(2, "phase2", "Phase 2: the dev container needs no local cluster.")
phase3 = _phase(3, "phase3", "Phase 3: the Tiltfile works against the shared cluster.")
phase4 = _phase(4, "phase4", "Phase 4: core has no infrastructure; nothing is deleted without proof.")
cleanup_infra = _phase(4, "cleanup_infra", "The same as phase4.")
phase5 = _phase(5, "phase5", "Phase 5: document it, and validate it on the target.")


@task(
    help={"path": "a file or folder of core", **_help("core", "gitops", "accept", "json")},
    iterable=["accept"],
    auto_shortflags=False,
)
def explain(
    c: Context, path: str, core: str = "", gitops: str = "", accept: Sequence[str] | None = None, json: bool = False
) -> None:
    """Say what happens to a path, by which rule and with which proof."""
    from migration import cli

    cli.explain(cli.Flags(core, gitops, accept=accept or (), json=json), path)


@task(help={"path": "a file or folder of core", **_help("core", "gitops", "json")}, auto_shortflags=False)
def references(c: Context, path: str, core: str = "", gitops: str = "", json: bool = False) -> None:
    """List what in core refers to a path, and what syncs from it."""
    from migration import cli

    cli.references(cli.Flags(core, gitops, json=json), path)


@task(help=_help("core", "gitops", "yes", "json", "dry_run"), auto_shortflags=False)
def undo(
    c: Context, core: str = "", gitops: str = "", yes: bool = False, json: bool = False, dry_run: bool = False
) -> None:
    """Show how to roll back to the tag before-remote-first; --yes does it."""
    from migration import cli

    cli.undo(cli.Flags(core, gitops, yes=yes, json=json, dry=dry(c, dry_run)))
