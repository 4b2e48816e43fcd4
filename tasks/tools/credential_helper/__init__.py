"""The credential helper in the session's folder: what it consists of, and how a kubeconfig uses it.

The files of `copied/` run without the suite, because the kubeconfig outlives a checkout of it.
"""

from __future__ import annotations

import json
import os
import py_compile
import shlex
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tasks.core import entra, regular_file
from tasks.core.config.settings import Settings
from tasks.core.errors import Trouble
from tasks.core.state import store
from tasks.core.yaml.nodes import Node, find, items, mapping, sequence, text, with_value, without, word
from tasks.tools import base
from tasks.tools.credential_helper.copied import cached

_PACKAGE = "credential_helper"
_SOURCES = ("__init__.py", "ask.py", "cached.py", "kept.py", "main.py")
# The original command runs where Python or the helper is gone or fails: another Python was installed, the state was cleared.
_SHIM = """#!/bin/sh
# The credential helper of this session. It gives the token that az gave before as long as the login is the same.
folder={folder}
python={python}
if [ -x "$python" ] && [ -r "$folder/{package}/main.py" ]; then
  exec "$python" -B -I -S -c '
import sys
import _signal as signal  # the module signal itself would take 3 ms
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
sys.path.append(sys.argv[1])
try:
    from {package}.main import main
    code = main(sys.argv[1] + "/credentials", sys.argv[2:])
except Exception:  # such as files of two versions of the suite
    import os
    os.execvp(sys.argv[2], sys.argv[2:])
sys.exit(code)' "$folder" "$@"
fi
exec "$@"
"""


def command(s: Settings) -> Path:
    """Return the program that the session's kubeconfig starts."""
    return base.session_folder(s) / "credential-helper"


def entries(s: Settings) -> Path:
    """Return the folder of the kept credentials."""
    return base.session_folder(s) / "credentials"


def is_wanted(s: Settings) -> bool:
    """Do the settings, and what kubectl may start, allow the helper?"""
    return s.azure.credential_cache == "session" and not base.session_is_private() and not forbidden(s)


def forbidden(s: Settings) -> str:
    """Return why kubectl would refuse the helper or could not start it; empty when it can.

    The policy is of kubectl 1.35 (https://kubernetes.io/docs/reference/kubectl/kuberc); an earlier kubectl ignores it.
    """
    if not str(command(s)).isprintable():
        return f"{str(command(s))!r} cannot be written to a kubeconfig"
    place = next(folder for folder in command(s).parents if folder.exists())
    if os.statvfs(place).f_flag & os.ST_NOEXEC:
        return f"{place} is mounted with noexec"
    file = Path(os.environ.get("KUBERC") or "~/.kube/kuberc").expanduser()
    policy, allowed = _policy(file)
    if policy in {"", "AllowAll"} or str(command(s)) in allowed:
        return ""
    return f"the policy {policy} in {file} does not allow {command(s)}"


def _policy(file: Path) -> tuple[str, list[str]]:
    """Return kubectl's policy for credential plugins, and the plugins of its list; empty without a file that can be read."""
    import yaml

    from tasks.core.yaml.bounded import loader

    try:
        document = yaml.compose(regular_file.text(file), Loader=loader())
    except (OSError, UnicodeDecodeError, yaml.YAMLError):  # kubectl names it
        return "", []
    listed = items(find(document, "credentialPluginAllowlist"))
    names = [text(find(entry, "name")) or text(find(entry, "command")) for entry in listed]  # `command` since 1.36
    return text(find(document, "credentialPluginPolicy")), names


def is_installed(s: Settings) -> bool:
    """Is the helper in the session's folder, as this suite has it, with a folder for the credentials?"""
    try:
        mode = entries(s).lstat().st_mode
    except OSError:
        return False
    if not stat.S_ISDIR(mode) or mode & 0o077:  # the helper keeps nothing there
        return False
    return all(_content(path) == wanted for path, wanted in _files(s)) and os.access(command(s), os.X_OK)


def install(s: Settings) -> None:
    """Write the helper's files. Does nothing when they are there. Raises Trouble when they cannot be written."""
    if is_installed(s):
        return
    package = store.made(base.session_folder(s) / _PACKAGE)
    compiled = store.made(package / "__pycache__")
    with suppress(OSError):
        if entries(s).is_symlink():
            entries(s).unlink()
        store.made(entries(s)).chmod(0o700)
    for path, wanted in _files(s):
        store.write(path, wanted, mode=0o700 if path == command(s) else 0o600)
    with suppress(OSError, py_compile.PyCompileError):  # it only starts slower
        for name in _SOURCES:
            cached_name = f"{Path(name).stem}.{sys.implementation.cache_tag}.pyc"
            py_compile.compile(str(package / name), str(compiled / cached_name), doraise=True)


def forget(s: Settings) -> None:
    """Let every kept credential of this session die. One that is being fetched is not kept either.

    Raises Trouble when some remain. On a full disk they can be deleted, although nothing can be written.
    """
    folder = entries(s)
    if folder.is_symlink() or not folder.is_dir():  # nothing is kept behind a link, and its files are not the helper's
        return
    try:
        store.write(folder / "forgotten", "")
    except Trouble:
        if not os.access(folder, os.R_OK):
            raise
        for path in _kept(folder):
            store.delete(path)
        return
    with suppress(OSError):  # they are not served any more in any case
        for path in _kept(folder):
            path.unlink(missing_ok=True)


def _kept(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.name not in {"lock", "renewal", "forgotten"})


def wrapped(s: Settings, user: Node, server: str) -> Node:
    """Return the user of a kubeconfig with the helper before its plugin."""
    plugin = find(user, "exec")
    args = sequence(find(plugin, "command"), *items(find(plugin, "args")))
    variable = mapping(("name", word(cached.SERVER)), ("value", word(server)))
    plugin = with_value(plugin, "command", word(str(command(s))))
    plugin = with_value(plugin, "args", args)
    plugin = with_value(plugin, "env", sequence(*items(find(plugin, "env")), variable))
    return with_value(user, "exec", with_value(plugin, "interactiveMode", word("Never")))


def unwrapped(user: Node) -> Node:
    """Return the user of a session's kubeconfig as it is without the helper."""
    plugin = find(user, "exec")
    words, variables = items(find(plugin, "args")), items(find(plugin, "env"))
    others = [v for v in variables if text(find(v, "name")) != cached.SERVER]
    is_helper = Path(text(find(plugin, "command"))).name == "credential-helper" and len(others) < len(variables)
    if not is_helper or not words:
        return user
    program, *args = words
    plugin = with_value(with_value(plugin, "command", program), "args", sequence(*args))
    return with_value(user, "exec", with_value(plugin, "env", sequence(*others)) if others else without(plugin, "env"))


def _files(s: Settings) -> Iterator[tuple[Path, str]]:
    """Yield path and content of each file. The program comes last: it needs the others."""
    folder = base.session_folder(s)
    for name in _SOURCES:
        yield folder / _PACKAGE / name, (Path(__file__).parent / "copied" / name).read_text(encoding="utf-8")
    causes = {code: [refusal.why, refusal.fix] for code, refusal in entra.AADSTS.items()}
    yield folder / "aadsts.json", json.dumps(causes, indent=1)
    python = getattr(sys, "_base_executable", "") or sys.executable  # a virtual environment may be deleted
    yield (command(s), _SHIM.format(folder=shlex.quote(str(folder)), python=shlex.quote(python), package=_PACKAGE))


def _content(path: Path) -> str | None:
    try:
        return regular_file.text(path)
    except (OSError, UnicodeDecodeError):
        return None
