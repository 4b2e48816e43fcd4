"""Who holds a release: two developers must not deploy the same one over each other."""

from __future__ import annotations

import getpass
import re
import socket

from tasks.core.config.settings import Settings
from tasks.core.errors import Refused, ToolError, Trouble
from tasks.core.state import journal
from tasks.core.state.journal import Entry
from tasks.tools import helm
from tasks.tools.helm import Release


def holder(s: Settings) -> str:
    """This developer's name as a label's value: the slot, or user.host where none is set."""
    return _label(s.telepresence.slot) or _label(f"{_user()}.{socket.gethostname()}")


def entry_of(s: Settings, release: str) -> Entry | None:
    """The journal's entry that this workstation made the release in this place."""
    place = {"release": release, "context": s.cluster.context, "namespace": s.cluster.namespace}
    return next((e for e in journal.entries("release") if all(e.data.get(k) == v for k, v in place.items())), None)


def noted(s: Settings, release: str, service: str) -> Entry:
    """The journal's entry, made now where there is none: before the release is."""
    place = {"context": s.cluster.context, "namespace": s.cluster.namespace}
    return entry_of(s, release) or journal.record("release", release=release, service=service, **place)


def is_mine(s: Settings, release: Release) -> bool:
    """By its label; or by the journal, when the slot has been changed since."""
    return release.mine or entry_of(s, release.name) is not None


def free_or_mine(s: Settings, found: Release | None) -> None:
    """Raise Refused with the name when somebody else holds the release, Trouble when mine was left half way."""
    if found is None:
        return
    if not is_mine(s, found):
        name = name_of(s, found.name)
        raise Refused(
            f"the release {found.name} is held by {name or 'somebody who is not known (it was not made with inv tilt.up)'}",
            why="two developers who deploy one release overwrite each other",
            fix=f"ask {name or 'the team'} to run inv tilt.down --only {found.name}, or work with inv intercept instead",
        )
    if found.stuck:
        raise Trouble(
            f"the release {found.name} is {found.status}: a run of Helm was killed half way",
            why="Helm refuses every upgrade until then: another operation (install/upgrade/rollback) is in progress",
            fix=f"inv tilt.down --only {found.name}, then start it again",
        )


def name_of(s: Settings, release: str) -> str:
    """Who holds it, empty when that cannot be told."""
    try:
        return helm.holder_of(s, release)
    except ToolError:
        return ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no entry in passwd for this uid
        return "somebody"


def _label(text: str) -> str:
    """What a label's value may be: 63 letters, digits, `-`, `_`, `.`, ends alphanumeric."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", text)[:63].strip("-_.")
