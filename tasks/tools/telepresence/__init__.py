"""Telepresence: what 2.19, 2.25 and 2.31 have in common. Where they differ, `--help` is asked.

Without a session, `list`, `intercept` and `leave` start a daemon and connect to wherever the kubeconfig points (every
version), so callers ask `status` first. Answers and errors are recorded in tests/data/contracts/telepresence-*.yaml.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.core import strict_json
from tasks.core.config.settings import Settings
from tasks.core.errors import Refused, TimedOut, ToolError
from tasks.core.plan.change import Change
from tasks.core.process.output import clean
from tasks.core.process.tool import Command, Done, Tool
from tasks.tools import api_server, base, capabilities
from tasks.tools.telepresence import answers
from tasks.tools.telepresence.answers import Held as Held
from tasks.tools.telepresence.answers import Session as Session
from tasks.tools.telepresence.answers import Workload as Workload

_GONE = re.compile(r"Intercept named .* not found|Found no (?:replace|intercept|ingest)", re.IGNORECASE)
_CONFLICT = re.compile(r"[Cc]onflicts? with (?:the currently-\S+(?: \S+)* )?intercept|filters overlap", re.IGNORECASE)
_MOUNT = {True: "--mount=true", False: "--mount=false"}
_RECONNECTING = re.compile(r"unable to reconnect to root daemon|root daemon is reconnecting")
_HOLDER = re.compile(
    r"intercept \"?(?P<id>[\w-]+:[\w.:-]+)\"?(?: on port (?P<port>\d+))?(?: created by client \"(?P<client>[^\"]+)\")?"
)


class Conflict(Refused):
    """Somebody else holds the intercept.

    said: Telepresence's line; ways: what can be done besides asking, with `{id}` for the intercept
    client: `user@host`, where this version names it; id: the intercept's, for `revoke`
    """

    def __init__(self, workload: str, said: str, ways: Sequence[str] = ()) -> None:
        holder = _HOLDER.search(said)
        self.client = (holder["client"] if holder else "") or ""
        self.id = (holder["id"] if holder else "") or ""
        self.ways = tuple(way.format(id=self.id) for way in ways)
        who = self.client or "somebody else (this version does not say who)"
        reason = said.rpartition(": ")[2] if self.client else ""
        super().__init__(
            f"{workload} is held by {who}",
            why=reason or clean(said),
            fix="; ".join((f"ask {self.client or 'in the team'}", *self.ways)),
        )


class DaemonNotRunning(ToolError):
    """The user daemon is not running. 2.31 also says so for up to 6 s after a daemon was killed."""


class RootDaemonBusy(ToolError):
    """The root daemon of an earlier session does not take the new one. 2.31 says so in three of four tries."""


class DaemonBusy(ToolError):
    """The daemons are just being started, or are in a state that is not an error; `status` returns it as a Session."""


def tool(s: Settings) -> Tool:
    """Return the program with the session's environment."""
    return base.tool(s, "telepresence", timeout=s.deadlines.telepresence)


def status(s: Settings) -> Session:
    """Return what runs and where it is connected. Starts nothing. One daemon of the two, or several, is not an error.

    Raises api_server.Unreachable when it does not answer because the API server cannot be reached.
    """
    try:
        answer = _ask(s, "status")
        if not isinstance(answer, dict):  # an empty answer must not read as `nothing runs`
            raise ToolError(
                "telepresence status: the answer is not JSON",
                tool="telepresence",
                exit=0,
                fix="telepresence status shows what it says",
            )
        return answers.session(answer)
    except TimedOut as why:
        raise TimedOut(
            why.what,
            tool="telepresence",
            why="its daemon does not answer",
            fix="inv down ends the daemon, then inv tp.connect",
        ) from None
    except ToolError as why:
        session = answers.unfinished(why.output)
        if session is None:
            raise
        return session


def version(s: Settings) -> str:
    """Return the client's version, without `v`."""
    match = re.search(r"Client\s*:\s*v(\S+)", tool(s)["version"].run())
    return match[1] if match else ""


