"""The stand-in for the docker client 28.2.2 and its engine, without compose.

Texts without an engine and those of push and login were recorded. A build reads the Dockerfile and runs nothing. buildx,
which was not installed where the client was recorded, has only `build`.
"""

from __future__ import annotations

from collections.abc import Callable

from sandbox.protocol.call import Answer, Call
from sandbox.standins.docker import engine, images
from sandbox.standins.docker.client import Docker
from sandbox.standins.docker.registry import DockerError
from sandbox.standins.go.flags import UnknownFlag, Words, parse
from sandbox.world.state import World

_BUILD = (
    "add-host= build-arg= cache-from= compress disable-content-trust file/f= force-rm iidfile= label= memory/m= network= "
    "no-cache platform= pull quiet/q rm secret= ssh= tag/t= target= progress="
)
# command: flags, usage, minimum and maximum number of words
_COMMANDS: dict[str, tuple[str, str, int, int | None]] = {
    "version": ("format/f=", "[OPTIONS]", 0, 0),
    "info": ("format/f=", "[OPTIONS]", 0, 0),
    "ps": ("all/a filter/f= format= last/n= latest/l no-trunc quiet/q size/s", "[OPTIONS]", 0, 0),
    "images": ("all/a digests filter/f= format= no-trunc quiet/q tree", "[OPTIONS] [REPOSITORY[:TAG]]", 0, 1),
    "login": ("password/p= password-stdin username/u=", "[OPTIONS] [SERVER]", 0, 1),
    "logout": ("", "[SERVER]", 0, 1),
    "build": (_BUILD, "[OPTIONS] PATH | URL | -", 1, 1),
    "push": ("all-tags/a disable-content-trust platform= quiet/q", "[OPTIONS] NAME[:TAG]", 1, 1),
    "tag": ("", "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]", 2, 2),
    "rm": ("force/f link/l volumes/v", "[OPTIONS] CONTAINER [CONTAINER...]", 1, None),
    "inspect": ("format/f= size/s type=", "[OPTIONS] NAME|ID [NAME|ID...]", 1, None),
    "buildx build": (f"{_BUILD} builder= load output/o= provenance= push sbom=", "[OPTIONS] PATH | URL | -", 1, 1),
}
_GLOBAL = "config= context/c= debug/D host/H= log-level/l= tls tlsverify version/v help/h"


class _UsageError(Exception):
    """A usage error with its exit code and text."""

    def __init__(self, exit: int, text: str) -> None:
        super().__init__(text)
        self.exit, self.text = exit, text


def handle(call: Call, world: World) -> Answer:
    """Answer one call of docker."""
    try:
        start = parse(call.argv, _GLOBAL, interspersed=False)
    except UnknownFlag as why:
        return Answer(
            125,
            stderr=f"{why}\n\nUsage:  docker [OPTIONS] COMMAND [ARG...]\n\nRun 'docker --help' for more information\n",
        )
    if start.on("version"):
        return Answer(stdout="Docker version 28.2.2, build e6534b4\n")
    if start.on("help") or not start.words:
        return Answer(stdout=_help())
    try:
        name, parsed = _command(start.words)
        if parsed.on("help"):
            return Answer(stdout=_command_help(name))
        return _VERBS[name](Docker(call, world, parsed, start.value("host")))
    except _UsageError as why:
        return Answer(why.exit, stderr=why.text)
    except DockerError as why:
        return Answer(1, stderr=f"{why}\n")
    except OSError as why:
        return Answer(1, stderr=f"{(why.strerror or '').lower()}: {why.filename}\n")


def _command(words: list[str]) -> tuple[str, Words]:
    name = " ".join(words[:2]) if " ".join(words[:2]) in _COMMANDS else words[0]
    rest = words[len(name.split()) :]
    if name not in _COMMANDS:
        raise _UsageError(1, f"docker: unknown command: docker {name}\n\nRun 'docker --help' for more information\n")
    known, usage, least, most = _COMMANDS[name]
    more = f"\n\nUsage:  docker {name} {usage}\n\nRun 'docker {name} --help' for more information\n"
    try:
        parsed = parse(rest, f"{known} help")
    except UnknownFlag as why:
        raise _UsageError(125, f"{why}{more}") from None
    if not parsed.on("help") and not (least <= len(parsed.words) <= (len(parsed.words) if most is None else most)):
        count = "at least 1 argument" if most is None else f"{least} argument{'s' if least != 1 else ''}"
        raise _UsageError(1, f"docker: 'docker {name}' requires {count if most != 0 else 'no arguments'}{more}")
    return name, parsed


def _help() -> str:
    names = sorted({name.split()[0] for name in _COMMANDS})
    lines = "\n".join(f"  {name:<11} {_COMMANDS[name][1] if name in _COMMANDS else ''}".rstrip() for name in names)
    return f"Usage:  docker [OPTIONS] COMMAND\n\nA self-sufficient runtime for containers\n\nCommands:\n{lines}\n"


def _command_help(name: str) -> str:
    known, usage, _, _ = _COMMANDS[name]
    lines = []
    for word in known.split():
        names = word.rstrip("=").split("/")
        short = f"-{names[1]}, " if len(names) > 1 else "    "
        lines.append(f"  {short}--{names[0]}{' string' if word.endswith('=') else ''}")
    return f"Usage:  docker {name} {usage}\n\nOptions:\n" + "\n".join(lines) + "\n"


_VERBS: dict[str, Callable[[Docker], Answer]] = {
    "version": engine.version,
    "info": engine.info,
    "ps": engine.ps,
    "images": images.images,
    "login": engine.login,
    "logout": engine.logout,
    "build": images.build,
    "push": images.push,
    "tag": images.tag,
    "rm": engine.rm,
    "inspect": images.inspect,
    "buildx build": images.buildx_build,
}
