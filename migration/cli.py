"""What the `inv migrate.*` tasks do: read, plan, show, ask, carry out."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from migration import applications, apply, configuration, engine, mapping_file, overview, plan_file, render, targets
from migration.engine import MigrationPlan
from migration.mapping import covering
from migration.model import History, MigrationRequest, StepResult
from migration.simulation import Simulation
from tasks.core import ui
from tasks.core.config.settings import Settings, settings
from tasks.core.errors import FAILED, MISSING, REFUSED, Trouble
from tasks.core.plan.outcome import State

ALL = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Flags:
    """The flags of a migrate task."""

    core: str = ""
    gitops: str = ""
    only: Sequence[str] | None = None
    accept: Sequence[str] | None = None
    yes: bool = False
    json: bool = False
    dry: bool = False
    check: bool = False
    push: bool = False
    diff: bool = False
    verbose: bool = False
    history: str = History.NONE

    @property
    def looks(self) -> bool:
        """Whether nothing is to be written."""
        return self.dry or self.check


def status(flags: Flags) -> None:
    """Show every phase and the success criteria: `inv migrate.status`."""
    from migration import criteria

    plan = planned(request(flags))
    rows = criteria.judge(plan)
    if flags.json:
        ui.as_json({**render.document(plan), "criteria": [row.as_json() for row in rows]})
    else:
        _say(overview.lines(plan, verbose=flags.verbose))
        ui.say("success criteria of the spec")
        _say(f"  {row.mark} {row.number}. {row.title}: {row.evidence}" for row in rows)
    _close(plan)
    if flags.check:
        _leave(_code(plan, check=True))


def plan(flags: Flags, out: str) -> None:
    """Show the plan of all phases, and save it: `inv migrate.plan`."""
    made = planned(request(flags))
    if out:
        _save(made, out)
    _show(flags, made)
    if not flags.json:
        _talk(_unused_rows(made.simulation))
    _close(made)
    _leave(_code(made, check=flags.check))


def _unused_rows(simulation: Simulation) -> list[str]:
    """Name the rows of the mapping that match nothing, in one line."""
    from migration import unused_rows

    rows = unused_rows.unused_rows(simulation, configuration.mapping_file(simulation.request.core))
    if not rows:
        return []
    named = ", ".join(f"{row.path} ({row.where})" for row in rows[:3])
    more = f" and {len(rows) - 3} more" if len(rows) > 3 else ""
    count = "1 row of the mapping matches" if len(rows) == 1 else f"{len(rows)} rows of the mapping match"
    return [f"{count} nothing here: {named}{more}"]


def _save(plan: MigrationPlan, out: str) -> None:
    if plan.problems:
        _close(plan)
        first = plan.problems[0]
        raise Trouble(first.what, why=first.why, fix=first.fix, code=REFUSED)
    plan_file.write(Path(out), plan, render.document(plan))
    ui.talk(f"the plan is in {out}; carry it out: inv migrate.apply {shlex.quote(out)}")


def phase(flags: Flags, number: int) -> None:
    """Plan one phase and carry it out: `inv migrate.phaseN`."""
    wanted = request(flags, (number,))
    if flags.looks:
        plan = planned(wanted)
        _show(flags, plan)
        _close(plan)
        _leave(_code(plan, check=flags.check, trials=True))
        return
    with apply.locked(wanted.core, wanted.gitops) as run:
        _talk(run.resumed)
        _carry_out(flags, planned(wanted), run, unknown=FAILED)


def apply_file(flags: Flags, file: str) -> None:
    """Carry out a saved plan: `inv migrate.apply FILE`."""
    if file.startswith("-"):
        raise Trouble(f"'{file}' is not a file", fix="inv migrate.apply FILE --yes; help: inv --help migrate.apply")
    saved, commits = plan_file.read(Path(file))
    wanted = _narrowed(saved, flags)
    replay = _Replay(file, wanted, commits, exact=not (flags.only or flags.accept))
    if flags.looks:
        plan, over = replay.plan()
        if over:
            _report_as_done(flags, plan)
            return
        _show(flags, plan)
        _close(plan)
        _leave(_code(plan, check=flags.check))
        return
    with apply.locked(wanted.core, wanted.gitops) as run:
        _talk(run.resumed)
        plan, over = replay.plan()
        if over:
            _report_as_done(flags, plan)
        else:
            _carry_out(flags, plan, run, unknown=0)


def _narrowed(saved: MigrationRequest, flags: Flags) -> MigrationRequest:
    """Return the saved plan's request with the flags that were typed now."""
    chosen = engine.selected(ALL, flags.only) if flags.only else saved.keys
    return replace(
        saved,
        core=_folder(flags.core) if flags.core else saved.core,
        gitops=_folder(flags.gitops) if flags.gitops else saved.gitops,
        keys=tuple(key for key in saved.keys if key in chosen),
        accept=(*saved.accept, *(flags.accept or ())),
    )


