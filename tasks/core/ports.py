"""Local ports, as the kernel lists them: who listens, what is connected, which is free."""

from __future__ import annotations

import os
import re
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

from tasks.core.errors import Trouble
from tasks.core.process.processes import pids, stat

_LISTEN = "0A"  # TCP_LISTEN in /proc/net/tcp


@dataclass(frozen=True)
class Owner:
    """The process that listens on a port."""

    pid: int
    """0 for a process of another user, which the kernel does not name."""

    command: str

    def __str__(self) -> str:
        return f"pid {self.pid} ({self.command})" if self.pid else "a process of another user"


def number(text: str, what: str = "--port") -> int:
    """Return the port in this text. Raises Trouble for anything but 1 to 65535."""
    if not re.fullmatch(r"[0-9]{1,6}", text) or not 1 <= int(text) <= 65535:
        raise Trouble(
            f"{what}: '{text}' is not a valid port", fix=f"a port is a number from 1 to 65535, such as {what} 3001"
        )
    return int(text)


def pair(text: str) -> tuple[int, str]:
    """Split `LOCAL[:REMOTE]` into the local port and the name or number of the Service's port, empty when omitted."""
    local, colon, remote = text.partition(":")
    if colon and not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?", remote):
        raise Trouble(
            f"--port: '{text}' names no port after the colon",
            fix="write --port LOCAL:REMOTE, such as --port 3001:http or --port 3001:80",
        )
    if remote.isdigit():
        number(remote)
    return number(local), remote


def owner(port: int) -> Owner | None:
    """Return the process that listens on the port, on any local address; None for a free port."""
    inodes = {row.inode for row in _rows() if row.state == _LISTEN and row.local == port}
    if not inodes:
        return None
    for pid in pids():
        if inodes & _sockets(pid):
            return Owner(pid, _command(pid))
    return Owner(0, "")


def addresses(port: int) -> set[str]:
    """Return the local addresses on which a process listens on the port, such as `127.0.0.1` and `::`."""
    return {_address(row.local_end) for row in _rows() if row.state == _LISTEN and row.local == port}


def of_session(session: int) -> set[tuple[str, int]]:
    """Return the addresses and ports on which processes of this session listen (see setsid(2))."""
    members = [pid for pid in pids() if stat(pid)[3:4] == [str(session)]]
    inodes = {inode for pid in members for inode in _sockets(pid)}
    return {(_address(row.local_end), row.local) for row in _rows() if row.state == _LISTEN and row.inode in inodes}


def connections(port: int) -> frozenset[tuple[str, str]]:
    """Return the TCP connections to this local port as (client end, server end), closed ones in TIME_WAIT too."""
    ends = set()
    for row in _rows():
        if row.state != _LISTEN and row.local == port:
            ends.add((row.remote_end, row.local_end))
        elif row.state != _LISTEN and row.remote == port:
            ends.add((row.local_end, row.remote_end))
    return frozenset(ends)


def free() -> int:
    """Return a port that is free now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@dataclass(frozen=True)
class _Row:
    local_end: str
    remote_end: str
    state: str
    inode: str

    @property
    def local(self) -> int:
        return int(self.local_end.rpartition(":")[2], 16)

    @property
    def remote(self) -> int:
        return int(self.remote_end.rpartition(":")[2], 16)


def _rows() -> list[_Row]:
    rows = []
    for name in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/net/{name}").read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            parts = line.split()
            rows.append(_Row(parts[1], parts[2], parts[3], parts[9]))
    return rows


def _address(end: str) -> str:
    """Return the address of an end as people write it. The kernel prints it in words of the machine's byte order."""
    words = bytes.fromhex(end.rpartition(":")[0])
    if sys.byteorder == "little":
        words = b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))
    return socket.inet_ntop(socket.AF_INET if len(words) == 4 else socket.AF_INET6, words)


def _sockets(pid: int) -> set[str]:
    """The inodes of the process's sockets."""
    inodes = set()
    try:
        for name in os.listdir(f"/proc/{pid}/fd"):
            link = os.readlink(f"/proc/{pid}/fd/{name}")
            if link.startswith("socket:["):
                inodes.add(link[8:-1])
    except OSError:
        pass  # it ended, or it belongs to another user
    return inodes


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")
    except OSError:
        return "ended"
    return " ".join([os.path.basename(words[0]), *words[1:3]]).strip()
