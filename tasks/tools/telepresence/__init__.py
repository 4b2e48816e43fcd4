"""Telepresence: verbs over what 2.19, 2.25 and 2.31 have in common, asked of `--help` where they differ.

`list`, `intercept` and `leave` without a session start a daemon and connect to wherever the kubeconfig points
(every version), so whoever calls them asks `status` first.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.core.config.settings import Settings
from tasks.core.errors import Refused, TimedOut, ToolError
from tasks.core.plan.change import Change
from tasks.core.process.tool import Done, Tool, clean
from tasks.tools import base, capabilities
from tasks.tools.telepresence import answers
from tasks.tools.telepresence.answers import Held as Held
from tasks.tools.telepresence.answers import Session as Session
from tasks.tools.telepresence.answers import Workload as Workload

_GONE = re.compile(r"Intercept named .* not found|Found no (?:replace|intercept|ingest)", re.IGNORECASE)
_CONFLICT = re.compile(r"[Cc]onflicts? with (?:the currently-\S+(?: \S+)* )?intercept", re.IGNORECASE)
_HOLDER = re.compile(
    r"intercept \"?(?P<id>[\w-]+:[\w.:-]+)\"?(?: on port (?P<port>\d+))?(?: created by client \"(?P<client>[^\"]+)\")?"
)


class Conflict(Refused):
    """Somebody else holds the intercept. client: `user@host` where the version tells it, id: for `revoke`.

    said: Telepresence's line; ways: what can be done besides asking the holder, with `{id}` for the intercept's id.
    """

    def __init__(self, workload: str, said: str, ways: Sequence[str] = ()) -> None:
        found = _HOLDER.search(said)
        self.client = (found.group("client") if found else "") or ""
        self.id = (found.group("id") if found else "") or ""
        self.ways = tuple(way.format(id=self.id) for way in ways)
        who = self.client or "somebody else (this version does not tell who)"
        reason = said.rpartition(": ")[2] if self.client else ""
        super().__init__(
            f"{workload} is held by {who}",
            why=reason or clean(said),
            fix="; ".join((f"ask {self.client or 'in the team'}", *self.ways)),
        )


class DaemonNotRunning(ToolError):
    """The user daemon is not running. 2.31 also says so for up to 6 s after a daemon was killed."""


def tool(s: Settings) -> Tool:
    """The program with the session's environment."""
    return base.tool(s, "telepresence", timeout=s.deadlines.telepresence)


def status(s: Settings) -> Session:
    """What runs and where it is connected. Never starts anything. One daemon that is half up is no error."""
    try:
        found = _ask(s, "status")
        if not isinstance(found, dict):  # silence is no answer: it would read as `nothing runs`
            raise ToolError(
                "telepresence status: the answer is not JSON",
                tool="telepresence",
                exit=0,
                fix="telepresence status shows what it says",
            )
        return answers.session(found)
    except TimedOut as why:
        raise TimedOut(
            why.what,
            tool="telepresence",
            why="its daemon gives no answer",
            fix="inv down ends the daemon, then inv tp.connect",
        ) from None
    except ToolError as why:
        if "root daemon is not running" in why.output or "root daemon is not running" in why.what:
            return Session(running=True, sessions=1, state="Not connected", error="the root daemon is not running")
        if "multiple daemons are running" in f"{why.what}{why.output}":
            return Session(running=True, sessions=2, error="several daemons run")
        raise


def version(s: Settings) -> str:
    """The client's version, without `v`."""
    found = re.search(r"Client\s*:\s*v(\S+)", tool(s).run("version"))
    return found.group(1) if found else ""


def workloads(s: Settings) -> list[Workload]:
    """What can be intercepted in the session's namespace, with this client's intercepts. Needs a session."""
    found = _ask(s, "list") or []
    if isinstance(found, str) and found.startswith("No "):  # 2.19 says it in a sentence
        return []
    if not isinstance(found, list):
        raise ToolError("telepresence list: the answer is no list", tool="telepresence", exit=0, fix="inv tp.status")
    return [answers.workload(item) for item in found if isinstance(item, dict)]


