"""Who owns a release: two developers must not deploy the same one over each other."""

from __future__ import annotations

import getpass
import re
import socket

from tasks.core.config.settings import Settings
from tasks.core.errors import Refused, ToolError, Trouble
from tasks.core.state import journal
from tasks.core.state.journal import Entry
from tasks.tools import developer, helm
from tasks.tools.helm import Release


def owner(s: Settings) -> str:
    """Return this developer's name as the value of a label: the slot, or name.host where none is set."""
    return _label(s.telepresence.slot) or _label(f"{developer.name(s) or _user()}.{socket.gethostname()}")


def owner_of(s: Settings, release: str) -> str:
    """Return who owns the release; empty when that is unknown."""
    try:
        return helm.holder_of(s, release)
    except ToolError:
        return ""


def entry_of(s: Settings, release: str) -> Entry | None:
    """Return the journal's entry of the release in the place of the settings; None when it was not made here."""
    wanted = {"release": release, "context": s.cluster.context, "namespace": s.cluster.namespace}
    for entry in journal.entries("release"):
        if wanted.items() <= entry.data.items():
            return entry
    return None


def record(s: Settings, release: str, service: str) -> Entry:
    """Return the journal's entry of the release. A new one is written before the release is deployed."""
    place = {"context": s.cluster.context, "namespace": s.cluster.namespace}
    known = entry_of(s, release) or journal.record("release", release=release, service=service, **place)
    return journal.update(known, holder=owner(s))


def is_mine(s: Settings, release: Release) -> bool:
    """Is it ours by its label: that of today's slot, or of the one that the journal recorded when it was deployed?"""
    entry = None if release.mine else entry_of(s, release.name)
    recorded = "" if entry is None else str(entry.data.get("holder", ""))
    return release.mine or (bool(recorded) and recorded == owner_of(s, release.name))


def in_namespace(s: Settings, namespace: str) -> Settings:
    """Return the settings with another namespace of the cluster."""
    from msgspec.structs import replace

    return replace(s, cluster=replace(s.cluster, namespace=namespace))


def must_be_free_or_mine(s: Settings, release: Release | None) -> None:
    """Raise Refused with the owner's name when somebody else owns it, Trouble when ours is stuck."""
    if release is None:
        return
    if not is_mine(s, release):
        name = owner_of(s, release.name)
        raise Refused(
            f"the release {release.name} is held by {name or 'an unknown owner (it was not made with inv tilt.up)'}",
            why="two developers who deploy one release overwrite each other",
            fix=f"ask {name or 'the team'} to run inv tilt.down --only {release.name}, or work with inv intercept instead",
        )
    if release.stuck:
        raise Trouble(
            f"the release {release.name} is {release.status}: a run of Helm was killed",
            why="Helm refuses every upgrade until then: another operation (install/upgrade/rollback) is in progress",
            fix=f"inv tilt.down --only {release.name}, then start it again",
        )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # this uid has no entry in /etc/passwd
        return "somebody"


def _label(text: str) -> str:
    """Make it a valid label value: at most 63 letters, digits, `-`, `_` and `.`, alphanumeric at both ends."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", text)[:63].strip("-_.")
