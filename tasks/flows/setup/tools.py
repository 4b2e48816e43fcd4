"""The programs are installed, in the versions that the settings want."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from tasks.core.config.settings import Pin, Settings
from tasks.core.errors import Blocked, ToolError
from tasks.core.plan.change import Change
from tasks.core.plan.steps import Step
from tasks.flows.setup.work import Work
from tasks.tools import base, versions


def pins(s: Settings) -> dict[str, Pin]:
    """The wanted programs. Telepresence's version stands with its other settings."""
    import msgspec

    def pinned(name: str, pin: Pin) -> Pin:
        if name != "telepresence":
            return pin
        return msgspec.structs.replace(pin, version=s.telepresence.version, pinned="")

    return {name: pinned(name, pin) for name, pin in s.tools.items()}


def plan(work: Work) -> Iterator[Change[object]]:
    """Nothing is installed from here: what is missing is said, with where it comes from."""
    import msgspec

    wanted = pins(work.settings)
    s = msgspec.structs.replace(work.settings, tools=wanted)
    with ThreadPoolExecutor(max_workers=max(1, len(wanted))) as pool:
        found = list(pool.map(lambda name: problem(s, name, wanted[name]), wanted))
    wrong = [(text, fix) for text, fix, optional in found if text and not optional]
    work.notes["tools"] = "; ".join(text for text, _, optional in found if text and optional)
    if wrong:
        raise Blocked("; ".join(text for text, _ in wrong), fix="; ".join(dict.fromkeys(fix for _, fix in wrong)))
    yield from ()


def problem(s: Settings, name: str, pin: Pin) -> tuple[str, str, bool]:
    """What is wrong with a program (empty when nothing is), what a person does about it, and whether that is optional."""
    fix = base.how_to_get(s, name)
    try:
        found = versions.installed(s, name)
    except ToolError as why:
        return why.what, why.fix or fix, pin.optional
    bound = "" if not pin.at_least else " or newer"
    if found is None:
        return f"{name} is not installed", fix, pin.optional
    if found.wrong:
        return f"{found.path} is {found.wrong}", f"{fix}, before {found.path} on PATH", pin.optional
    if not versions.fits(pin, found.version):
        return f"{name} is {found.version}, wanted is {pin.version}{bound}", fix, pin.optional
    return "", "", pin.optional


def commands(s: Settings) -> tuple[str, ...]:
    """What a person would type to look."""
    return tuple(f"{name} {' '.join(versions.question(name))}" for name in s.tools)


STEP: Step[Work] = Step("tools", "the programs are installed in the wanted versions", plan)
