"""Plans steps one after the other, each on the simulated result of those before."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from migration import carried_suite, history
from migration.deletion import review as deletion_review
from migration.git.facts import Facts, look
from migration.git.objects import GITLINK, Blobs
from migration.mapping import CLEANUP_STEPS, Mapping
from migration.memo import MemoKey
from migration.model import ChangeKind, Commit, Consumer, History, MigrationRequest, Repo, StepResult
from migration.phases import old_start, phase1, phase2, phase3, phase4, phase5
from migration.references.argo_consumers import plain_url
from migration.repositories import Repositories, Repository
from migration.simulation import Draft, Simulation, commit
from migration.step import MigrationStep
from migration.titles import title_of
from tasks.core.config.settings import Settings
from tasks.core.errors import Problem, Trouble
from tasks.core.origin import placed
from tasks.core.plan.outcome import State

STEPS: tuple[MigrationStep, ...] = (*phase1.STEPS, *phase2.STEPS, *phase3.STEPS, *phase4.STEPS, *phase5.STEPS)
BY_KEY = {step.key: step for step in STEPS}
_DELETING = frozenset(CLEANUP_STEPS)


@dataclass
class MigrationPlan:
    """The result of every selected step, and the commits that carry the plan out, in order."""

    simulation: Simulation
    results: list[StepResult]

    start: dict[str, str]
    """Repository -> the commit that the plan starts from."""

    @property
    def request(self) -> MigrationRequest:
        """What was asked for."""
        return self.simulation.request

    @property
    def commits(self) -> list[Commit]:
        """All planned commits, those of gitops first."""
        return [*self.simulation.gitops.commits, *self.simulation.core.commits]

    @property
    def problems(self) -> list[Problem]:
        """Why nothing may be committed now."""
        return list(self.simulation.repositories.problems)

    @property
    def person(self) -> str:
        """What a person does between the commits of gitops and those of core; empty when nothing."""
        return next((c.text for r in self.results for c in r.changes if c.kind is ChangeKind.PERSON), "")

    @property
    def trials(self) -> bool:
        """Whether the plan includes trials on the target."""
        return any(c.kind is ChangeKind.RUN for r in self.results for c in r.changes)

    @property
    def blocked(self) -> bool:
        """Whether any step is blocked."""
        return any(r.state is State.BLOCKED for r in self.results)

    @property
    def pending(self) -> bool:
        """Whether there is anything to do, trials included."""
        return any(r.state is State.PENDING for r in self.results) or bool(self.commits)

    @property
    def unfinished(self) -> bool:
        """Whether there is anything to do in the repositories. Trials on the target don't count."""
        return bool(self.commits) or any(c.kind is not ChangeKind.RUN for r in self.results for c in r.changes)


def selected(phases: Iterable[int], only: Sequence[str]) -> tuple[str, ...]:
    """Return the keys of these phases, narrowed to `only`. Raises Trouble for a key that these phases don't have."""
    from tasks.core.cli.names import nearest

    numbers, wanted = set(phases), {key.upper() for key in only}
    keys = [step.key for step in STEPS if step.phase in numbers]
    for key in only:
        if key.upper() not in keys:
            near = nearest(key.upper(), keys) or keys
            raise Trouble(f"no step '{key}' here", fix=f"did you mean {' or '.join(near[:3])}?")
    return tuple(key for key in keys if not wanted or key in wanted)


def prepare(
    request: MigrationRequest, settings: Settings, mapping: Mapping, live: Callable[[], list[Consumer]] | None
) -> Simulation:
    """Read both repositories. Raises Refused when one of them cannot be worked on."""
    below = _below_core(request)
    hint = f"git -C {shlex.quote(str(request.core))} submodule update --init {shlex.quote(str(below))}" if below else ""
    core, gitops = look(request.core, request.gitops, at=request.at, hint=hint)
    repositories = Repositories(
        core=_repository("core", core, request),
        gitops=_repository("gitops", gitops, request),
        pin_path=_pin_path(core, gitops, below, settings.repositories.gitops),
    )
    carried, own = carried_suite.files(core.folder)
    folder = carried_suite.settings_folder(repositories.core)
    suite = carried_suite.at_their_place(carried, folder, carried_suite.here())
    return Simulation(
        request,
        repositories,
        mapping,
        settings,
        suite=suite,
        own=frozenset({*suite, *(placed(path, folder) for path in own)}),
        config=folder,
        live=live,
    )


def _below_core(request: MigrationRequest) -> str:
    """The path of gitops inside core; empty when it is elsewhere."""
    core, gitops = request.core.resolve(), request.gitops.resolve()
    return str(gitops.relative_to(core)) if gitops.is_relative_to(core) and gitops != core else ""


