"""Compare the address of an API server with the patterns of `guard.production.servers`."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

_PATTERN = re.compile(r"(?:[a-z0-9+.*?-]+://)?(?:[^/@]*@)?(\[[^\]]*\]|[^/:]*)(?::([0-9*?]+))?(?:/.*)?")
_HTTPS = "443"


def matches(server: str, pattern: str) -> bool:
    """Does the pattern match the server, as text in any case or by host and port?

    server: a URL, or a host with or without a port. Its host is compared as the client connects to it: in lower case,
    without the dot at its end, in ASCII. A pattern without a port matches every port.
    """
    lowered = pattern.strip().lower()
    if fnmatchcase(server.lower(), lowered):
        return True
    wanted = _PATTERN.fullmatch(lowered)
    host, port = _host_and_port(server)
    if wanted is None or not host or not wanted[1]:
        return False
    return fnmatchcase(host, _plain(wanted[1])) and fnmatchcase(port, wanted[2] or "*")


def _host_and_port(server: str) -> tuple[str, str]:
    """The host and the port of the address; empty when it has no host."""
    url = server.strip() if "://" in server else f"https://{server.strip()}"  # client-go adds https too
    try:
        parts = urlsplit(url)
        return _ascii(_plain(parts.hostname or "")), str(parts.port or ("80" if parts.scheme == "http" else _HTTPS))
    except ValueError:  # no valid port, or brackets that are not closed: no client connects there
        return "", ""


def _plain(host: str) -> str:
    return host.strip("[]").lower().rstrip(".")


def _ascii(host: str) -> str:
    """The name as DNS is asked for it: a client converts letters such as a full-width `p`."""
    try:
        return host.encode("idna").decode().rstrip(".")
    except UnicodeError:
        return host