def workloads(s: Settings) -> list[Workload]:
    """Return what can be intercepted in the session's namespace, with this client's intercepts. Needs a session."""
    listed = _ask(s, "list") or []
    if isinstance(listed, str) and listed.startswith("No "):  # 2.19: `No Workloads (Deployments, ...)`
        return []
    if not isinstance(listed, list):
        raise ToolError("telepresence list: the answer is not a list", tool="telepresence", exit=0, fix="inv tp.status")
    return [answers.workload(item) for item in listed if isinstance(item, dict)]


def connect(s: Settings) -> Change[None]:
    """Open the session of these settings. Killed at its deadline, it leaves its daemon: see flows/session."""
    command = tool(s)[
        "connect",
        "--context", s.cluster.context,
        "--namespace", s.cluster.namespace,
        "--manager-namespace", s.cluster.manager_namespace,
        "--mapped-namespaces", ",".join(s.cluster.mapped_namespaces or [s.cluster.namespace]),
    ]  # fmt: skip

    def run() -> None:
        _answer(command, timeout=s.deadlines.connect)

    return Change(f"connect to {s.cluster.context}, namespace {s.cluster.namespace}", command.argv, run)


@dataclass(frozen=True)
class Wanted:
    """An intercept to be made."""

    name: str
    workload: str
    local_port: int
    remote_port: str
    """The name or the number of the Service's port."""

    service: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    """The requests that it takes; empty for all traffic."""

    mount: bool = False


def can_filter(s: Settings) -> bool:
    """Does this client know intercepts of single requests, by header?"""
    return "http-header" in capabilities.flags(tool(s), "intercept")


def can_replace(s: Settings) -> bool:
    """Has this client the command `replace` (2.22 and later)?"""
    return "replace" in capabilities.commands(tool(s))


def intercept(s: Settings, wanted: Wanted) -> Change[Held]:
    """Make the intercept and return it with the pod's environment.

    The environment is read from `--detailed-output` on stdout: `--env-file` corrupts values of several lines, and
    `--env-json` leaves the pod's secrets in a file of mode 0644 (every version).
    """
    command = _engage(s, wanted)
    if wanted.service:
        command = command["--service", wanted.service]
    for name, value in wanted.headers:
        command = command["--http-header", f"{name}={value}"]
    command = command[_MOUNT[wanted.mount], "--detailed-output"]
    mode = f"requests with {wanted.headers[0][0]}: {wanted.headers[0][1]}" if wanted.headers else "all traffic"
    return Change(
        f"intercept {wanted.workload}: {mode} to local port {wanted.local_port}",
        command.argv,
        lambda: _intercepted(s, wanted, command),
    )


def replace(s: Settings, wanted: Wanted, container_port: str) -> Change[Held]:
    """Replace the workload's container. A client without this command does it with `intercept --replace`."""
    if can_replace(s):
        command = tool(s)["replace", wanted.workload, "--port", f"{wanted.local_port}:{container_port}"]
    else:
        command = _engage(s, wanted)["--replace"]
    command = command[_MOUNT[wanted.mount], "--detailed-output"]
    return Change(
        f"replace the container of {wanted.workload}, its traffic to local port {wanted.local_port}",
        command.argv,
        lambda: _intercepted(s, wanted, command),
    )


def leave(s: Settings, name: str) -> Change[None]:
    """End the intercept. One that is gone is fine. Needs a session, else it would open one."""
    command = tool(s)["detach" if "detach" in capabilities.commands(tool(s)) else "leave", name]
    return Change(f"leave the intercept {name}", command.argv, lambda: _left(command))


def quit(s: Settings, *, daemons: bool = True) -> Change[str]:
    """End the session with its intercepts, and the daemons too."""
    command = tool(s)["quit", *(["--stop-daemons"] if daemons else [])]
    return base.change(command, "end the Telepresence session", timeout=45, in_cluster=False)


def _engage(s: Settings, wanted: Wanted) -> Command:
    ports = f"{wanted.local_port}:{wanted.remote_port}"
    return tool(s)["intercept", wanted.name, "--workload", wanted.workload, "--port", ports]