def connect(s: Settings) -> Change[object]:
    """Open the session of these settings. Killed at the deadline, it leaves its daemon: see steps/session."""
    args = [
        "connect",
        "--context", s.cluster.context,
        "--namespace", s.cluster.namespace,
        "--manager-namespace", s.cluster.manager_namespace,
        "--mapped-namespaces", ",".join(s.cluster.mapped_namespaces or [s.cluster.namespace]),
    ]  # fmt: skip
    return Change(
        f"connect to {s.cluster.context}, namespace {s.cluster.namespace}",
        ("telepresence", *args),
        lambda: _ask(s, *args, timeout=s.deadlines.connect),
    )


@dataclass(frozen=True)
class Wanted:
    """An intercept to be made. remote: name or number of the Service's port; headers: empty for all traffic."""

    name: str
    workload: str
    local_port: int
    remote_port: str
    service: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    mount: bool = False


def can_filter(s: Settings) -> bool:
    """Does this client know personal intercepts by header?"""
    return "http-header" in capabilities.flags(tool(s), "intercept")


def can_replace(s: Settings) -> bool:
    """Has this client the command `replace` (2.22 and later)?"""
    return "replace" in capabilities.commands(tool(s))


def intercept(s: Settings, wanted: Wanted) -> Change[Held]:
    """Make the intercept; running it returns a Held with the pod's environment.

    The environment is read from `--detailed-output` on stdout: `--env-file` corrupts values of several lines and
    `--env-json` leaves the pod's secrets in a file of mode 0644 (every version).
    """
    args = [
        "intercept",
        wanted.name,
        "--workload",
        wanted.workload,
        "--port",
        f"{wanted.local_port}:{wanted.remote_port}",
    ]
    args += ["--service", wanted.service] if wanted.service else []
    for key, value in wanted.headers:
        args += ["--http-header", f"{key}={value}"]
    args += ["--mount=true" if wanted.mount else "--mount=false", "--detailed-output"]
    mode = f"requests with {wanted.headers[0][0]}: {wanted.headers[0][1]}" if wanted.headers else "all traffic"
    return Change(
        f"intercept {wanted.workload}: {mode} to local port {wanted.local_port}",
        ("telepresence", *args),
        lambda: _intercepted(s, wanted, args),
    )


def replace(s: Settings, wanted: Wanted, container_port: str) -> Change[Held]:
    """Replace the workload's container; where the client has no such command, `intercept --replace` does it."""
    if can_replace(s):
        args = ["replace", wanted.workload, "--port", f"{wanted.local_port}:{container_port}"]
    else:
        args = [
            "intercept",
            wanted.name,
            "--workload",
            wanted.workload,
            "--port",
            f"{wanted.local_port}:{wanted.remote_port}",
            "--replace",
        ]
    args += ["--mount=true" if wanted.mount else "--mount=false", "--detailed-output"]
    return Change(
        f"replace the container of {wanted.workload}, its traffic to local port {wanted.local_port}",
        ("telepresence", *args),
        lambda: _intercepted(s, wanted, args),
    )


def leave(s: Settings, name: str) -> Change[object]:
    """End the intercept. One that is gone is fine. Needs a session, or it would open one."""
    verb = "detach" if "detach" in capabilities.commands(tool(s)) else "leave"
    return Change(f"leave the intercept {name}", ("telepresence", verb, name), lambda: _left(s, verb, name))


def quit(s: Settings, *, daemons: bool = True) -> Change[object]:
    """End the session, and the daemons with it. Ends what is intercepted."""
    args = ["quit", "--stop-daemons"] if daemons else ["quit"]
    return Change("end the Telepresence session", ("telepresence", *args), lambda: tool(s).run(*args, timeout=45))


