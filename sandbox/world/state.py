"""The state that all stand-ins share, and the actions of a handler: wait, print, run another program."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.faults.catalogue import AADSTS, FAULTS
from sandbox.protocol.call import Answer, Call, CallerGone
from sandbox.world.cluster import Cluster, new_id
from sandbox.world.latency import PROFILES, Profile

TOOLS = ("az", "kubelogin", "kubectl", "telepresence", "tilt", "helm", "docker", "pnpm")


class OutOfTime(Exception):
    """A nested call did not end before its deadline."""


@dataclass(frozen=True)
class Outcome:
    """How a nested program ended."""

    exit: int
    stdout: str
    stderr: str


@dataclass
class Token:
    """A bearer token that the cluster's API server accepts until `expires` (time.time())."""

    text: str
    name: str  # user principal name or application id of its owner
    expires: float
    resource: str = ""
    revoked: bool = False


@dataclass
class User:
    """A user with a workstation. login: what the stand-in for az stores about the login; None if not logged in."""

    key: str  # developer, colleague, ...
    name: str  # user principal name
    account: str  # login name on the workstation
    host: str  # the workstation's name
    home: Path
    oid: str = field(default_factory=new_id)
    role: str = "edit"  # edit, admin, none
    login: Any = None
    starts_logged_in: bool = True  # the stand-in for az logs in before the first call; False after `up --logged-out`
    daemons: list[Any] = field(default_factory=list)  # of telepresence
    sessions: dict[Any, str] = field(default_factory=dict)  # telepresence: connection parameters -> session id
    install_id: str = field(default_factory=new_id)
    notes: dict[str, Any] = field(default_factory=dict)  # what stand-ins store for this workstation

    @property
    def client(self) -> str:
        """The client's name in Telepresence."""
        return f"{self.account}@{self.host}"


@dataclass(frozen=True)
class Places:
    """The names in config/settings.yaml that a world is built with."""

    cluster: str
    resource_group: str
    context: str
    namespace: str
    manager_namespace: str
    argocd_namespace: str
    registry: str
    subscription: str
    subscription_name: str
    tenant: str
    production_labels: dict[str, str]


