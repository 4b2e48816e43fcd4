"""The migration: five phases over core and gitops, planned before they are done."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task

_HELP = {
    "core": "the core repository (default: settings)",
    "gitops": "the gitops repository (default: settings)",
    "only": "this step only (repeatable)",
    "accept": "a file, a folder ending in / or a glob that may be lost or left (repeatable)",
    "yes": "confirm what would otherwise be asked",
    "json": "one JSON document on stdout",
    "dry_run": "say what would be done, write nothing",
    "check": "like --dry-run; exit 2 when something is missing",
    "push": "push gitops where its remote must have the copies",
    "history": "keep: the old history stands in gitops too; none",
    "diff": "show the rewritten files as unified diffs",
    "out": "write the plan to this file",
}


def _help(*names: str) -> dict[str, str]:
    return {name.replace("_", "-"): _HELP[name] for name in names}


@task(help=_help("core", "gitops", "accept", "json", "check"), iterable=["accept"], auto_shortflags=False)
def status(c: Context, core="", gitops="", accept=None, json=False, check=False):  # type: ignore[no-untyped-def]
    """What is done, what is missing, what is blocked, and the spec's success criteria."""
    from tasks.steps.migration import commands

    commands.status(commands.Asked(core, gitops, accept=accept, json=json, check=check))


@task(
    help=_help("core", "gitops", "only", "accept", "out", "json", "diff", "check"),
    iterable=["only", "accept"],
    auto_shortflags=False,
)
def plan(c: Context, core="", gitops="", only=None, accept=None, out="", json=False, diff=False, check=False):  # type: ignore[no-untyped-def]
    """Plan all five phases at once, each on the result of those before; --out keeps it for migrate.apply."""
    from tasks.steps.migration import commands

    asked = commands.Asked(core, gitops, only, accept, json=json, check=check, diff=diff)
    commands.plan(asked, out)


_WRITING = ("core", "gitops", "only", "accept", "yes", "json", "dry_run", "check", "push", "diff")


@task(
    help={"file": "the plan, as migrate.plan --out wrote it", **_help(*_WRITING)},
    iterable=["only", "accept"],
    auto_shortflags=False,
)
def apply(c: Context, file, core="", gitops="", only=None, accept=None, yes=False, json=False, dry_run=False, check=False, push=False, diff=False):  # type: ignore[no-untyped-def]
    """Do exactly the plan in FILE; refuse when a repository is not where the plan left it."""
    from tasks.steps.migration import commands

    dry = dry_run or bool(c.config.run.dry)
    asked = commands.Asked(core, gitops, only, accept, yes, json, dry, check, push, diff)
    commands.apply(asked, file)


def _phase(c: Context, number: int, history: str, core, gitops, only, accept, yes, json, dry_run, check, push, diff):  # type: ignore[no-untyped-def]
    from tasks.steps.migration import commands

    dry = dry_run or bool(c.config.run.dry)
    asked = commands.Asked(core, gitops, only, accept, yes, json, dry, check, push, diff, history)
    commands.phase(asked, number)


@task(help=_help(*_WRITING, "history"), iterable=["only", "accept"], auto_shortflags=False)
def phase1(c: Context, core="", gitops="", only=None, accept=None, yes=False, json=False, dry_run=False, check=False, push=False, diff=False, history="none"):  # type: ignore[no-untyped-def]
    """Phase 1: infrastructure stands in gitops."""
    _phase(c, 1, history, core, gitops, only, accept, yes, json, dry_run, check, push, diff)


@task(help=_help(*_WRITING), iterable=["only", "accept"], auto_shortflags=False)
def phase2(c: Context, core="", gitops="", only=None, accept=None, yes=False, json=False, dry_run=False, check=False, push=False, diff=False):  # type: ignore[no-untyped-def]
    """Phase 2: the dev container needs no local cluster."""
    _phase(c, 2, "none", core, gitops, only, accept, yes, json, dry_run, check, push, diff)


@task(help=_help(*_WRITING), iterable=["only", "accept"], auto_shortflags=False)
def phase3(c: Context, core="", gitops="", only=None, accept=None, yes=False, json=False, dry_run=False, check=False, push=False, diff=False):  # type: ignore[no-untyped-def]
    """Phase 3: the Tiltfile works against the shared cluster."""
    _phase(c, 3, "none", core, gitops, only, accept, yes, json, dry_run, check, push, diff)


@task(help=_help(*_WRITING), iterable=["only", "accept"], auto_shortflags=False)
def phase4(c: Context, core="", gitops="", only=None, accept=None, yes=False, json=False, dry_run=False, check=False, push=False, diff=False):  # type: ignore[no-untyped-def]
    """Phase 4: core has no infrastructure; nothing goes that is not proven to be elsewhere, superseded or accepted."""
    _phase(c, 4, "none", core, gitops, only, accept, yes, json, dry_run, check, push, diff)


@task(help=_help(*_WRITING), iterable=["only", "accept"], auto_shortflags=False)
def cleanup_infra(c: Context, core="", gitops="", only=None, accept=None, yes=False, json=False, dry_run=False, check=False, push=False, diff=False):  # type: ignore[no-untyped-def]
    """The same as phase4."""
    _phase(c, 4, "none", core, gitops, only, accept, yes, json, dry_run, check, push, diff)


@task(help=_help(*_WRITING), iterable=["only", "accept"], auto_shortflags=False)
def phase5(c: Context, core="", gitops="", only=None, accept=None, yes=False, json=False, dry_run=False, check=False, push=False, diff=False):  # type: ignore[no-untyped-def]
    """Phase 5: documented, and proven on the target."""
    _phase(c, 5, "none", core, gitops, only, accept, yes, json, dry_run, check, push, diff)


@task(help={"path": "a file or folder of core", **_help("core", "gitops", "accept", "json")}, iterable=["accept"], auto_shortflags=False)
def explain(c: Context, path, core="", gitops="", accept=None, json=False):  # type: ignore[no-untyped-def]
    """What happens to this path, by which rule, with which proof."""
    from tasks.steps.migration import commands

    commands.explain(commands.Asked(core, gitops, accept=accept, json=json), path)


@task(help={"path": "a file or folder of core", **_help("core", "gitops", "json")}, auto_shortflags=False)
def references(c: Context, path, core="", gitops="", json=False):  # type: ignore[no-untyped-def]
    """Who in core names this path, and who syncs from it."""
    from tasks.steps.migration import commands

    commands.references(commands.Asked(core, gitops, json=json), path)


@task(help=_help("core", "gitops", "yes", "json", "dry_run"), auto_shortflags=False)
def undo(c: Context, core="", gitops="", yes=False, json=False, dry_run=False):  # type: ignore[no-untyped-def]
    """Name the way back to the tag before-remote-first, and with --yes go it."""
    from tasks.steps.migration import commands

    dry = dry_run or bool(c.config.run.dry)
    commands.undo(commands.Asked(core, gitops, yes=yes, json=json, dry=dry))
