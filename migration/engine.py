"""Plans steps one after the other, each on the simulated result of those before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from migration import carried_suite
from migration.deletion import review as deletion_review
from migration.git.facts import Facts, Hindrance, look
from migration.git.objects import GITLINK, Blobs
from migration.mapping import Mapping
from migration.model import Commit, Outcome, Step
from migration.phases import phase1, phase2, phase3, phase4, phase5
from migration.simulation import Consumer, Draft, Side, World, commit
from tasks.core.config.settings import Settings
from tasks.core.errors import Trouble
from tasks.core.plan.steps import State

STEPS: tuple[Step, ...] = (*phase1.STEPS, *phase2.STEPS, *phase3.STEPS, *phase4.STEPS, *phase5.STEPS)
BY_KEY = {step.key: step for step in STEPS}
HISTORIES = ("keep", "none")
_DELETING = {"DC-16"} | {s.key for s in phase4.STEPS if s.plan is phase4.delete_files}


@dataclass(frozen=True)
class Request:
    """What is asked for. keys: the steps; at: commits to plan on, and identities, of a saved plan."""

    core: Path
    gitops: Path
    keys: tuple[str, ...] = tuple(s.key for s in STEPS)
    accept: tuple[str, ...] = ()
    history: str = "none"
    at: dict[str, str] = field(default_factory=dict)
    idents: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass
class Plan:
    """The outcome of every selected step, and the commits that bring it about, in order."""

    request: Request
    world: World
    outcomes: list[Outcome]
    start: dict[str, str]

    @property
    def commits(self) -> list[Commit]:
        """All commits, those of gitops first."""
        return [*self.world.gitops.commits, *self.world.core.commits]

    @property
    def hindrances(self) -> list[Hindrance]:
        """Why nothing may be committed now."""
        return [*self.world.core.hindrances, *self.world.gitops.hindrances]

    @property
    def person(self) -> str:
        """What a person does between the commits of gitops and those of core; empty when nothing."""
        return next((c.text for o in self.outcomes for c in o.changes if c.kind == "person"), "")

    @property
    def blocked(self) -> bool:
        """Is any step blocked?"""
        return any(o.state is State.BLOCKED for o in self.outcomes)

    @property
    def pending(self) -> bool:
        """Is there anything to do?"""
        return any(o.state is State.PENDING for o in self.outcomes) or bool(self.commits)

    @property
    def unfinished(self) -> bool:
        """Is there anything to do in the repositories? A trial on the target is none of that."""
        return bool(self.commits) or any(c.kind != "run" for o in self.outcomes for c in o.changes)


def selected(phases: Iterable[int], only: Sequence[str]) -> tuple[str, ...]:
    """The keys of these phases, or of them those named. Raises Trouble for a key that is none of them."""
    from tasks.core.cli.names import nearest

    among = [s.key for s in STEPS if s.phase in set(phases)]
    for key in only:
        if key.upper() not in among:
            near = nearest(key.upper(), among) or among
            raise Trouble(f"no step '{key}' here", fix=f"did you mean {' or '.join(near[:3])}?")
    return tuple(k for k in among if not only or k in {o.upper() for o in only})


def make_world(
    request: Request, settings: Settings, mapping: Mapping, live: Callable[[], list[Consumer]] | None
) -> World:
    """Read both repositories."""
    hint = ""
    try:
        inside = request.gitops.resolve().relative_to(request.core.resolve())
        hint = f"git -C {request.core} submodule update --init {inside}"
    except ValueError:
        inside = Path()
    core, gitops = look(request.core, request.gitops, at=request.at, hint=hint)
    world = World(
        _side("core", core, request), _side("gitops", gitops, request), mapping, settings, tuple(request.accept)
    )
    world.live, world.history = live, request.history
    world.selected = frozenset(request.keys)
    world.pin_path = _pin_path(core, gitops, str(inside), settings.repositories.gitops)
    world.suite, world.own = carried_suite.files(core.folder)
    return world


def _side(name: Any, facts: Facts, request: Request) -> Side:
    return Side(name, facts, facts.tree.copy(), Blobs(facts.git), facts.at, request.idents.get(name))


def _pin_path(core: Facts, gitops: Facts, inside: str, setting: str) -> str:
    """Where core has gitops as its submodule: where it lies, as the settings say, or by its URL."""
    links = [p for p, e in core.tree.files.items() if e.mode == GITLINK]
    for path in (inside, setting.rstrip("/")):
        if path in links:
            return path
    if not links:
        return ""
    from migration.references.argo_consumers import plain_url

    urls = {plain_url(u) for u in gitops.remote_urls()} | {plain_url(str(gitops.folder))}
    config = core.git.read(
        "config", "-f", ".gitmodules", "--get-regexp", r"^submodule\..*\.(path|url)$", ok=(0, 1, 128)
    )
    rows = [line.partition(" ") for line in config.decode("utf-8", "surrogateescape").splitlines()]
    paths = {key.rpartition(".")[0]: value for key, _, value in rows if key.endswith(".path")}
    for key, _, value in rows:
        if key.endswith(".url") and plain_url(value) in urls and paths.get(key.rpartition(".")[0]) in links:
            return paths[key.rpartition(".")[0]]
    return next((p for p in links if p.rpartition("/")[2] == gitops.folder.name), "")


def plan(request: Request, world: World) -> Plan:
    """Plan the selected steps in their order. Nothing is written."""
    start = {"core": world.core.head, "gitops": world.gitops.head}
    outcomes: dict[str, Outcome] = {}
    barred: dict[str, bool] = {}
    if world.history == "keep" and any(k in world.selected for k in phase1.COPIES):
        from migration import history

        world.grafts = history.grafts(world)
    deletion_review.start_searches(world)
    for step in STEPS:
        if step.key not in world.selected:
            continue
        unmet = [n for n in step.needs if n in BY_KEY and _unmet(world, BY_KEY[n], barred)]
        outcome = _one(world, step, unmet)
        barred[step.key] = bool(unmet)
        outcomes[step.key] = outcome
        if outcome.commits and step.key not in _DELETING:
            world.cache.pop("verdicts", None)
    return Plan(request, world, list(outcomes.values()), start)


def _one(world: World, step: Step, unmet: list[str]) -> Outcome:
    title = step.title or _title(world.mapping, step.key)
    draft = Draft(world, step.key, barred=bool(unmet))
    step.plan(draft)
    notes = ([f"needs {', '.join(unmet)}"] if unmet else []) + draft.notes + ([draft.unknown] if draft.unknown else [])
    made: list[Commit] = []
    changes: tuple[Any, ...] = ()
    if not unmet:
        made = commit(world, draft, title)
        changes = tuple(draft.changes)
    if draft.blocks or unmet:
        state = State.BLOCKED
    elif draft.unknown:
        state = State.UNKNOWN
    else:
        state = State.PENDING if changes else State.DONE
    return Outcome(
        key=step.key,
        phase=step.phase,
        title=title,
        state=state,
        needs=step.needs,
        changes=changes,
        blocks=tuple(draft.blocks),
        note="\n".join(notes),
        references=tuple(draft.references),
        commits=tuple(made),
    )


def _unmet(world: World, need: Step, barred: dict[str, bool]) -> bool:
    """Does a needed step still have something to change? What it is blocked on, blocks path by path elsewhere."""
    if need.key in barred:
        return barred[need.key]
    key = f"need {need.key}"
    if key not in world.cache:
        draft = Draft(world, need.key)
        pushed = world.pushed
        need.plan(draft)
        world.pushed = pushed
        world.cache[key] = bool(draft.changes)
    return bool(world.cache[key])


def _title(mapping: Mapping, key: str) -> str:
    row = mapping.cleanup_of(key)
    if row is not None:
        return row.title or f"{' and '.join(row.paths)} {'is' if len(row.paths) == 1 else 'are'} gone"
    moves = [m for m in mapping.moves if m.step == key]
    if moves:
        return f"{' and '.join(m.source for m in moves)} {'stands' if len(moves) == 1 else 'stand'} in gitops"
    return "what the mapping names for this step is so"
