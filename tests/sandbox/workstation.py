"""A workstation whose stand-ins are called in this process, without server, client and delays."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from sandbox.protocol.call import Answer, Call
from sandbox.protocol.line import Nested
from sandbox.server import apply_fault
from sandbox.standins import TABLE
from sandbox.world import seed
from tasks.core.repository import repository_root

SERVER_ID = "6dae42f8-4368-4678-94ff-3960e28e3630"


@dataclass
class CallResult:
    """The result of a call."""

    exit: int
    out: str
    err: str
    writes: bool


class _Line:
    """The client's side of a call: the output printed before the answer, and stdin."""

    def __init__(self, given: bytes) -> None:
        self.given, self.out, self.err = given, "", ""

    def check(self, seconds: float) -> None:
        time.sleep(seconds)

    def emit(self, text: str, error: bool = False) -> None:
        if error:
            self.err += text
        else:
            self.out += text

    def stdin(self) -> bytes:
        return self.given

    def plugin(
        self, path: str, argv: tuple[str, ...], env: dict[str, str], timeout: float | None = None
    ) -> tuple[int, bytes]:
        done = subprocess.run([path, *argv[1:]], env=env, stdout=subprocess.PIPE, timeout=timeout, check=False)
        return done.returncode, done.stdout

    def nested(self, timeout: float | None, stdin: bytes = b"") -> Nested:
        return Nested(self, None if timeout is None else time.monotonic() + timeout, stdin)  # type: ignore[arg-type]


class Workstation:
    """A user's HOME in a separate world, without logins."""

    def __init__(self, place: Path) -> None:
        self.box = place / "box"
        (self.box / "bin").mkdir(parents=True)
        (self.box / "client").write_text("")
        (self.box / "client").chmod(0o700)
        for tool in TABLE:
            (self.box / "bin" / tool).symlink_to("../client")
        self.world = seed.build(self.box, repository_root() / "config", "2.31.0", "none", logged_in=False)
        self.world.dispatch = self._dispatch
        self.world.wait = lambda call, seconds: None  # type: ignore[method-assign]
        self.home = self.box / "home"
        self.home.mkdir()
        self.env = {"HOME": str(self.home), "PATH": f"{self.box}/bin"}
        self.calls: list[tuple[str, ...]] = []
        self.places = self.world.places

    def _dispatch(self, call: Call) -> Answer:
        self.calls.append((call.tool, *call.argv))
        answer: Answer = import_module(TABLE[call.tool]).handle(call, self.world)
        return answer

    def __call__(self, tool: str, *argv: str, stdin: str = "", cwd: str = "", **env: str) -> CallResult:
        line = _Line(stdin.encode())
        self.calls.clear()
        call = Call(tool, argv, {**self.env, **env}, cwd or str(self.home), 1, line=line)
        answer = self._dispatch(call)
        while answer.run:  # as the client does, with the streams collected
            line.out, line.err = line.out + answer.stdout, line.err + answer.stderr
            done = subprocess.run(
                answer.run, env={**call.env, **answer.run_env}, cwd=call.cwd, capture_output=True, text=True, timeout=30
            )
            line.out, line.err = line.out + done.stdout, line.err + done.stderr
            answer = import_module(TABLE[tool]).ended(call, self.world, answer.after, done.returncode)
        return CallResult(answer.exit, line.out + answer.stdout, line.err + answer.stderr, answer.writes)

    def az(self, *argv: str, **env: str) -> CallResult:
        return self("az", *argv, **env)

    def set_fault(self, name: str, on: bool = True) -> None:
        apply_fault.fault(self.world, name, on)

    def login(self) -> Workstation:
        assert self.az("login", "--use-device-code", "-o", "none").exit == 0
        return self

    def credentials(self) -> Workstation:
        """Log in and get a converted kubeconfig."""
        done = self.login().az("aks", "get-credentials", "-g", self.places.resource_group, "-n", self.places.cluster)
        assert done.exit == 0, done
        return self

    @property
    def kubeconfig(self) -> Path:
        return self.home / ".kube" / "config"
