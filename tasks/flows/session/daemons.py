"""Telepresence's daemons as processes: how those are found and ended that `quit` does not reach.

`telepresence quit -s` always exits with 0. It does not reach the daemon of a connect that was killed, and a daemon of
2.31 may confirm `Quit` and live on. So the process table decides, not the exit code.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
from collections.abc import Iterable, Sequence
from contextlib import suppress

from tasks.core.config.settings import Settings
from tasks.core.errors import ToolError, Trouble
from tasks.core.plan.change import Change
from tasks.core.process import processes
from tasks.core.process.processes import Process
from tasks.core.process.tool import Tool
from tasks.core.state import journal
from tasks.core.state.journal import Entry
from tasks.core.wait import until
from tasks.tools import base
from tasks.tools.telepresence import logs

_USER, _ROOT = {"userd", "connector-foreground"}, {"rootd", "daemon-foreground"}  # since 2.31, and before it
# Seconds. 2.20.2 needs 4.1 s for its root daemon; killed earlier it leaves its socket, which no user can replace.
_ENDS_WITHIN = 4.5
_DEVICE = re.compile(r"tel\d+")  # the name of Telepresence's network device
_DEVICES = "/sys/class/net"
_SOCKET = "/var/run/telepresence-daemon.socket"  # before 2.31; the root daemon deletes it when it ends by itself


def ours(s: Settings) -> list[Process]:
    """Return the daemons that were started with this session's kubeconfig. Other projects' daemons have another."""
    wanted = str(base.frozen_kubeconfig(s))
    return [p for p in _telepresence() if p.variable("KUBECONFIG") == wanted]


def everything(s: Settings) -> list[Process]:
    """Return them with the root daemon, which serves the user's sessions one after the other.

    sudo starts it: its environment has no kubeconfig, and only root may read it. Its command line names the user's
    cache folder (contracts/azure-live/facts-2.md). It is not ours while a daemon of another project uses it, nor when
    nothing says that we had a session.
    """
    found = ours(s)
    if not found and not recorded(s):
        return []
    if any(is_daemon(p, user_only=True) and _is_of_this_home(p) and p not in found for p in _telepresence()):
        return found
    return [*found, *(p for p in _telepresence() if p not in found and _is_root_daemon_of_this_home(p))]


def recorded(s: Settings) -> list[Entry]:
    """Return the journal's entries of sessions with this place's kubeconfig."""
    file = str(base.frozen_kubeconfig(s))
    return [entry for entry in journal.entries("session") if entry.data.get("kubeconfig") == file]


def end(found: Sequence[Process], that: str) -> Change[None]:
    """End these daemons: SIGTERM, some seconds, SIGKILL; those of root with sudo. that: completes `the daemon that ...`.

    Raises Trouble with the command that ends a daemon which is still there.
    """
    pids = [str(p.pid) for p in found]
    return Change(
        f"end the daemon that {that} (pid {', '.join(pids)})", run=lambda: _end(found), equivalent=("kill", *pids)
    )


def is_daemon(process: Process, *, user_only: bool = False) -> bool:
    """Do its first arguments name a daemon of Telepresence? user_only: the user daemon, not the root daemon."""
    return bool((_USER if user_only else _USER | _ROOT) & set(process.argv[1:3]))


def _telepresence() -> list[Process]:
    return [p for p in processes.running() if "telepresence" in os.path.basename(p.argv[0]) and is_daemon(p)]


def _is_of_this_home(process: Process) -> bool:
    return process.variable("HOME") == os.path.expanduser("~")


def _is_root_daemon_of_this_home(process: Process) -> bool:
    cache = str(logs.folder().parent)
    named = any(word == cache or word.startswith(cache + os.sep) for word in process.argv)
    return named and not is_daemon(process, user_only=True)


def _end(found: Sequence[Process]) -> None:
    for number, seconds in ((signal.SIGTERM, _ENDS_WITHIN), (signal.SIGKILL, 2.0)):
        _signal([p for p in found if p.lives], number)
        if until(lambda: not any(p.lives for p in found), every=0.05, for_=seconds):
            _must_leave_nothing()
            return
    left = [str(p.pid) for p in found if p.lives]
    foreign = any(not _is_own(int(pid)) for pid in left)
    raise Trouble(
        f"Telepresence's daemon still runs (pid {', '.join(left)}), with its network device and its routes",
        why="it belongs to root, and sudo wants a password here" if foreign else "no signal ends it",
        # Asked to end, it removes its device and its rules for DNS; killed, it leaves the rules.
        fix=f"sudo kill {'' if foreign else '-9 '}{' '.join(left)}",
    )


def _is_own(pid: int) -> bool:
    try:
        return os.stat(f"/proc/{pid}").st_uid in {os.getuid(), os.geteuid()} or os.getuid() == 0
    except OSError:
        return True


def _signal(found: Iterable[Process], number: signal.Signals) -> None:
    roots = []
    for process in found:
        try:
            os.kill(process.pid, number)
        except PermissionError:
            roots.append(str(process.pid))
        except ProcessLookupError:
            continue
    if roots:
        _as_root("kill", f"-{number.name.removeprefix('SIG')}", *roots)


def _as_root(*argv: str) -> None:
    """Run it with sudo where that wants no password. What it did is seen in what it changed."""
    if shutil.which("sudo"):
        with suppress(ToolError):
            Tool("sudo", timeout=5)["-n", *argv].call()


def _must_leave_nothing() -> None:
    """Raise Trouble when something of the root daemon outlives it. Somebody else's root daemon may have the same things."""
    if any(not is_daemon(p, user_only=True) for p in _telepresence()):
        return
    if not until(lambda: not _devices(), every=0.1, for_=2.0):
        device = _devices()[0]
        raise Trouble(
            f"the network device {device} of Telepresence is left, with the cluster's routes",
            fix=f"sudo ip link delete {device}",
        )
    _delete_socket()


def _delete_socket() -> None:
    """Delete the socket that a killed root daemon leaves: every later connect of 2.20 would wait for it and fail."""
    if not os.path.exists(_SOCKET):
        return
    try:
        os.unlink(_SOCKET)
    except OSError:
        _as_root("rm", "-f", _SOCKET)
    if os.path.exists(_SOCKET):
        raise Trouble(
            f"the socket {_SOCKET} of a killed root daemon is left",
            why="it belongs to root, and sudo wants a password here; the next connect cannot replace it",
            fix=f"sudo rm {_SOCKET}",
        )


def _devices() -> list[str]:
    try:
        return sorted(name for name in os.listdir(_DEVICES) if _DEVICE.fullmatch(name))
    except OSError:
        return []