class World:
    """The simulated environment of one sandbox. Change it under `lock`; never wait or run a program while holding it."""

    def __init__(self, box: Path, places: Places, telepresence: str, latency: str) -> None:
        self.box, self.places, self.telepresence = box, places, telepresence
        self.profile: Profile = PROFILES[latency]
        self.lock = threading.RLock()
        self.users: dict[str, User] = {}
        self.clusters: dict[str, Cluster] = {}
        self.faults: set[str] = set()
        self.tokens: dict[str, Token] = {}
        self.registry: dict[str, Any] = {}  # the registry's tags and logins, for the stand-ins for docker and az
        self.notes: dict[str, Any] = {}  # what stand-ins store for all workstations
        self.alive_sessions: set[str] = set()  # ids of telepresence sessions whose daemon runs
        self.ingress = ""  # http://127.0.0.1:PORT
        self.api: Any = None  # the API servers' TCP end (server/api_endpoint.py), once the server runs
        self.dispatch: Callable[[Call], Answer] = _not_connected  # set by the server: delay, call the handler, log

    # --- who and where
    def user(self, call: Call) -> User:
        """The user whose workstation the call comes from. An unknown user is added."""
        with self.lock:
            if call.user not in self.users:
                self.add_user(call.user, home=Path(call.home))
            return self.users[call.user]

    def user_named(self, key: str) -> User:
        """The user with this key, with a workstation of their own. An unknown user is added."""
        with self.lock:
            return self.users.get(key) or self.add_user(key, home=self.box / "people" / key)

    def add_user(self, key: str, home: Path, role: str = "edit") -> User:
        """Add a user with a workstation and no logins."""
        with self.lock:
            user = User(key, f"{key}@example.com", key, f"{key}-box", home, role=role)
            self.users[key] = user
            return user

    @property
    def cluster(self) -> Cluster:
        """The shared dev cluster."""
        return self.clusters[self.places.cluster]

    def cluster_at(self, server: str) -> Cluster | None:
        """The cluster whose API server has this URL."""
        return next((c for c in self.clusters.values() if c.server.rstrip("/") == server.rstrip("/")), None)

    def person(self, name: str) -> User | None:
        """The user with this principal name."""
        return next((u for u in self.users.values() if u.name == name), None)

    # --- credentials
    def issue(self, name: str, seconds: float = 4500.0, resource: str = "") -> Token:
        """Issue a token for this principal. The API server accepts it until it expires."""
        import base64
        import json

        expires = time.time() + seconds
        claims = {"aud": resource, "upn": name, "exp": int(expires), "jti": new_id()}
        body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
        token = Token(f"eyJhbGciOiJub25lIn0.{body}.c2FuZGJveA", name, expires, resource)
        with self.lock:
            self.tokens[token.text] = token
        return token

    def bearer(self, text: str) -> Token | None:
        """The token with this text, unless it has expired."""
        with self.lock:
            token = self.tokens.get(text)
        return token if token and not token.revoked and token.expires > time.time() else None

    def revoke(self, text: str) -> None:
        """Let the API server refuse this token from now on. az still finds it in its cache, as after a real revocation."""
        with self.lock:
            self.tokens[text].revoked = True

    # --- faults
    def fault(self, name: str) -> bool:
        """Is this fault on? Raises KeyError for a name that is not in faults/catalogue.py."""
        if name not in FAULTS:
            raise KeyError(f"no fault is called {name}")
        return name in self.faults

    def silent(self) -> bool:
        """Does the API server leave every request without an answer?"""
        return self.fault("api-silent") or self.fault("api-hung")

    def login_fault(self) -> str:
        """The AADSTS code, without its prefix, with which Entra refuses tokens now; "" if it does not."""
        return next((code for code in AADSTS if f"login-{code}" in self.faults), "")

    # --- what a handler may do
    def wait(self, call: Call, seconds: float) -> None:
        """Let time pass. Raises CallerGone when the client was killed, OutOfTime when a nested call took too long."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            if call.line is not None:
                call.line.check(max(0.0, min(left, 0.5)))
            elif left > 0:
                time.sleep(min(left, 0.05))
            if time.monotonic() >= until:
                return

    def hang(self, call: Call) -> None:
        """Wait until the client is killed or the sandbox stops."""
        while True:
            self.wait(call, 3600)

    def emit(self, call: Call, text: str, error: bool = False) -> None:
        """Print before the answer, as a program does that is still working."""
        if call.line is not None and text:
            call.line.emit(text, error)

    def stdin(self, call: Call) -> bytes:
        """All of the client's stdin; empty for a nested call without one."""
        return call.line.stdin() if call.line is not None else b""

    def which(self, call: Call, tool: str) -> str | None:
        """Find this program on the caller's PATH, or by its path."""
        if "/" in tool:
            return tool if os.access(tool, os.X_OK) else None
        for folder in call.env.get("PATH", "").split(os.pathsep):
            path = os.path.join(folder, tool)
            if folder and os.access(path, os.X_OK) and not os.path.isdir(path):
                return path
        return None

    def run(
        self,
        call: Call,
        tool: str,
        argv: tuple[str, ...],
        env: dict[str, str] | None = None,
        timeout: float | None = None,
        stdin: bytes = b"",
    ) -> Outcome:
        """Run another program, a stand-in or a real one, as this call's tool would: from the caller's PATH.

        Raises FileNotFoundError if it is not on PATH, OutOfTime after `timeout` seconds. The call is logged separately.
        """
        program = self.which(call, tool)
        if program is None:
            raise FileNotFoundError(tool)
        environment = call.env if env is None else env
        if os.path.realpath(program) != str(self.box / "client"):
            try:
                done = subprocess.run(
                    [program, *argv], env=environment, cwd=call.cwd, input=stdin, capture_output=True, timeout=timeout
                )
            except subprocess.TimeoutExpired:
                raise OutOfTime(tool) from None
            return Outcome(
                done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
            )
        inner = call.nested(os.path.basename(tool), argv, environment)
        inner = inner.with_line(call.line.nested(timeout, stdin) if call.line is not None else None)
        try:
            answer = self.dispatch(inner)
        except CallerGone:
            if call.line is not None:
                call.line.check(0)
            raise OutOfTime(tool) from None
        early_out, early_err = inner.line.output() if inner.line is not None else ("", "")
        return Outcome(answer.exit, early_out + answer.stdout, early_err + answer.stderr)


def _not_connected(call: Call) -> Answer:
    raise RuntimeError(f"no server dispatches {call.tool}")
