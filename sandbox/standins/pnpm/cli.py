"""The stand-in for pnpm 10.34.9. It runs scripts with /bin/sh; packages are generated, not downloaded."""

from __future__ import annotations

import difflib
import os
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.protocol.call import Answer, Call
from sandbox.standins.pnpm.install import install, missing_modules
from sandbox.standins.pnpm.project import VERSION, PnpmError, Project, labelled, members, nearest, root_of
from sandbox.world.state import World

_VALUES = frozenset(
    [
        "dir",
        "filter",
        "filter-prod",
        "reporter",
        "store-dir",
        "registry",
        "loglevel",
        "network-concurrency",
        "child-concurrency",
        "lockfile-dir",
        "modules-dir",
        "workspace-concurrency",
        "node-linker",
        "noproxy",
        "proxy",
        "https-proxy",
        "userconfig",
    ]
)
_SWITCHES = frozenset(
    [
        "frozen-lockfile",
        "offline",
        "prefer-offline",
        "ignore-scripts",
        "prod",
        "dev",
        "optional",
        "force",
        "lockfile-only",
        "lockfile",
        "silent",
        "stream",
        "recursive",
        "workspace-root",
        "shamefully-hoist",
        "fix-lockfile",
        "prefer-frozen-lockfile",
        "use-stderr",
        "aggregate-output",
        "color",
        "help",
        "version",
        "if-present",
        "parallel",
        "no-bail",
        "bail",
        "side-effects-cache",
        "strict-peer-dependencies",
        "verify-store-integrity",
        "yes",
    ]
)
_SHORT = {
    "C": "dir",
    "F": "filter",
    "P": "prod",
    "D": "dev",
    "r": "recursive",
    "w": "workspace-root",
    "s": "silent",
    "h": "help",
    "v": "version",
    "y": "yes",
}
_ALIASES = {"i": "install", "run-script": "run", "t": "test"}
_OTHERS = (
    "add",
    "remove",
    "update",
    "up",
    "dlx",
    "create",
    "publish",
    "pack",
    "fetch",
    "link",
    "unlink",
    "prune",
    "rebuild",
    "import",
    "audit",
    "outdated",
    "why",
    "licenses",
    "patch",
    "deploy",
    "env",
    "setup",
    "self-update",
    "server",
    "doctor",
)


@dataclass
class _Parsed:
    command: str = ""
    flags: dict[str, str] = field(default_factory=dict)
    rest: list[str] = field(default_factory=list)


def handle(call: Call, world: World) -> Answer:
    """Answer one call of pnpm."""
    parsed = _Parsed()
    try:
        _parse(call.argv, parsed)
        return _answer(call, world, parsed)
    except PnpmError as why:
        hint = f"For help, run: pnpm help{' ' + parsed.command if parsed.command else ''}\n" if why.usage else ""
        return Answer(why.exit, "" if why.usage else why.text, f"{why.text}{hint}" if why.usage else "")
    except OSError as why:
        code = {28: "ENOSPC", 13: "EACCES", 30: "EROFS"}.get(why.errno or 0, "EIO")
        return Answer(1, labelled(code, f"{code}: {(why.strerror or '').lower()}, open '{why.filename}'"))


def _answer(call: Call, world: World, parsed: _Parsed) -> Answer:
    folder = Path(call.cwd, parsed.flags.get("dir", "."))
    if not folder.is_dir():
        raise PnpmError("ERROR", f"ENOENT: no such file or directory, lstat '{folder}'", usage=True)
    folder = Path(os.path.realpath(folder))
    version = _managed(world, parsed, folder)
    if parsed.flags.get("version") == "true":
        return Answer(stdout=f"{version}\n")
    if parsed.flags.get("help") == "true" or not parsed.command:
        return Answer(
            stdout=f"Version {VERSION}\nUsage: pnpm [command] [flags]\n       pnpm [ -h | --help | -v | --version ]\n"
        )
    if parsed.command == "install":
        return install(call, world, folder, parsed.flags)
    if parsed.flags.get("filter"):
        member = _filtered(folder, parsed.flags["filter"])
        if member is None:
            return Answer(stdout=f'No projects matched the filters in "{root_of(folder)}"\n')
        folder = member.folder
    elif parsed.flags.get("workspace-root") == "true":
        folder = root_of(folder)
    if parsed.command == "exec":
        return _exec(call, world, folder, parsed.rest)
    return _script(call, folder, parsed)


def _parse(argv: tuple[str, ...], parsed: _Parsed) -> None:
    """Parse the flags before the command, for install also after it. Words after a script's name belong to the script."""
    queue = list(argv)
    while queue:
        word = queue.pop(0)
        if not word.startswith("-") and not parsed.command:
            parsed.command = _ALIASES.get(word, word)
            if parsed.command not in ("install", "run", "exec"):
                parsed.rest, queue = queue, []
        elif not word.startswith("-"):
            parsed.rest = [word, *queue]
            break
        elif word == "--":
            parsed.rest += queue
            break
        else:
            _flag(word, queue, parsed)


