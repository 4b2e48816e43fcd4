"""What every Python program in the sandbox's environment sees of the machine: the sandbox's host names, for which
/etc/hosts would need root; and with some faults, that it runs as root in a container.

Python imports this module at its start, because the sandbox's PYTHONPATH names this folder. It must be light.
A line of the box's file `hosts` has a name and `ADDRESS:PORT`, or `-` for a name that does not resolve.
The box's file `root-in-container` exists while one of these faults is on.
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


def _be_root_in_a_container() -> None:
    """Make os.getuid return 0, and /.dockerenv exist. os.geteuid, which decides who owns new files, stays as it is."""
    system = os.stat

    def stat(
        path: int | str | bytes | os.PathLike[str], *, dir_fd: int | None = None, follow_symlinks: bool = True
    ) -> os.stat_result:
        return system("/" if str(path) == "/.dockerenv" else path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)

    for able in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
        able.add(stat)  # shutil looks there for what it may use
    os.stat = stat  # type: ignore[assignment]  # the same, without PathLike[bytes]
    os.getuid = lambda: 0


_socket.getaddrinfo = getaddrinfo
if os.path.exists(os.path.join(os.environ.get("REMOTE_SANDBOX", os.devnull), "root-in-container")):
    _be_root_in_a_container()
