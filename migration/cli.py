"""What `inv migrate.*` does: read, plan, show, ask, carry out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from migration import apply as applying
from migration import engine, plan_file, render
from migration import mapping as migration_mapping
from migration.engine import Plan, Request
from migration.model import StepResult
from migration.simulation import Consumer, Simulation, refuse_hindered
from tasks.core import ui
from tasks.core.config.settings import Settings, settings
from tasks.core.errors import FAILED, MISSING, REFUSED, Trouble
from tasks.core.plan.steps import State
from tasks.core.repository import repository_root

ALL = (1, 2, 3, 4, 5)


@dataclass(frozen=True)
class Asked:
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
    history: str = "none"


def places(asked: Asked, s: Settings) -> tuple[Path, Path]:
    """The two repositories, as named or as the settings say; gitops lies in core when only core is named."""
    core = Path(asked.core).expanduser().absolute() if asked.core else s.core
    if asked.gitops:
        return core, Path(asked.gitops).expanduser().absolute()
    return core, (core / s.repositories.gitops if asked.core else s.gitops)


def request(asked: Asked, phases: Sequence[int] = ALL) -> Request:
    """What is asked for. Raises Trouble for an unknown step or history."""
    if asked.history not in engine.HISTORIES:
        raise Trouble(f"--history {asked.history} is not known", fix="--history keep, or --history none")
    core, gitops = places(asked, settings())
    return Request(core, gitops, engine.selected(phases, asked.only or ()), tuple(asked.accept or ()), asked.history)


def live(s: Settings) -> list[Consumer]:
    """The Applications of the cluster, as consumers. Raises Trouble when it cannot be asked."""
    from tasks.tools import kubectl
    from tasks.tools.base import frozen_kubeconfig

    if not frozen_kubeconfig(s).is_file():
        raise Trouble(f"the cluster {s.cluster.name} was not asked: there is no kubeconfig of the suite here")
    found = []
    for one in kubectl.applications(s):
        spec: dict[str, Any] = one.get("spec") or {}
        template: dict[str, Any] = ((spec.get("template") or {}).get("spec")) or {}
        for holder in (spec, template):
            sources = [holder.get("source") or {}, *(holder.get("sources") or [])]
            for source in sources:
                if source.get("repoURL"):
                    name = (one.get("metadata") or {}).get("name", "?")
                    where = f"cluster {s.cluster.context}: Application {name}"
                    found.append(Consumer(where, str(source["repoURL"]), str(source.get("path") or "").strip("/")))
    return found


def simulation_of(wanted: Request) -> Simulation:
    """Both repositories, read, with the mapping of this suite."""
    s = settings()
    mapping = migration_mapping.read(repository_root() / "config" / "migration.yaml")
    return engine.prepare(wanted, s, mapping, lambda: live(s))


def status(asked: Asked) -> None:
    """`inv migrate.status`."""
    from migration import criteria

    found = _planned(request(asked))
    rows = criteria.judge(found)
    if asked.json:
        ui.as_json({**render.document(found), "criteria": [row.as_json() for row in rows]})
    else:
        for line in render.lines(found, most=2):
            ui.say(line)
        ui.say("success criteria of the spec")
        for row in rows:
            ui.say(f"  {row.mark} {row.number}. {row.title}: {row.evidence}")
    _close(found)
    if asked.check:
        _leave(_code(found, check=True))


def plan(asked: Asked, out: str) -> None:
    """`inv migrate.plan`."""
    found = _planned(request(asked))
    if out:
        if found.hindrances:
            _close(found)
            first = found.hindrances[0]
            raise Trouble(first.what, fix=first.fix, code=REFUSED)
        plan_file.write(Path(out), found, render.document(found))
        ui.talk(f"the plan is in {out}; carry it out: inv migrate.apply {out}")
    _show(asked, found)
    _close(found)
    _leave(_code(found, check=asked.check))


def phase(asked: Asked, number: int) -> None:
    """`inv migrate.phaseN`: plan one phase, and do it."""
    wanted = request(asked, (number,))
    if asked.dry or asked.check:
        found = _planned(wanted)
        _show(asked, found)
        _close(found)
        _leave(_code(found, check=asked.check, trials=True))
        return
    with applying.session(wanted.core, wanted.gitops) as session:
        _tell(session)
        found = _planned(wanted)
        _do(asked, found, session, unknown=FAILED)


def apply(asked: Asked, file: str) -> None:
    """`inv migrate.apply FILE`: do what the file says."""
    if file.startswith("-"):
        raise Trouble(f"'{file}' is not a file", fix="inv migrate.apply FILE --yes; help: inv --help migrate.apply")
    wanted, commits = plan_file.read(Path(file))
    narrowed = bool(asked.only or asked.accept)
    core = Path(asked.core).expanduser().absolute() if asked.core else wanted.core
    gitops = Path(asked.gitops).expanduser().absolute() if asked.gitops else wanted.gitops
    keys = tuple(k for k in wanted.keys if not asked.only or k in engine.selected(ALL, asked.only))
    accept = (*wanted.accept, *(asked.accept or ()))
    wanted = Request(core, gitops, keys, accept, wanted.history, wanted.at, wanted.idents)

    def look() -> tuple[Plan, bool]:
        """The plan, made again on what is there, and whether both repositories are at its end already."""
        simulation = simulation_of(wanted)
        applying.must_match(simulation, commits, wanted.at)
        ended = any(commits.values()) and all(
            s.facts.head == (commits[s.name] or [wanted.at[s.name]])[-1] for s in (simulation.core, simulation.gitops)
        )
        if not ended:
            refuse_hindered(simulation)
        found = engine.plan(wanted, simulation)
        made = {s.name: [c.id for c in s.commits] for s in (simulation.core, simulation.gitops)}
        if made != commits and not narrowed:
            _close(found)
            if ended:  # another plan would be made today, but this one is done
                return _planned(replace(wanted, at={}, idents={})), True
            raise Trouble(
                "the plan no longer fits what is there: another one would be made today",
                why="a file in the way, the mapping, the settings or the cluster has changed since",
                fix=f"make a new plan: inv migrate.plan --out {file}",
                code=REFUSED,
            )
        return found, ended and not _trials(found)

    if asked.dry or asked.check:
        found, ended = look()
        if ended:
            _told_as_done(asked, found)
            return
        _show(asked, found)
        _close(found)
        _leave(_code(found, check=asked.check))
        return
    with applying.session(wanted.core, wanted.gitops) as session:
        _tell(session)
        found, ended = look()
        if ended:
            _told_as_done(asked, found)
        else:
            _do(asked, found, session, unknown=0)


def explain(asked: Asked, path: str) -> None:
    """`inv migrate.explain PATH`."""
    from migration import explain as telling

    _no_flag(path, "explain")
    found = _planned(request(asked))
    told = telling.explain(found, _of_core(found.simulation, path))
    if asked.json:
        ui.as_json(told.as_json())
    else:
        for line in told.lines():
            ui.say(line)
    _close(found)


def references(asked: Asked, path: str) -> None:
    """`inv migrate.references PATH`."""
    from migration import explain as telling

    _no_flag(path, "references")
    simulation = simulation_of(request(asked))
    path = _of_core(simulation, path)
    rows = telling.references(simulation, path)
    if asked.json:
        ui.as_json({"path": path, "references": [row.as_json() for row in rows]})
    elif rows:
        for row in rows:
            ui.say(row.line())
    else:
        ui.say(f"nothing in core names {path}")
    simulation.close()


def _of_core(simulation: Simulation, path: str) -> str:
    """The path from core's root; one that a shell completed may be absolute."""
    if not path.startswith("/"):
        return path.removeprefix("./")
    try:
        found = str(Path(path).relative_to(simulation.core.facts.folder))
    except ValueError:
        raise Trouble(f"{path} is not in {simulation.core.facts.folder}", fix="name a path of core") from None
    return found + "/" * path.endswith("/")


