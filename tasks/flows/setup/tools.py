"""The programs are installed, in the versions of the settings."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from tasks.core.config.settings import Pin, Settings
from tasks.core.errors import Blocked, Problem, ToolError
from tasks.core.plan.change import Change
from tasks.core.plan.steps import Step
from tasks.flows.setup.setup_run import SetupRun
from tasks.tools import base, versions

_AT_ONCE = 2  # Telepresence connects meanwhile


def pins(s: Settings) -> dict[str, Pin]:
    """Return the wanted version of each program. Telepresence's is in the section `telepresence`."""
    import msgspec

    def pinned(name: str, pin: Pin) -> Pin:
        if name != "telepresence":
            return pin
        return msgspec.structs.replace(pin, version=s.telepresence.version, pinned="")

    return {name: pinned(name, pin) for name, pin in s.tools.items()}


def plan(setup: SetupRun) -> Iterator[Change[object]]:
    """Report missing programs and where to get them. Setup installs none itself."""
    import msgspec

    wanted = pins(setup.settings)
    s = msgspec.structs.replace(setup.settings, tools=wanted)
    with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
        results = list(pool.map(lambda name: problem(s, name, wanted[name]), wanted))
    problems = [(wanted[name], p) for name, p in zip(wanted, results, strict=True) if p is not None]
    required = [p for pin, p in problems if not pin.optional]
    setup.remarks["tools"] = "; ".join(p.what for pin, p in problems if pin.optional)
    setup.problems["tools"] = required
    if required:
        raise Blocked("; ".join(p.what for p in required), fix="; ".join(dict.fromkeys(p.fix for p in required)))
    yield from ()


def problem(s: Settings, name: str, pin: Pin) -> Problem | None:
    """Return what is wrong with the program, None when it is installed in the wanted version."""
    fix = base.how_to_get(s, name)
    try:
        installed = versions.installed(s, name)
    except ToolError as why:
        return Problem(why.what, fix=why.fix or fix)
    if installed is None:
        return Problem(f"{name} is not installed", fix=fix)
    if installed.wrong:
        return Problem(f"{installed.path} is {installed.wrong}", fix=f"{fix}, before {installed.path} on PATH")
    if not versions.fits(pin, installed.version):
        bound = " or newer" if pin.at_least else ""
        return Problem(f"{name} is {installed.version}, wanted is {pin.version}{bound}", fix=fix)
    return None


def commands(setup: SetupRun) -> tuple[str, ...]:
    """Return the commands that print the versions."""
    return tuple(f"{name} {' '.join(versions.question(name))}" for name in setup.settings.tools)


# Eight programs start here, and the way to the session needs the processors first.
STEP: Step[SetupRun] = Step(
    "tools", "the programs are installed in the wanted versions", plan, after=("access",), commands=commands
)
