"""A shell in a sandbox: run a program, send requests to the ingress."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox import control

CONNECT = ("connect", "--namespace", "ameide", "--mapped-namespaces", "ameide")
SERVICE = "www-ameide-platform"  # the first of this repository's catalogue


@dataclass
class Shell:
    """env: the environment of the user of this shell."""

    box: control.Box
    env: dict[str, str]

    def run(self, *argv: str, stdin: str | None = None, cwd: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run one program to its end."""
        path = f"{self.box.path}/bin/{argv[0]}"
        return subprocess.run(
            [path, *argv[1:]], env=self.env, input=stdin, cwd=cwd, capture_output=True, text=True, timeout=180
        )

    def tp(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run telepresence."""
        return self.run("telepresence", *argv)

    def kubectl(self, *argv: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run kubectl."""
        return self.run("kubectl", *argv, stdin=stdin)

    def connected(self) -> Shell:
        """Connect to the team's namespace."""
        done = self.tp(*CONNECT)
        assert done.returncode == 0, done
        return self

    def intercept(self, port: int, *more: str, service: str = SERVICE, remote: str = "http") -> dict[str, Any]:
        """Create an intercept and return its details."""
        json_flag = "--format" if self.version > "2.29" else "--output"
        done = self.tp(
            "intercept",
            service,
            "--port",
            f"{port}:{remote}",
            "--mount=false",
            "--detailed-output",
            json_flag,
            "json",
            *more,
        )
        assert done.returncode == 0, done
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    @property
    def version(self) -> str:
        """The version of telepresence."""
        return self.env["REMOTE_DEV_TELEPRESENCE__VERSION"]

    def as_colleague(self) -> Shell:
        """The colleague's shell in the same world, with a kubeconfig."""
        env = {**self.env, **control.as_user(self.box, "colleague")}
        control.give_kubeconfig(self.box, env)
        return Shell(self.box, env)

    def ask(
        self, path: str = f"/__service/{SERVICE}/", data: bytes | None = None, method: str = "", **headers: str
    ) -> Reply:
        """Send one request through the ingress."""
        request = urllib.request.Request(self.box.ingress + path, data=data, method=method or None)
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        began = time.monotonic()
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                status, body = answer.status, answer.read()
        except urllib.error.HTTPError as why:
            status, body = why.code, why.read()
        return Reply(status, body, time.monotonic() - began)

    def answers(self, wanted: bytes, seconds: float = 60, **headers: str) -> bool:
        """Does a response contain this text before the deadline?"""
        return wait_until(lambda: wanted in self.ask(f"/__service/{SERVICE}/", None, "", **headers).body, seconds)


@dataclass
class Reply:
    """A response, and the time it took."""

    status: int
    body: bytes
    seconds: float

    @property
    def by(self) -> str:
        """The field `answered_by` of the ingress or the baseline."""
        return str(json.loads(self.body)["answered_by"])


def wait_until(condition: Callable[[], object], seconds: float = 60) -> bool:
    """Poll until the condition holds. Returns whether it did before the deadline."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return bool(condition())


def free_port() -> int:
    """A free port."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def processes(box: control.Box) -> list[str]:
    """The command lines that contain this sandbox's folder."""
    import glob

    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                line = file.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()
        except OSError:
            continue
        if str(box.path) in line:
            found.append(line)
    return found