@dataclass(frozen=True)
class _Replay:
    """A saved plan, to be made again on what is there now."""

    file: str
    wanted: MigrationRequest
    commits: dict[str, list[str]]

    exact: bool
    """Whether the commits must be those that were saved: no flag narrows the plan."""

    def plan(self) -> tuple[MigrationPlan, bool]:
        """Return the plan, and whether there is nothing left to do. Raises Trouble when it no longer fits."""
        simulation = simulate(self.wanted)
        apply.must_match(simulation, self.commits, self.wanted.at)
        ended = self._is_ended(simulation)
        if not ended:
            simulation.repositories.must_be_ready()
        plan = engine.plan(simulation)
        made = {r.name: [commit.id for commit in r.commits] for r in simulation.repositories.both}
        if made == self.commits or not self.exact:
            return plan, ended and not plan.trials
        _close(plan)
        if ended:  # another plan would be made today, but this one is done
            return planned(replace(self.wanted, at={}, idents={})), True
        raise Trouble(
            "the plan no longer fits: another one would be made today",
            why="a file in the way, the mapping, the settings or the cluster has changed since",
            fix=f"make a new plan: inv migrate.plan --out {shlex.quote(str(self.file))}",
            code=REFUSED,
        )

    def _is_ended(self, simulation: Simulation) -> bool:
        """Whether both repositories are at the end of the saved plan."""
        ends = {name: (ids or [self.wanted.at[name]])[-1] for name, ids in self.commits.items()}
        at_end = all(r.facts.head == ends[r.name] for r in simulation.repositories.both)
        return at_end and any(self.commits.values())


def explain(flags: Flags, path: str) -> None:
    """Say what happens to a path, and why: `inv migrate.explain PATH`."""
    from migration import explain as explaining

    _must_be_path(path, "explain")
    plan = planned(request(flags))
    explanation = explaining.explain(plan, _in_core(plan.simulation, path))
    if flags.json:
        ui.as_json(explanation.as_json())
    else:
        _say(explanation.lines())
    _close(plan)


def references(flags: Flags, path: str) -> None:
    """List what refers to a path: `inv migrate.references PATH`."""
    from migration import explain as explaining

    _must_be_path(path, "references")
    simulation = simulate(request(flags))
    path = _in_core(simulation, path)
    rows = explaining.references(simulation, path)
    if flags.json:
        ui.as_json({"path": path, "references": [row.as_json() for row in rows]})
    elif rows:
        _say(row.line() for row in rows)
    else:
        ui.say(f"nothing in core refers to {path}")
    simulation.repositories.close()


def undo(flags: Flags) -> None:
    """Roll both repositories back: `inv migrate.undo`."""
    from migration import undo as undoing

    core, gitops = folders(flags, _settings(flags))
    undoing.undo(core, gitops, yes=flags.yes, dry=flags.dry, json=flags.json)


def request(flags: Flags, phases: Sequence[int] = ALL) -> MigrationRequest:
    """Return what the flags ask for. Raises Trouble for an unknown step or history."""
    if flags.history not in list(History):
        raise Trouble(f"--history {flags.history} is not known", fix=f"--history {' or '.join(History)}")
    core, gitops = folders(flags, _settings(flags))
    keys = engine.selected(phases, flags.only or ())
    return MigrationRequest(core, gitops, keys, tuple(flags.accept or ()), History(flags.history))


def folders(flags: Flags, s: Settings) -> tuple[Path, Path]:
    """Return core and gitops, as named or as the settings say. When only core is named, gitops is inside it."""
    core = _folder(flags.core) if flags.core else s.core
    if flags.gitops:
        return core, _folder(flags.gitops)
    return core, (core / s.repositories.gitops if flags.core else s.gitops)


def _settings(flags: Flags) -> Settings:
    return configuration.settings_for(_folder(flags.core)) if flags.core else settings()


def _folder(text: str) -> Path:
    return Path(text).expanduser().absolute()


def simulate(wanted: MigrationRequest) -> Simulation:
    """Read both repositories, with the mapping of this suite."""
    s = configuration.settings_for(wanted.core)
    mapping = mapping_file.read(configuration.mapping_file(wanted.core))
    simulation = engine.prepare(wanted, s, mapping, lambda: applications.live(s))
    targets.refuse_foreign(simulation, configuration.mapping_file(wanted.core))
    return simulation


def planned(wanted: MigrationRequest) -> MigrationPlan:
    """Read both repositories and plan. Raises Trouble for a folder that was accepted without its slash."""
    simulation = simulate(wanted)
    for word in wanted.accept:
        if not word.endswith("/") and simulation.core.tree.has_folder(word):
            raise Trouble(f"--accept {word} names a folder: it would accept nothing", fix=f"--accept {word}/")
        if not any(map(covering(word), simulation.core.tree.files)):  # also after a deletion that it accepted
            ui.talk(f"--accept {word} matches no file of core")
    return engine.plan(simulation)


