"""The stand-in for pnpm 10.34.9. It runs scripts with /bin/sh; packages are generated, not downloaded."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from sandbox.protocol.call import Answer, Call
from sandbox.standins.pnpm.args import Parsed, parse
from sandbox.standins.pnpm.install import install, missing_modules
from sandbox.standins.pnpm.project import VERSION, PnpmError, Project, labelled, members, nearest, root_of
from sandbox.world.state import World

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


def handle(call: Call, world: World) -> Answer:
    """Answer one call of pnpm."""
    parsed = Parsed()
    try:
        parse(call.argv, parsed)
        return _answer(call, world, parsed)
    except PnpmError as why:
        hint = f"For help, run: pnpm help{' ' + parsed.command if parsed.command else ''}\n" if why.usage else ""
        return Answer(why.exit, "" if why.usage else why.text, f"{why.text}{hint}" if why.usage else "")
    except OSError as why:
        code = {28: "ENOSPC", 13: "EACCES", 30: "EROFS"}.get(why.errno or 0, "EIO")
        return Answer(1, labelled(code, f"{code}: {(why.strerror or '').lower()}, open '{why.filename}'"))


def _answer(call: Call, world: World, parsed: Parsed) -> Answer:
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


def _managed(world: World, parsed: Parsed, folder: Path) -> str:
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


def _script(call: Call, folder: Path, parsed: Parsed) -> Answer:
    words = parsed.rest if parsed.command == "run" else [parsed.command, *parsed.rest]
    name = words[0] if words else ""
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
        return _missing_script(parsed, name)
    line = " ".join([str(scripts[name]), *map(shlex.quote, words[1:])])
    return _run_script(call, project, parsed, name, line)


def _missing_script(parsed: Parsed, name: str) -> Answer:
    """Succeed with --if-present. Raises PnpmError otherwise."""
    if parsed.flags.get("if-present") == "true":
        return Answer()
    if parsed.command == "run" or name in ("test", "start"):
        raise PnpmError("ERR_PNPM_NO_SCRIPT", f'Missing script: {name}\n\nCommand "{name}" not found.')
    if name in _OTHERS:
        raise PnpmError("ERROR", f"the sandbox's pnpm does not do '{name}'", usage=True)
    raise _not_found(name)


def _run_script(call: Call, project: Project, parsed: Parsed, name: str, line: str) -> Answer:
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
