"""The sandbox's host names, for every Python program in its environment: what /etc/hosts would do, without root.

Python imports this module at its start, because the sandbox's PYTHONPATH names this folder. It must be light.
A line of the box's file `hosts` has a name and `ADDRESS:PORT`, or `-` for a name that does not resolve.
"""

from __future__ import annotations

import _socket
import os

_system = _socket.getaddrinfo


def _known(host: object) -> str:
    """Return what the sandbox says about the name: an address with a port, `-`, or "" for a name of the outside world."""
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    try:
        with open(os.path.join(os.environ["REMOTE_SANDBOX"], "hosts"), encoding="utf-8") as file:
            return dict(line.split() for line in file).get(name, "")
    except (OSError, KeyError, ValueError):
        return ""


def getaddrinfo(
    host: bytes | str | None,
    port: bytes | str | int | None,
    family: int = 0,
    type: int = 0,
    proto: int = 0,
    flags: int = 0,
) -> list[tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]]:
    """Resolve as the system does, except for the sandbox's own names."""
    known = _known(host)
    if not known:
        return _system(host, port, family, type, proto, flags)
    if known == "-":
        raise _socket.gaierror(_socket.EAI_NONAME, "Name or service not known")
    address, _, number = known.rpartition(":")
    return [(_socket.AF_INET, _socket.SOCK_STREAM, _socket.IPPROTO_TCP, "", (address, int(number)))]


_socket.getaddrinfo = getaddrinfo
