"""What a TCP connection to a cluster's API server meets: it is accepted, refused or never answered, as the faults say.

The names of the API servers exist only inside the sandbox. `hosts` in the box's folder lists them, and
sandbox/resolver/sitecustomize.py, which the sandbox's PYTHONPATH names, reads it in every Python program.
"""

from __future__ import annotations

import contextlib
import random
import select
import socket
import threading
import time

from sandbox.world.cluster import Cluster
from sandbox.world.state import World

_MANY = 128
_PAUSE = 0.1  # seconds until the faults are looked at again
_FULL = 4  # connections; the queue of a listener with a backlog of 0 holds one or two


class ApiEndpoint:
    """One listener on the loopback interface for all clusters of the sandbox."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._queued: list[socket.socket] = []  # connections that fill the queue of the silent listener
        self._kept: list[socket.socket] = []  # accepted connections that get no answer
        self.address = _free_address()
        self._hosts: list[str] = []
        self.follow()
        threading.Thread(target=self._serve, daemon=True).start()

    def follow(self) -> None:
        """Behave as the faults and the clusters' power say now."""
        with self._lock:
            self._write_hosts()
            if self.world.fault("api-refused"):
                self._close()
            elif self.world.fault("api-silent"):
                self._be_silent()
            else:
                self._accept()

    def _listening(self) -> socket.socket:
        if self._listener is None:
            self._listener = socket.socket()
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.setblocking(False)
            self._listener.bind(self.address)
            self._listener.listen(_MANY)
        return self._listener

    def _be_silent(self) -> None:
        """Fill the listener's queue: the kernel then drops the packets of every further connection."""
        listener = self._listening()
        if not self._queued:
            listener.listen(0)
            for _ in range(_FULL):
                waiting = socket.socket()
                waiting.setblocking(False)
                waiting.connect_ex(self.address)
                self._queued.append(waiting)

    def _accept(self) -> None:
        listener = self._listening()
        if self._queued:
            listener.listen(_MANY)
            self._close_queued()
        with contextlib.suppress(BlockingIOError):
            while True:
                self._kept.append(listener.accept()[0])
        if not self.world.fault("api-hung"):
            while self._kept:
                self._kept.pop().close()

    def _close(self) -> None:
        self._close_queued()
        if self._listener is not None:
            # While the other thread waits in select, the kernel keeps a closed listener, and with it the port.
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def _close_queued(self) -> None:
        for waiting in self._queued:
            waiting.close()
        self._queued = []

    def _serve(self) -> None:
        """Accept what connects, at once, and follow a cluster that az starts or stops."""
        while True:
            self.follow()
            with self._lock:
                listener = self._listener
            if listener is None or self._queued:
                time.sleep(_PAUSE)
            else:
                with contextlib.suppress(OSError, ValueError):  # a fault has closed it meanwhile
                    select.select([listener], [], [], _PAUSE)

    def _write_hosts(self) -> None:
        """List the API servers, and with a session open what its DNS server would resolve: the cluster's Services."""
        address = ":".join(map(str, self.address))
        with self.world.lock:
            lines = [f"{cluster.host} {address if self._resolves(cluster) else '-'}" for cluster in self._clusters()]
            lines += [f"{name} {address}" for name in sorted(self._services())]
        if lines != self._hosts:
            self._hosts = lines
            new = self.world.box / "hosts.new"
            new.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            new.rename(self.world.box / "hosts")

    def _clusters(self) -> list[Cluster]:
        return list(self.world.clusters.values())

    def _resolves(self, cluster: Cluster) -> bool:
        return cluster.running and not self.world.fault("dns")

    def _services(self) -> set[str]:
        if self.world.fault("container-root"):
            return set()  # nothing asks the daemon's DNS server there
        connected = [d for user in self.world.users.values() for d in user.daemons if d.state == "connected"]
        return {
            f"{workload.service}.{workload.namespace}{suffix}"
            for daemon in connected
            if not daemon.lost_network
            for workload in (self.world.cluster_at(daemon.server) or self.world.cluster).workloads
            if workload.service and workload.namespace in daemon.mapped
            for suffix in ("", ".svc.cluster.local")
        }


def _free_address() -> tuple[str, int]:
    """An address whose port the kernel gives to nobody else: below the ports that it hands out (32768 and above)."""
    while True:
        address = ("127.0.0.1", random.randint(20000, 32000))
        with socket.socket() as probe:
            if _can_bind(probe, address):
                return address


def _can_bind(unbound: socket.socket, address: tuple[str, int]) -> bool:
    try:
        unbound.bind(address)
    except OSError:
        return False
    return True