def undo(asked: Asked) -> None:
    """`inv migrate.undo`."""
    from migration import undo as undoing

    core, gitops = places(asked, settings())
    undoing.undo(core, gitops, yes=asked.yes, dry=asked.dry, json=asked.json)


def _planned(wanted: Request) -> Plan:
    simulation = simulation_of(wanted)
    for word in wanted.accept:
        if not word.endswith("/") and simulation.core.tree.has_folder(word):
            raise Trouble(f"--accept {word} names a folder: it would accept nothing", fix=f"--accept {word}/")
    return engine.plan(wanted, simulation)


def _do(asked: Asked, found: Plan, session: applying.Session, *, unknown: int) -> None:
    """Carry the plan out. unknown: the exit code when something could not be looked at."""
    work = found.pending or bool(found.person)
    if work:
        refuse_hindered(found.simulation)
    if work:
        if not asked.json:
            for line in (*render.lines(found), *_diffs(asked, found)):
                ui.talk(line)
        _confirm(asked, found)
    waits = applying.carry_out(
        found, session, push=asked.push, tell=lambda state, text: ui.progress(state, "migrate", text)
    )
    results = applying.after(found.results, waits)
    if _trials(found) and not waits:
        from migration import trials as validating

        results = validating.run(found.simulation, results)
    _report(asked, found, results)
    if waits:
        raise Trouble(
            f"stopped before the commits of core: {waits}", fix="do that, then run the same again", code=REFUSED
        )
    states = {o.state for o in results}
    _leave(REFUSED if State.BLOCKED in states else unknown if State.UNKNOWN in states else 0)