def _repository(name: Repo, facts: Facts, request: MigrationRequest) -> Repository:
    return Repository(name, facts, facts.tree.copy(), Blobs(facts.git), facts.at, request.idents.get(name))


def _pin_path(core: Facts, gitops: Facts, below: str, setting: str) -> str:
    """Where core has gitops as a submodule: where gitops is, as the settings say, by its URL, or by its name."""
    links = [p for p, e in core.tree.files.items() if e.mode == GITLINK]
    for path in (below, setting.rstrip("/")):
        if path in links:
            return path
    if not links:
        return ""
    urls = {plain_url(u) for u in gitops.remote_urls()} | {plain_url(str(gitops.folder))}
    named = [path for path, url in _submodules(core) if path in links and plain_url(url) in urls]
    named += [p for p in links if Path(p).name == gitops.folder.name]
    return named[0] if named else ""


def _submodules(core: Facts) -> list[tuple[str, str]]:
    """Path and URL of every submodule in core's .gitmodules."""
    pattern = r"^submodule\..*\.(path|url)$"
    config = core.git.read("config", "-f", ".gitmodules", "--get-regexp", pattern, ok=(0, 1, 128))
    rows = [line.partition(" ") for line in config.decode("utf-8", "surrogateescape").splitlines()]
    paths = {key.removesuffix(".path"): value for key, _, value in rows if key.endswith(".path")}
    urls = {key.removesuffix(".url"): value for key, _, value in rows if key.endswith(".url")}
    return [(paths[name], url) for name, url in urls.items() if name in paths]


def plan(simulation: Simulation) -> MigrationPlan:
    """Plan the selected steps in their order. Nothing is written."""
    request = simulation.request
    start: dict[str, str] = {repository.name: repository.head for repository in simulation.repositories.both}
    if request.history is History.KEEP and any(key in request.keys for key in phase1.COPIES):
        simulation.graft = history.graft(simulation)
    deletion_review.start_searches(simulation)
    if "RF-22" in request.keys:
        old_start.start_search(simulation)
    results: list[StepResult] = []
    barred: dict[str, bool] = {}
    simulation.is_barred = lambda key: bool(_unmet(simulation, BY_KEY[key], barred))
    for step in STEPS:
        if step.key not in request.keys:
            continue
        result = _plan_step(simulation, step, barred)
        results.append(result)
        if step.key not in _DELETING and (result.commits or barred[step.key]):
            simulation.memo.forget(deletion_review.VERDICTS)
    return MigrationPlan(simulation, results, start)


def _plan_step(simulation: Simulation, step: MigrationStep, barred: dict[str, bool]) -> StepResult:
    """Plan one step, and note in `barred` whether nothing of it is done."""
    unmet = _unmet(simulation, step, barred)
    draft = Draft(simulation, step.key, barred=bool(unmet))
    step.plan(draft)
    barred[step.key] = draft.barred
    title = title_of(step, draft)
    commits = [] if draft.barred else commit(simulation, draft, title)
    return StepResult(
        key=step.key,
        phase=step.phase,
        title=title,
        state=_state(draft),
        needs=step.needs,
        unmet=unmet,
        changes=() if draft.barred else tuple(draft.changes),
        blocks=tuple(draft.blocks),
        notes=tuple(draft.notes),
        problem=draft.unknown,
        unused=draft.unused,
        references=tuple(draft.references),
        commits=tuple(commits),
    )


def _state(draft: Draft) -> State:
    if draft.blocks or draft.barred:
        return State.BLOCKED
    if draft.unknown:
        return State.UNKNOWN
    return State.PENDING if draft.changes else State.DONE


def _unmet(simulation: Simulation, step: MigrationStep, barred: dict[str, bool]) -> tuple[str, ...]:
    """The steps that this one waits for. barred: the steps planned so far, and whether nothing of them is done."""
    return tuple(need for need in step.needs if need in BY_KEY and _is_unmet(simulation, BY_KEY[need], barred))


def _is_unmet(simulation: Simulation, need: MigrationStep, barred: dict[str, bool]) -> bool:
    """Whether a needed step still has something to change. What blocks it does not count: it blocks path by path."""
    if need.key in barred:
        return barred[need.key]
    if need.key in simulation.request.keys:  # it is planned later: expect that it is done if nothing bars it
        return bool(_unmet(simulation, need, barred))
    return simulation.memo.answer(MemoKey[bool](f"{need.key} has changes"), lambda: _has_changes(simulation, need))


def _has_changes(simulation: Simulation, step: MigrationStep) -> bool:
    """Whether a step that was not selected would change something. Its draft is thrown away."""
    draft = Draft(simulation, step.key)
    pushed = simulation.pushed
    step.plan(draft)
    simulation.pushed = pushed
    return draft.barred or bool(draft.changes)
