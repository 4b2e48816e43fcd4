"""A sandbox for end-to-end tests, and the suite's commands run in it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from sandbox import control
from sandbox.control import Box
from tasks.core import ports

ROOT = Path(__file__).resolve().parent.parent
WWW = "www-ameide-platform"
HOST = "platform.dev.ameide.io"


def program(*words: str) -> list[str]:
    """Return the command line of `inv` of this checkout."""
    return [sys.executable, str(ROOT / "tasks.py"), *words]


def inv(
    box: Box, *words: str, timeout: float = 90, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `inv` in the sandbox without a terminal. env: additional variables."""
    whole = {**box.environment(), **(env or {})}
    return subprocess.run(
        program(*words),
        env=whole,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


class Started:
    """An `inv` that runs in the background. Its output goes to files, so that no pipe can fill."""

    def __init__(
        self,
        box: Box,
        *words: str,
        env: Mapping[str, str] | None = None,
        command: Sequence[str] = (),
        cwd: Path = ROOT,
    ) -> None:
        """Start `inv` with these words, or the command."""
        self.folder = tempfile.TemporaryDirectory()
        self.out, self.err = Path(self.folder.name) / "out", Path(self.folder.name) / "err"
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(
                command or program(*words),
                env={**box.environment(), **(env or {})},
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )

    @property
    def said(self) -> str:
        return self.out.read_text() + self.err.read_text()

    def end(self, number: int = 0, wait: float = 30) -> int:
        if number:
            os.kill(self.process.pid, number)
        return self.process.wait(wait)

    def close(self) -> None:
        """Kill it if it still runs, and delete its output."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.folder.cleanup()


@contextmanager
def started(box: Box, *words: str, env: Mapping[str, str] | None = None) -> Iterator[Started]:
    """Run `inv` in the background; kill it at the end if it still runs."""
    run = Started(box, *words, env=env)
    try:
        yield run
    finally:
        run.close()


def request(box: Box, host: str = HOST, path: str = "/", timeout: float = 5, **headers: str) -> dict[str, Any]:
    """Send one request through the ingress; return its JSON, or why there was no answer."""
    asked = urllib.request.Request(
        box.ingress + path, headers={"Host": host, **{k.replace("_", "-"): v for k, v in headers.items()}}
    )
    try:
        with urllib.request.urlopen(asked, timeout=timeout) as reply:
            body = reply.read()
    except urllib.error.HTTPError as why:
        return {"answered_by": "nobody", "status": why.code}
    except OSError as why:
        return {"answered_by": "nobody", "error": str(why)}
    try:
        found = json.loads(body)
    except ValueError:
        return {"answered_by": "local", "body": body.decode(errors="replace")}
    return found if isinstance(found, dict) else {"answered_by": "local", "body": found}


@contextmanager
def catalogue_port(port: int) -> Iterator[None]:
    """Hold a port of the catalogue for a test that cannot choose another: the machine has it only once.

    Tests of this checkout wait for each other. Another checkout's may still have it for some seconds.
    """
    with (ROOT / "config/services.yaml").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert until(lambda: ports.owner(port) is None, 60), f"port {port} is taken by {ports.owner(port)}"
        yield


def switch_on(box: Box, fault: str) -> None:
    """Switch a fault on, and let the sessions' kept tokens expire: until they do, a lost login is not noticed.

    Skips the test on a machine that does not allow the fault.
    """
    if not is_possible(fault):
        pytest.skip("root may write everywhere, and may not mount here: no HOME can be made read-only")
    control.fault(box, fault)
    let_tokens_expire(box)


def let_tokens_expire(box: Box) -> None:
    """Delete the kept tokens of the cluster: until they expire, az and Entra are not asked."""
    for kept in box.path.glob("state/sessions/*/credentials/*"):
        kept.unlink(missing_ok=True)


def is_possible(fault: str) -> bool:
    """Does this machine allow the fault? A read-only HOME needs a mount for root, who may write whatever the modes say."""
    return fault != "home-read-only" or os.geteuid() != 0 or _root_may_mount()


@cache
def _root_may_mount() -> bool:
    if not shutil.which("mount"):
        return False
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["mount", "--bind", folder, folder], capture_output=True, check=False)
        if done.returncode == 0:
            subprocess.run(["umount", folder], capture_output=True, check=True)
    return done.returncode == 0


def until(question: Callable[[], Any], seconds: float = 60) -> Any:
    """Ask until the answer is true; return the last answer."""
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer or time.monotonic() > end:
            return answer
        time.sleep(0.05)


def writes(box: Box, *tools: str) -> list[list[str]]:
    """Return the calls that changed something, of these tools or of all."""
    return [[c["tool"], *c["argv"]] for c in box.calls() if c["writes"] and (not tools or c["tool"] in tools)]
