"""The state that all stand-ins share, and what a handler may do with its call: wait, print, run another program."""

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
    """A nested call was not done within the time its caller gives it."""


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
    name: str  # who it is for: the user principal name, or the application's id
    expires: float
    resource: str = ""


@dataclass
class User:
    """A person with a workstation. `login` is whatever the az stand-in keeps of the login; None: not logged in."""

    key: str  # developer, colleague, ...
    name: str  # user principal name
    account: str  # login name on the workstation
    host: str  # the workstation's name
    home: Path
    oid: str = field(default_factory=new_id)
    role: str = "edit"  # edit, admin, none
    login: Any = None
    starts_logged_in: bool = True  # the az stand-in makes the first login by itself; False after `up --logged-out`
    daemons: list[Any] = field(default_factory=list)  # of telepresence
    sessions: dict[Any, str] = field(default_factory=dict)  # telepresence: connection parameters -> session id
    install_id: str = field(default_factory=new_id)
    notes: dict[str, Any] = field(default_factory=dict)  # whatever a stand-in keeps for this workstation

    @property
    def client(self) -> str:
        """As Telepresence names a client."""
        return f"{self.account}@{self.host}"


@dataclass(frozen=True)
class Places:
    """Names from config/settings.yaml: the world is built with them."""

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
    """One sandbox's outside world. Change it under `lock`; never wait or run a program while holding it."""

    def __init__(self, box: Path, places: Places, telepresence: str, latency: str) -> None:
        self.box, self.places, self.telepresence = box, places, telepresence
        self.profile: Profile = PROFILES[latency]
        self.lock = threading.RLock()
        self.users: dict[str, User] = {}
        self.clusters: dict[str, Cluster] = {}
        self.faults: set[str] = set()
        self.tokens: dict[str, Token] = {}
        self.registry: dict[str, Any] = {}  # what the docker and az stand-ins keep of the registry: tags, logins
        self.notes: dict[str, Any] = {}  # whatever a stand-in keeps that others may see
        self.alive_sessions: set[str] = set()  # telepresence: sessions whose daemon lives
        self.ingress = ""  # http://127.0.0.1:PORT
        self.dispatch: Callable[[Call], Answer] = _nobody  # set by the server: log, delay, handler

    # --- who and where
    def user(self, call: Call) -> User:
        """The person at whose workstation this call was made. An unknown one gets an own workstation."""
        with self.lock:
            if call.user not in self.users:
                self.add_user(call.user, home=Path(call.home))
            return self.users[call.user]

    def add_user(self, key: str, home: Path, role: str = "edit") -> User:
        """Another person with a workstation, logged in to nothing."""
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
        """The user of this principal name."""
        return next((u for u in self.users.values() if u.name == name), None)

    # --- credentials
    def issue(self, name: str, seconds: float = 4500.0, resource: str = "") -> Token:
        """A token for this principal. The API server accepts it until it expires."""
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
        """The token of this text if it has not expired."""
        with self.lock:
            token = self.tokens.get(text)
        return token if token and token.expires > time.time() else None

    # --- faults
    def fault(self, name: str) -> bool:
        """Is this fault planted? The names stand in faults.py; another one is a mistake in a stand-in."""
        if name not in FAULTS:
            raise KeyError(f"no fault is called {name}")
        return name in self.faults

    def login_fault(self) -> str:
        """The AADSTS code with which Entra refuses tokens now, without its prefix; "" for none."""
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
        """Never answer: until the client is killed or the sandbox ends."""
        while True:
            self.wait(call, 3600)

    def emit(self, call: Call, text: str, error: bool = False) -> None:
        """Print before the answer, as a program does that goes on working."""
        if call.line is not None and text:
            call.line.emit(text, error)

    def stdin(self, call: Call) -> bytes:
        """All that the client can read on its stdin. Nested calls have none."""
        return call.line.stdin() if call.line is not None else b""

    def which(self, call: Call, tool: str) -> str | None:
        """The path that the caller's PATH finds for this program."""
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
        """Run another program as this call's tool would: found on the caller's PATH, a stand-in or a real one.

        Raises FileNotFoundError when PATH has none, OutOfTime after `timeout` seconds. The call is logged as its own.
        """
        found = self.which(call, tool)
        if found is None:
            raise FileNotFoundError(tool)
        environment = call.env if env is None else env
        if os.path.realpath(found) != str(self.box / "client"):
            try:
                done = subprocess.run(
                    [found, *argv], env=environment, cwd=call.cwd, input=stdin, capture_output=True, timeout=timeout
                )
            except subprocess.TimeoutExpired:
                raise OutOfTime(tool) from None
            return Outcome(
                done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
            )
        inner = call.nested(tool, argv, environment)
        inner = inner.with_line(call.line.nested(timeout, stdin) if call.line is not None else None)
        try:
            answer = self.dispatch(inner)
        except CallerGone:
            if call.line is not None:
                call.line.check(0)
            raise OutOfTime(tool) from None
        early_out, early_err = inner.line.taken() if inner.line is not None else ("", "")
        return Outcome(answer.exit, early_out + answer.stdout, early_err + answer.stderr)


def _nobody(call: Call) -> Answer:
    raise RuntimeError(f"no server answers {call.tool}")