def _left(command: Command) -> None:
    try:
        _answer(command)
    except ToolError as why:
        if not _GONE.search(why.output):
            raise


def _intercepted(s: Settings, wanted: Wanted, command: Command) -> Held:
    try:
        info = _answer(command, timeout=s.deadlines.intercept) or {}
    except ToolError as why:
        if _CONFLICT.search(why.output):
            lines = [line for line in why.output.splitlines() if "onflict" in line]
            raise Conflict(wanted.workload, (lines or [why.what])[0], list(_besides_asking(s, wanted))) from None
        raise
    info = answers.made(info)
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


def _besides_asking(s: Settings, wanted: Wanted) -> Iterator[str]:
    """What this client can do about an intercept that somebody else holds."""
    if can_filter(s):
        yours = "" if wanted.headers else ": set telepresence.slot for yours"
        yield f"where both sides use a slot, personal intercepts live side by side{yours}"
    if "revoke" in capabilities.commands(tool(s)):  # a holder that is gone looks like a living one, and holds for ever
        yield "when that workstation is gone for good: telepresence revoke {id}"


def _ask(s: Settings, *args: str) -> Any:
    """Ask what needs the daemons: with a session open they wait for an API server that cannot be reached."""
    command = tool(s)[args]

    def question(timeout: float | None) -> Any:
        return _answer(command, timeout=timeout)

    return api_server.ask(s, question, name=command.name, answers=(DaemonNotRunning, DaemonBusy))


def _answer(command: Command, *, timeout: float | None = None) -> Any:
    """Run with JSON output and return the payload. Raises ToolError with Telepresence's own message."""
    verb = command.argv[1]
    form = "--format" if "format" in capabilities.flags(command.tool, verb) else "--output"
    asked = command[form, "json"]
    done = asked.call(timeout=timeout)
    payload, message = _unwrapped(_payload(done))
    if done.exit == 0 and not message:
        return payload
    error = _error(asked, done, message)
    if "user daemon is not running" in error.output:
        raise error.reworded(kind=DaemonNotRunning)
    if _RECONNECTING.search(error.output):
        raise error.reworded(kind=RootDaemonBusy)
    if answers.unfinished(error.output):
        raise error.reworded(kind=DaemonBusy)
    raise error


def _unwrapped(payload: Any) -> tuple[Any, str]:
    """The payload and the error message in it. 2.19 wraps both: `{"cmd": ..., "stdout": ..., "err": ...}`."""
    if not isinstance(payload, dict):
        return payload, ""
    keys = set(payload)
    if ("cmd" in keys and keys <= {"cmd", "stdout", "stderr", "err"}) or keys == {"error"}:
        return payload.get("stdout"), str(payload.get("err") or payload.get("error") or "")
    return payload, ""


def _payload(done: Done) -> Any:
    """The JSON of stdout. 2.19 may print a line about root privileges before it; the last newline may be missing."""
    text = done.stdout.strip()
    for start in (0, *[m.start() for m in re.finditer(r"^[\[{]", text, re.MULTILINE)]):
        try:
            return strict_json.loads(text[start:])
        except ValueError:
            continue
    return None


def _error(command: Command, done: Done, message: str) -> ToolError:
    from tasks.core.signatures import explain

    # stdout is never quoted: beside a failure it may hold the pod's environment.
    plain = command.failed(dataclasses.replace(done, stdout=""))
    message = message or _message_in(done.stderr)
    if not message:
        return plain
    why, fix = explain("telepresence", f"{message}\n{done.stderr}")
    return ToolError(
        f"telepresence {command.argv[1]}: {clean(message.strip().splitlines()[0])[:300]}",
        tool="telepresence",
        exit=done.exit,
        stdout=clean(message),
        stderr=plain.stderr,
        why=why,
        fix=fix,
    )


def _message_in(stderr: str) -> str:
    """The last line that is not a deprecation, without `telepresence VERB: error: `."""
    lines = [line for line in stderr.splitlines() if line.strip() and "deprecated" not in line]
    return re.sub(r"^telepresence \S+: error: ", "", lines[-1].strip()) if lines else ""
