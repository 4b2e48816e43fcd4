"""What can be planted into a pair, one line each. The functions are in faults_written.py and faults_disturbed.py."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from tasks.core.errors import Trouble
from tasks.sandbox.legacy.model import Fault

FAULTS: tuple[Fault, ...] = ()


def named(names: Sequence[str], remotes: bool) -> tuple[Fault, ...]:
    """The faults of these names in the order of the table. Raises Trouble for an unknown or impossible one."""
    known = {fault.name: fault for fault in FAULTS}
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=3) or sorted(known)
            raise Trouble(f"no fault is named {name!r}", fix=f"--with {' or '.join(near)}")
        if known[name].needs_remotes and not remotes:
            raise Trouble(f"{name} needs remotes", fix="make the pair with remotes")
        for other in known[name].excludes:
            if other in names:
                raise Trouble(f"{name} and {other} exclude each other", fix="make one pair for each")
    return tuple(fault for fault in FAULTS if fault.name in names)
