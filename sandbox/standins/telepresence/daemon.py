"""Telepresence's daemons as real processes, so that `kill -9`, process lists and orphans behave as usual."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sandbox.protocol.call import CallerGone
from sandbox.protocol.line import Line, plugin_reply, plugin_request
from sandbox.standins.credentials import Authenticator, Plugin
from sandbox.world.cluster import new_id
from sandbox.world.state import OutOfTime, User, World

_PAUSE = 0.1  # seconds until a call that waits for a plug-in looks whether it must still wait


@dataclass
class Daemon:
    """A user daemon and its connection. state: connecting, connected, idle (no session), dead."""

    id: str
    process: Any  # subprocess.Popen
    title: tuple[str, ...]
    state: str = "connecting"
    context: str = ""
    namespace: str = ""
    server: str = ""
    manager_namespace: str = ""
    mapped: list[str] = field(default_factory=list)
    mapped_explicitly: bool = False
    kubeconfig: str = ""
    session: str = ""
    name: str = ""
    orphan: bool = False  # its connecting CLI was killed: it runs, but no CLI finds it (2.26 and newer)
    cli: Any = None  # the connection to the CLI that connects it
    launched: float = field(default_factory=time.monotonic)
    died: float = 0.0
    line: Any = None
    root: Any = None  # the root daemon's process, if the version has one
    attached: threading.Event = field(default_factory=threading.Event)
    implicit: bool = False
    lost_network: bool = False  # without iptables it connects, but every use of the connection fails
    key: Any = None  # key in user.sessions
    ended: threading.Event = field(default_factory=threading.Event)
    authenticators: dict[Plugin, Authenticator] = field(default_factory=dict)  # of client-go in the user daemon
    of_root: dict[Plugin, Authenticator] = field(default_factory=dict)  # of client-go in the root daemon
    managers: list[Authenticator] = field(default_factory=list)  # of the session's calls to the traffic manager
    log: str = ""  # the file that its stderr and that of its plug-ins go to
    _asking: threading.Lock = field(default_factory=threading.Lock)
    _unanswered: int = 0  # requests, including those that nobody waits for any more
    _replies: queue.SimpleQueue[Any] = field(default_factory=queue.SimpleQueue)

    def is_being_connected(self) -> bool:
        """Is a CLI connecting it? The thread that serves a killed CLI notices that a moment later."""
        if self.state != "connecting" or self.orphan:
            return False
        try:
            if self.cli is not None:
                self.cli.check(0)
        except (CallerGone, ValueError):  # ValueError: that thread has closed the connection meanwhile
            return False
        return True

    def plugin(
        self, path: str, argv: tuple[str, ...], env: dict[str, str], timeout: float | None = None
    ) -> tuple[int, bytes]:
        """Run a credential plug-in as a child of the user daemon. Returns exit code and stdout.

        Raises NotStarted; OutOfTime after `timeout` seconds; CallerGone when the CLI that waits has ended.
        """
        end = None if timeout is None else time.monotonic() + timeout
        with self._asking:
            self.line.send(*plugin_request(path, argv, env, stderr=self.log))
            self._unanswered += 1
            while (reply := self._reply()) is None:
                if end is not None and time.monotonic() > end:
                    raise OutOfTime(self.name)
                if self.cli is not None:
                    self.cli.check(0)
            return plugin_reply(path, reply)

    def _reply(self) -> Any:
        """The process's answer to the last request; None if it has not come yet. It answers one after the other."""
        try:
            reply = self._replies.get(timeout=_PAUSE)
        except queue.Empty:
            return None
        self._unanswered -= 1
        return reply if not self._unanswered or self.ended.is_set() else None

    def hold(self) -> None:
        """Receive the process's answers until it ends."""
        with suppress(CallerGone):
            while True:
                self._replies.put(self.line.receive())
        self.ended.set()
        self._replies.put(("ended", -9, b""))  # for a call that waits for an answer


def launch(
    world: World,
    user: User,
    environ: dict[str, str],
    title: tuple[str, ...],
    root: tuple[str, ...] = (),
    cli: Any = None,
) -> Daemon:
    """Start the daemon, and the root daemon if given, and wait until it has connected to the state server."""
    program = str(world.box / "bin" / "telepresence")
    daemon = Daemon(new_id(), None, title, cli=cli)
    with world.lock:
        user.daemons.append(daemon)
        world.notes.setdefault("daemons", {})[daemon.id] = (user, daemon)
    daemon.process = _start(world, environ, daemon.id, (program, *title))
    if root:
        clean = {"PATH": os.defpath, "HOME": "/root"}  # what sudo leaves of the environment
        daemon.root = _start(world, clean, f"{daemon.id}/root", (program, *root))
    daemon.attached.wait(5.0)
    return daemon


def _start(world: World, environ: dict[str, str], name: str, title: tuple[str, ...]) -> Any:
    import sys
    from pathlib import Path

    source = Path(__file__).with_name("process.py")
    process = subprocess.Popen(
        [sys._base_executable, "-SEs", str(source), str(world.box / "s"), name, *title],  # type: ignore[attr-defined]
        env=environ,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    threading.Thread(target=process.wait, daemon=True).start()
    return process


def attend(world: World, line: Line, name: str) -> None:
    """Hold the daemon's connection. It ends with the process."""
    if name.endswith("/root"):
        with suppress(CallerGone):
            line.receive()
        return
    key = name
    _, daemon = world.notes["daemons"][key]
    daemon.line = line
    daemon.attached.set()
    daemon.hold()
    with world.lock:
        if daemon.state != "dead":
            daemon.state, daemon.died = "dead", time.monotonic()
        world.alive_sessions.discard(daemon.session)
        world.notes["daemons"].pop(key, None)


def stop(world: World, daemon: Daemon) -> None:
    """Stop the processes with SIGTERM, then SIGKILL, and wait for them."""
    with world.lock:
        daemon.state = "dead"
        daemon.died = 0.0
        world.alive_sessions.discard(daemon.session)
    for process in (daemon.process, daemon.root):
        if process is not None:
            process.terminate()
            try:
                process.wait(2.0)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def end_all(world: World) -> None:
    """Kill every daemon of every user, including orphans."""
    for user in list(world.users.values()):
        for daemon in list(user.daemons):
            if daemon.process is not None:
                for process in (daemon.process, daemon.root):
                    if process is not None and process.poll() is None:
                        process.kill()
                        process.wait()
