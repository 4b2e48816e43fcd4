"""Who may have answered a request that did not reach this workstation: a colleague's process or the baseline.

Telepresence lists only the intercepts of its own client (every version). So the colleagues' notices and the Traffic
Agent are asked: without an agent nobody intercepts. An agent stays after an intercept; one that nothing explains may
serve an intercept without a notice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tasks.checks.workload import ClusterService, annotation, has_agent
from tasks.core.config.settings import Settings
from tasks.core.errors import Trouble
from tasks.core.state import timing
from tasks.flows.intercept import notice
from tasks.flows.intercept.notice import Notice
from tasks.flows.intercept.proof import Answer, AnsweredBy
from tasks.tools.telepresence import Held

_GATEWAY_ERRORS = {502, 503, 504}  # what an ingress answers when the process behind an intercept is gone
_NO_NOTICE = "a Traffic Agent is installed, and no notice says who intercepts"
_NO_PROCESS = "the service does not answer, or an intercept without a notice takes its requests"


def attribute(s: Settings, cluster_service: ClusterService, answer: Answer, held: Held | None) -> Answer:
    """Return the answer with who may have given it, instead of `baseline` for everybody else."""
    if answer.answered_by not in {AnsweredBy.BASELINE, AnsweredBy.NOBODY} or not _has_agent(cluster_service):
        return answer
    if held and _takes(held.headers, answer.headers):
        return answer  # Telepresence lets nobody else hold the same requests
    try:
        notices = notice.ask(s, cluster_service.name)
    except Trouble as why:
        return answer.unclear(f"a Traffic Agent is installed, and the notices cannot be read: {why.what}")
    return _by_notices(cluster_service, answer, [note for note in notices if not note.mine])


def _by_notices(cluster_service: ClusterService, answer: Answer, colleagues: list[Notice]) -> Answer:
    holder = next((note for note in colleagues if _takes(note.headers, answer.headers)), None)
    if holder:
        return _of_colleague(answer, holder)
    if answer.status in _GATEWAY_ERRORS:  # 503 counts as nobody, and the agent may be the one that gives it
        return answer.unclear(f"HTTP {answer.status}: {_NO_PROCESS}")
    if answer.answered_by is AnsweredBy.NOBODY or colleagues or _explained(cluster_service):
        return answer
    return answer.unclear(_NO_NOTICE)


def _of_colleague(answer: Answer, holder: Notice) -> Answer:
    nobody = answer.answered_by is AnsweredBy.NOBODY or answer.status in _GATEWAY_ERRORS
    by = AnsweredBy.NOBODY if nobody else AnsweredBy.COLLEAGUE
    return replace(answer, answered_by=by, client=holder.holder)


def _takes(wanted: Mapping[str, str] | None, sent: Mapping[str, str]) -> bool:
    """Does an intercept with these headers take the request? One whose headers are not known may do so."""
    lower = {name.lower(): value for name, value in sent.items()}
    return all(lower.get(name.lower()) == value for name, value in (wanted or {}).items())


def _has_agent(cluster_service: ClusterService) -> bool:
    """Has any pod an agent? During a rollout only some have."""
    return any(map(has_agent, cluster_service.pods))


def _explained(cluster_service: ClusterService) -> bool:
    """Is it known why there is an agent: the pod template asks for it, or this workstation's intercepts installed it?"""
    if annotation(cluster_service.template, "inject-traffic-agent").lower() in {"enabled", "true"}:
        return True
    installed = (record for record in timing.kept("intercept") if record.get("cold"))
    return any(record.get("workload") == cluster_service.name for record in installed)