def _left(s: Settings, verb: str, name: str) -> None:
    try:
        _ask(s, verb, name)
    except ToolError as why:
        if not _GONE.search(f"{why.what}\n{why.output}"):
            raise


def _intercepted(s: Settings, wanted: Wanted, args: list[str]) -> Held:
    try:
        info = _ask(s, *args, timeout=s.deadlines.intercept) or {}
    except ToolError as why:
        said = f"{why.what}\n{why.output}"
        if _CONFLICT.search(said) or "filters overlap" in said:
            line = next((line for line in said.splitlines() if "onflict" in line), why.what)
            raise Conflict(wanted.workload, line, list(_beside_asking(s, wanted))) from None
        raise
    if not isinstance(info, dict):
        raise ToolError(
            "telepresence intercept: the answer is not JSON", tool="telepresence", exit=0, fix="inv tp.status"
        )
    return Held(
        name=str(info.get("name") or wanted.name),
        workload=wanted.workload,
        id=str(info.get("id", "")),
        disposition=str(info.get("disposition", "")),
        message=str(info.get("message", "")),
        local_port=int(info.get("target_port") or wanted.local_port),
        remote_port=wanted.remote_port,
        headers=dict(wanted.headers),
        environment={str(k): str(v) for k, v in (info.get("environment") or {}).items()},
    )


def _beside_asking(s: Settings, wanted: Wanted) -> Iterator[str]:
    """What this client can do about an intercept that somebody else holds."""
    if can_filter(s):
        yours = "" if wanted.headers else ": set telepresence.slot for yours"
        yield f"where both sides use a slot, personal intercepts live side by side{yours}"
    if "revoke" in capabilities.commands(tool(s)):  # a dead holder reads like a living one, and holds for ever
        yield "when that workstation is gone for good: telepresence revoke {id}"


def _ask(s: Settings, *args: str, timeout: float | None = None) -> Any:
    """Run with JSON output and return the payload. Raises ToolError with the tool's own message."""
    program = tool(s)
    form = "--format" if "format" in capabilities.flags(program, args[0]) else "--output"
    done = program.call(*args, form, "json", timeout=timeout)
    payload = _payload(done)
    message = ""
    if isinstance(payload, dict) and (
        (set(payload) <= {"cmd", "stdout", "stderr", "err"} and "cmd" in payload) or set(payload) == {"error"}
    ):
        message = str(payload.get("err") or payload.get("error") or "")
        payload = payload.get("stdout")
    if done.exit == 0 and not message:
        return payload
    error = _error(program, args, done, message)
    if "user daemon is not running" in f"{error.what}\n{error.output}":
        raise error.reworded(kind=DaemonNotRunning)
    raise error


def _payload(done: Done) -> Any:
    """The JSON of stdout. 2.19 may print a line about root privileges before it; the last newline may be missing."""
    text = done.stdout.strip()
    for start in (0, *[m.start() for m in re.finditer(r"^[\[{]", text, re.MULTILINE)]):
        try:
            return json.loads(text[start:])
        except ValueError:
            continue
    return None


def _error(program: Tool, args: tuple[str, ...], done: Done, message: str) -> ToolError:
    from tasks.core.signatures import explain

    # What stands on stdout beside a failure may be the pod's environment: it is never quoted.
    plain = program.failed(args, dataclasses.replace(done, stdout=""))
    if not message:
        lines = [line for line in done.stderr.splitlines() if line.strip() and "deprecated" not in line]
        message = re.sub(r"^telepresence \S+: error: ", "", lines[-1].strip()) if lines else ""
    if not message:
        return plain
    why, fix = explain("telepresence", f"{message}\n{done.stderr}")
    first = message.strip().splitlines()[0]
    return ToolError(
        f"telepresence {args[0]}: {clean(first)[:300]}",
        tool="telepresence",
        exit=done.exit,
        stdout=clean(message),
        stderr=plain.stderr,
        why=why,
        fix=fix,
    )