def _told_as_done(asked: Asked, found: Plan) -> None:
    """A plan that was carried out before: nothing is asked and nothing written; what was blocked then is told again."""
    ui.talk("this plan is carried out; there is nothing left to do")
    results = applying.after(found.results, "")
    _report(asked, found, results)
    _leave(REFUSED if any(o.state is State.BLOCKED for o in results) else 0)


def _report(asked: Asked, found: Plan, results: Sequence[StepResult]) -> None:
    """Show what became of the plan, and where the repositories are now."""
    document = render.document(found, results)
    for side in (found.simulation.core, found.simulation.gitops):
        head, tree = side.facts.git.line("rev-parse", "HEAD", "HEAD^{tree}").split()
        document[side.name] |= {"head": head, "tree": tree}
    if asked.json:
        ui.as_json(document)
    else:
        for line in render.lines(found, results, most=2):
            ui.say(line)
    _close(found)


def _trials(found: Plan) -> bool:
    """Does the plan hold trials on the target?"""
    return any(c.kind == "run" for o in found.results for c in o.changes)


def _confirm(asked: Asked, found: Plan) -> None:
    sides = (found.simulation.core, found.simulation.gitops)
    ahead = [c for side in sides for c in applying.ahead(side)]
    lost = [c.destroys for o in found.results for c in o.changes if c.destroys]
    deletes = sum(entry is None for c in ahead for entry in c.edits.values())
    counts = f"{len(ahead)} commits, {deletes} deletions"
    more = f", {len(lost)} of them lose something" if lost else ""
    ui.confirm(f"do this ({counts}{more})?", yes=asked.yes, fix="run it again with --yes")


def _show(asked: Asked, found: Plan) -> None:
    if asked.json:
        document = render.document(found)
        ui.as_json({**document, "diff": "\n".join(_diffs(asked, found))} if asked.diff else document)
        return
    for line in (*render.lines(found, every=asked.dry or asked.check), *_diffs(asked, found)):
        ui.say(line)


def _diffs(asked: Asked, found: Plan) -> Iterator[str]:
    """The rewritten files as unified diffs, when they were asked for."""
    if asked.diff:
        from migration import explain as telling

        yield from telling.diffs(found)


def _code(found: Plan, *, check: bool, trials: bool = False) -> int:
    """The exit code of a look. trials: does it count as missing that something was not tried on the target?"""
    if found.blocked or found.hindrances:
        return REFUSED
    return MISSING if check and (found.pending if trials else found.unfinished) else 0


def _leave(code: int) -> None:
    if code:
        raise SystemExit(code)


def _close(found: Plan) -> None:
    found.simulation.close()


def _tell(session: applying.Session) -> None:
    for line in session.told:
        ui.talk(line)


def _no_flag(word: str, task: str) -> None:
    if word.startswith("-") or word in {"", ".", "./"}:
        raise Trouble(
            f"'{word}' is not a path",
            fix=f"the path comes first: inv migrate.{task} PATH; help: inv --help migrate.{task}",
        )