def _flag(word: str, queue: list[str], parsed: _Parsed) -> None:
    name, equals, value = word.lstrip("-").partition("=")
    if not word.startswith("--"):
        name = _SHORT.get(name, name)
    if name.startswith("config."):
        return
    if name in _VALUES:
        parsed.flags[name] = value if equals else (queue.pop(0) if queue else "")
    elif name in _SWITCHES:
        parsed.flags[name] = value if equals else "true"
    elif name.startswith("no-") and name[3:] in _SWITCHES:
        parsed.flags[name[3:]] = "false"
    else:
        near = difflib.get_close_matches(name, [*_VALUES, *_SWITCHES], n=1, cutoff=0.4)
        hint = f"Did you mean '{near[0]}'? " if near else ""
        raise PnpmError(
            "ERROR",
            f"Unknown option: '{name}'\n{hint}Use \"--config.unknown=value\" to force an unknown option.",
            usage=True,
        )


def _managed(world: World, parsed: _Parsed, folder: Path) -> str:
    """The version that runs: the project's `packageManager`. pnpm downloads another version even for --version."""
    project = nearest(folder)
    name, _, version = str((project.manifest if project else {}).get("packageManager") or f"pnpm@{VERSION}").partition(
        "@"
    )
    if name != "pnpm":
        if parsed.flags.get("version") == "true":
            return VERSION
        raise PnpmError("ERROR", f"This project is configured to use {name}", usage=True)
    version = version.partition("+")[0]
    if version != VERSION and world.fault("packages-refused"):
        url = "https://registry.npmjs.org/pnpm"
        raise PnpmError(
            "ERR_PNPM_META_FETCH_FAIL",
            f"GET {url}: request to {url} failed, reason: connect ECONNREFUSED 127.0.0.1:443\n\nThis error happened while "
            f"installing a direct dependency of ~/.local/share/pnpm/.tools/pnpm/{version}_tmp",
        )
    return version or VERSION


def _filtered(folder: Path, wanted: str) -> Project | None:
    root = root_of(folder)
    name = wanted.removesuffix("...").removeprefix("...").strip("{}")
    for member in members(root):
        relative = f"./{member.folder.relative_to(root)}"
        if name in (member.name, relative, relative[2:]) or member.name.rpartition("/")[2] == name:
            return member
    return None


def _script(call: Call, folder: Path, parsed: _Parsed) -> Answer:
    name = parsed.command if parsed.command != "run" else (parsed.rest[0] if parsed.rest else "")
    words = parsed.rest if parsed.command != "run" else parsed.rest[1:]
    project = nearest(folder)
    if project is None:
        raise PnpmError(
            "ERR_PNPM_NO_IMPORTER_MANIFEST_FOUND",
            f'No package.json (or package.yaml, or package.json5) was found in "{folder}".',
        )
    scripts = project.manifest.get("scripts") or {}
    if parsed.command == "run" and not name:
        lines = "".join(f"  {key}\n    {value}\n" for key, value in scripts.items())
        return Answer(stdout=f'Commands available via "pnpm run":\n{lines}')
    if name not in scripts:
        if parsed.flags.get("if-present") == "true":
            return Answer()
        if parsed.command == "run" or name in ("test", "start"):
            raise PnpmError("ERR_PNPM_NO_SCRIPT", f'Missing script: {name}\n\nCommand "{name}" not found.')
        if name in _OTHERS:
            raise PnpmError("ERROR", f"the sandbox's pnpm does not do '{name}'", usage=True)
        raise _not_found(name)
    line = " ".join([str(scripts[name]), *(shlex.quote(word) for word in words)])
    head = f"\n> {project.name}@{project.manifest.get('version', '')} {name} {project.folder}\n> {line}\n\n"
    silent = parsed.flags.get("silent") == "true" or parsed.flags.get("reporter") == "silent"
    env = {
        **_path(call, project.folder),
        "npm_lifecycle_event": name,
        "npm_package_name": project.name,
        "INIT_CWD": call.cwd,
    }
    run = ["/bin/sh", "-c", 'cd -- "$0" && exec /bin/sh -c "$1"', str(project.folder), line]
    return Answer(stdout="" if silent else head, run=run, run_env=env, after=f"script {project.folder}")


def _exec(call: Call, world: World, folder: Path, words: list[str]) -> Answer:
    if not words:
        raise PnpmError("ERR_PNPM_EXEC_MISSING_COMMAND", "'pnpm exec' requires a command to run")
    project = nearest(folder)
    env = _path(call, project.folder if project else folder)
    places = env["PATH"].split(os.pathsep)
    if os.sep not in words[0] and not any(os.access(os.path.join(p, words[0]), os.X_OK) for p in places if p):
        raise _not_found(words[0])
    run = ["/bin/sh", "-c", 'cd -- "$0" && exec "$@"', str(folder), *words]
    return Answer(run=run, run_env=env, after="exec")


def _not_found(name: str) -> PnpmError:
    error = PnpmError("ERR_PNPM_RECURSIVE_EXEC_FIRST_FAIL", f'Command "{name}" not found', exit=254)
    error.text = f"undefined\n{error.text}"
    return error


def _path(call: Call, folder: Path) -> dict[str, str]:
    bins = [str(place / "node_modules" / ".bin") for place in dict.fromkeys((folder, root_of(folder)))]
    return {"PATH": os.pathsep.join([*bins, call.env.get("PATH", "")])}


def ended(call: Call, world: World, after: str, exit: int) -> Answer:
    """The end of the script or command. pnpm exits with its exit code."""
    if exit < 0:
        return Answer(128 - exit)
    if exit == 0 or not after.startswith("script "):
        return Answer(exit)
    folder = Path(after.removeprefix("script "))
    return Answer(exit, labelled("ELIFECYCLE", f"Command failed with exit code {exit}.") + missing_modules(folder))
