"""Compare the address of an API server with the patterns of `guard.production.servers`."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from ipaddress import ip_address
from itertools import product
from urllib.parse import urlsplit

_BARE_ADDRESS = r"[0-9a-f*?]*:[0-9a-f*?]*:[0-9a-f:.*?]*"  # of version 6, without brackets
_PATTERN = re.compile(rf"(?:[a-z0-9+.*?-]+://)?(?:[^/@]*@)?(\[[^\]]*\]|{_BARE_ADDRESS}|[^/:]*)(?::([0-9*?]+))?(?:/.*)?")
_HTTPS = "443"


def matches(server: str, pattern: str) -> bool:
    """Does the pattern match the server, as text in any case or by host and port?

    server: a URL, or a host with or without a port. Its host is compared as the client connects to it: in lower case,
    without the dot at its end, in ASCII; and as people read it. A pattern without a port matches every port.
    """
    lowered = pattern.strip().lower()
    if fnmatchcase(server.lower(), lowered):
        return True
    wanted = _PATTERN.fullmatch(lowered)
    host, port = _host_and_port(server)
    if wanted is None or not host or not wanted[1]:
        return False
    spellings = {_ascii(host), _letters(host)}
    patterns = {_plain(wanted[1]), _ascii(_plain(wanted[1]))}
    return fnmatchcase(port, wanted[2] or "*") and any(fnmatchcase(a, b) for a, b in product(spellings, patterns))


def _host_and_port(server: str) -> tuple[str, str]:
    """The host and the port of the address; empty when it has no host."""
    url = server.strip() if "://" in server else f"https://{server.strip()}"  # client-go adds https too
    try:
        parts = urlsplit(url)
        return _plain(parts.hostname or ""), str(parts.port or ("80" if parts.scheme == "http" else _HTTPS))
    except ValueError:  # no valid port, or brackets that are not closed: no client connects there
        return "", ""


def _plain(host: str) -> str:
    """The name in lower case without its last dot; an address of version 6 in its shortest form."""
    name = host.strip("[]").lower().rstrip(".")
    try:
        address = ip_address(name)
    except ValueError:
        return name
    return str(getattr(address, "ipv4_mapped", None) or address)


def _ascii(host: str) -> str:
    """The name as DNS is asked for it: a client converts letters such as a full-width `p`."""
    try:
        return host.encode("idna").decode().rstrip(".")
    except UnicodeError:
        return host


def _letters(host: str) -> str:
    """The name as people read it: `xn--...` decoded."""
    try:
        return _ascii(host).encode().decode("idna").rstrip(".")
    except UnicodeError:
        return host
