"""Telepresence's daemons as real processes, so that `kill -9`, process lists and orphans behave as usual."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from sandbox.protocol.call import CallerGone
from sandbox.protocol.line import Line
from sandbox.world.cluster import new_id
from sandbox.world.state import User, World


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
        key = name.split("/")[0]
        _hold(line)
        return
    key = name
    _, daemon = world.notes["daemons"][key]
    daemon.line = line
    daemon.attached.set()
    _hold(line)

    with world.lock:
        if daemon.state != "dead":
            daemon.state, daemon.died = "dead", time.monotonic()
        world.alive_sessions.discard(daemon.session)
        world.notes["daemons"].pop(key, None)


def _hold(line: Line) -> None:
    try:
        line.receive()
    except CallerGone:
        return  # the process has ended


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
