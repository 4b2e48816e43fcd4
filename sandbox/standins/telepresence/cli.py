"""The stand-in for telepresence 2.19.1, 2.25.1 and 2.31.0. 2.19.1 and 2.31.0 were recorded."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.protocol.call import Answer, Call
from sandbox.standins.telepresence import list as listing
from sandbox.standins.telepresence import status
from sandbox.standins.telepresence.args import Parsed, Usage, helps, parse
from sandbox.standins.telepresence.child_end import ended, started
from sandbox.standins.telepresence.connect import connect
from sandbox.standins.telepresence.engage import engage, leave, revoke
from sandbox.standins.telepresence.quit import quit_
from sandbox.standins.telepresence.run import Failure, Run
from sandbox.standins.telepresence.target import check_config
from sandbox.world.state import World

__all__ = ["ended", "handle", "started"]

_COMMANDS: dict[str, Callable[[Run], Answer]] = {
    "connect": connect,
    "status": status.status,
    "version": status.version,
    "quit": quit_,
    "list": listing.list_,
    "intercept": engage,
    "replace": engage,
    "leave": leave,
    "detach": leave,
    "revoke": revoke,
    "uninstall": listing.uninstall,
}


def handle(call: Call, world: World) -> Answer:
    """Answer one call of telepresence."""
    version = world.telepresence
    try:
        parsed = parse(version, call.argv)
    except Usage as why:
        return _usage(call, version, str(why))
    if parsed.flags.get("help") or parsed.command == "root":
        return Answer(0, helps(version).get(parsed.command, helps(version)["root"]))
    if parsed.command not in _COMMANDS:
        return Answer(1, stderr=f"sandbox: the stand-in for telepresence has no `{parsed.command}`\n")
    run = Run(call, world, parsed, version, world.user(call))
    refused = _formats(run)
    if refused:
        return refused
    try:
        check_config(run)
        return _COMMANDS[parsed.command](run)
    except Failure as why:
        return run.failed(why)


def _usage(call: Call, version: str, text: str) -> Answer:
    """Answer a usage error: plain text on stderr, whatever the output format."""
    if text.startswith("invalid subcommand"):
        return Answer(1, stderr=f"telepresence: error: {text}\n")
    words = [w for w in call.argv if not w.startswith("-")]
    name = words[0] if words and words[0] in helps(version) else ""
    note = ""
    if version >= "2.29" and name == "leave":
        note = 'Command "leave" is deprecated, use "telepresence detach" instead\n'
    if version >= "2.29" and name == "list" and "-o" in call.argv:
        note = "Flag --only-interceptable has been deprecated, Redundant since all workloads are eligible for ingest, intercept, or replace\n"
    return Answer(1, stderr=f"{note}telepresence {name}: error: {text}\n" if name else f"telepresence: error: {text}\n")


def _formats(run: Run) -> Answer | None:
    """Check --output and --format. Returns the error, if any."""
    parsed: Parsed = run.parsed
    name = parsed.command
    if "output" in parsed.flags and run.new:
        if "format" in parsed.flags:
            text = "--output and --format cannot be used together; --output is deprecated, use --format instead"
            return Answer(1, stderr=f"telepresence {name}: error: {text}\n")
        run.err.append("Flag --output has been deprecated, use --format instead\n")
    if run.format not in ("", "json", "yaml", "json-stream"):
        return Answer(1, stderr=f'telepresence {name}: error: invalid output format "{run.format}"\n')
    return None