def _carry_out(flags: Flags, plan: MigrationPlan, run: apply.MigrationRun, *, unknown: int) -> None:
    """Carry the plan out and report. unknown: the exit code when the state of a step is unknown."""
    if plan.pending or plan.person:
        plan.simulation.repositories.must_be_ready()
        if not flags.json:
            _talk([*overview.lines(plan, verbose=flags.verbose), *_diffs(flags, plan)])
        _confirm(flags, plan)
    waits = apply.carry_out(plan, run, push=flags.push, tell=lambda state, text: ui.progress(state, "migrate", text))
    stays = "" if waits else apply.follow_pin(plan, run)
    results = apply.carried_out(plan.results, waits)
    if plan.trials and not waits:
        from migration import trials

        results = trials.run(plan.simulation, results)
    _report(flags, plan, results)
    if waits:
        what = f"stopped before the commits of core: {waits}"
        raise Trouble(what, fix="do that, then run the same again", code=REFUSED)
    if stays:
        ui.talk(f"the submodule is not checked out at the commit that core pins; do it before you commit: {stays}")
    states = {result.state for result in results}
    _leave(REFUSED if State.BLOCKED in states else unknown if State.UNKNOWN in states else 0)


def _report_as_done(flags: Flags, plan: MigrationPlan) -> None:
    """Report a plan that was carried out before. Nothing is asked or written; what was blocked is reported again."""
    ui.talk("this plan is carried out; there is nothing left to do")
    results = apply.carried_out(plan.results, "")
    _report(flags, plan, results)
    _leave(REFUSED if any(result.state is State.BLOCKED for result in results) else 0)


def _report(flags: Flags, plan: MigrationPlan, results: Sequence[StepResult]) -> None:
    """Show what became of the plan, and where the repositories are now."""
    if flags.json:
        document = render.document(plan, results)
        for repository in plan.simulation.repositories.both:
            head, tree = repository.facts.git.line("rev-parse", "HEAD", "HEAD^{tree}").split()
            document[repository.name] |= {"head": head, "tree": tree}
        ui.as_json(document)
    else:
        _say(overview.outcome(plan, results))
    _close(plan)


def _confirm(flags: Flags, plan: MigrationPlan) -> None:
    ahead = [commit for repository in plan.simulation.repositories.both for commit in apply.ahead(repository)]
    lost = [change.destroys for result in plan.results for change in result.changes if change.destroys]
    deletions = sum(entry is None for commit in ahead for entry in commit.edits.values())
    more = f", {len(lost)} of them lose something" if lost else ""
    question = f"do this ({len(ahead)} commits, {deletions} deletions{more})?"
    ui.confirm(question, yes=flags.yes, fix="run it again with --yes")


def _show(flags: Flags, plan: MigrationPlan) -> None:
    if not flags.json:
        _say([*overview.lines(plan, verbose=flags.verbose), *_diffs(flags, plan)])
        return
    document = render.document(plan)
    if flags.diff:
        document["diff"] = "\n".join(_diffs(flags, plan))
    ui.as_json(document)


def _diffs(flags: Flags, plan: MigrationPlan) -> Iterator[str]:
    """Yield the rewritten files as unified diffs, with --diff."""
    if flags.diff:
        from migration import explain as explaining

        yield from explaining.diffs(plan)


def _code(plan: MigrationPlan, *, check: bool, trials: bool = False) -> int:
    """Return the exit code when nothing is written. trials: a trial that was not run counts as missing."""
    if plan.blocked or plan.problems:
        return REFUSED
    return MISSING if check and (plan.pending if trials else plan.unfinished) else 0


def _leave(code: int) -> None:
    if code:
        raise SystemExit(code)


def _close(plan: MigrationPlan) -> None:
    plan.simulation.repositories.close()


def _say(lines: Iterator[str] | Sequence[str]) -> None:
    for line in lines:
        ui.say(line)


def _talk(lines: Sequence[str]) -> None:
    for line in lines:
        ui.talk(line)


def _in_core(simulation: Simulation, path: str) -> str:
    """Return the path from core's root. A path that a shell completed may be absolute."""
    if not path.startswith("/"):
        return path.removeprefix("./")
    root = simulation.core.facts.folder
    try:
        below = str(Path(path).relative_to(root))
    except ValueError:
        raise Trouble(f"{path} is not in {root}", fix="name a path of core") from None
    return below + "/" * path.endswith("/")


def _must_be_path(word: str, task: str) -> None:
    """Raise Trouble for a flag where the path was expected."""
    if word.startswith("-") or word in {"", ".", "./"}:
        raise Trouble(
            f"'{word}' is not a path",
            fix=f"the path comes first: inv migrate.{task} PATH; help: inv --help migrate.{task}",
        )
