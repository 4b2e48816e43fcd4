"""The environment of the local process, byte for byte: this machine's variables, the pod's, then the catalogue's."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

from tasks.core import ui
from tasks.core.config.catalogue import Dev
from tasks.core.errors import Refused, Trouble
from tasks.core.repository import CATALOGUE
from tasks.core.state import store
from tasks.flows.intercept.held_back import is_held_back

# Variables that belong to this machine: the pod's value would break the local process.
LOCAL = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|PWD|OLDPWD|SHLVL|HOSTNAME|TERM|COLORTERM|TMPDIR|TEMP|TMP|LANG|LANGUAGE|LC_\w+|TZ|DISPLAY|EDITOR|"
    r"_|XDG_\w+|SSH_\w+|VIRTUAL_ENV|PNPM_HOME|"
    r"GOPATH|GOROOT|GOCACHE|CARGO_HOME|JAVA_HOME|KUBECONFIG|AZURE_CONFIG_DIR|DOCKER_HOST|DOCKER_CONFIG|REMOTE_DEV_\w+"
)
# Linux limits one NAME=VALUE to MAX_ARG_STRLEN, 131,072 bytes (see execve(2)). The final NUL byte is one of them.
_MAX_BYTES = 131_071
# A line that needs no quotes: a shell expands neither file names nor braces in an assignment. The names are a shell's own.
_LINE = re.compile(
    r"(?!(?:UID|EUID|PPID|GROUPS|IFS|OPT(?:IND|ARG|ERR)|RANDOM|SECONDS|LINENO|BASH\w*|POSIXLY_CORRECT)=)"
    r"[A-Za-z_][A-Za-z0-9_]*=(?!#)[\w@%+=:,./?*!^#{}\[\]-]*"
)
_MAX_LINE = 65_536
_DROP = f"add it to dev.drop in {CATALOGUE}"


def build(pod: Mapping[str, str], dev: Dev, *, kubeconfig: str, port: int) -> dict[bytes, bytes]:
    """Return names and values as bytes.

    dev: what the catalogue drops, allows and overrides; port: where the process is to listen, given as PORT

    Raises Trouble for a variable that the kernel cannot pass; it names the variable, without its value.
    """
    built = dict(os.environb)
    for name, value in _taken(pod, dev).items():
        built[_bytes(name)] = _bytes(value)
    for name, value in {"KUBECONFIG": kubeconfig, **dev.env, "PORT": str(port)}.items():
        built[_bytes(name)] = _bytes(value)
    for key, data in built.items():
        _must_fit(key, data)
    return built


def held_back(pod: Mapping[str, str], dev: Dev) -> list[str]:
    """Return the names of the pod's variables that make programs here run or load something else."""
    return sorted(name for name in pod if is_held_back(name, dev.allow) and name not in {*dev.drop, *dev.env})


def _taken(pod: Mapping[str, str], dev: Dev) -> dict[str, str]:
    """Return the variables of the pod that are for a process on this machine."""
    unwanted = set(dev.drop)
    return {
        name: value
        for name, value in pod.items()
        if name and not LOCAL.fullmatch(name) and name not in unwanted and not is_held_back(name, dev.allow)
    }


def must_be_writable(path: Path, *, overwrite: bool, removed_on_leave: bool = False) -> None:
    """Raise Trouble when the env file cannot be written, Refused when it exists and may not be overwritten.

    Asked before the intercept is made: a first intercept replaces the pod.
    """
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise Trouble(f"--env-file: {path} cannot be written", fix="name a file in a writable folder")
    if path.exists() and not overwrite:
        later = ", and removed when the intercept is left" if removed_on_leave else ""
        raise Refused(
            f"--env-file: {path} already exists",
            why=f"it would be overwritten{later}",
            fix="name another file, or add --yes",
        )


def write_file(
    path: Path, pod: Mapping[str, str], dev: Dev, *, before: Callable[[str], object] = lambda text: None
) -> list[str]:
    """Write the pod's environment, mode 0600. Warns about variables that were omitted, and returns their names.

    A `*.json` file has all variables. Any other file has those that a process on this machine gets, as lines
    NAME=value, and only values that python-dotenv, a shell and `docker run --env-file` read back alike.

    before: called with the text before it is written
    """
    text, omitted = _content(path, pod, dev)
    before(text)
    store.write(path, text)
    if omitted:
        taken = _taken(pod, dev).keys()
        reasons = {
            "not read alike by python-dotenv, a shell and docker": omitted & taken,
            "not for a process on this machine": omitted - taken,
        }
        named = "; ".join(f"{', '.join(sorted(names))} ({why})" for why, names in reasons.items() if names)
        whole = shlex.quote(str(path.with_suffix(".json")))
        ui.warn(f"{path} does not have {named}: --env-file {whole} would have all variables")
    return sorted(omitted)


def _content(path: Path, pod: Mapping[str, str], dev: Dev) -> tuple[str, set[str]]:
    """Return the text of the file and the names that are omitted in it."""
    if path.suffix == ".json":
        return _as_json(pod), set()
    lines = {name: f"{name}={value}" for name, value in sorted(_taken(pod, dev).items())}
    readable = {name: line for name, line in lines.items() if _is_read_alike(line)}
    return "".join(f"{line}\n" for line in readable.values()), pod.keys() - readable.keys()


def _is_read_alike(line: str) -> bool:
    """Do all three readers find the same name and value in the line?

    docker reads values as they are, and quotes as a part of them (its newest version removes some): a value that needs
    quotes for a shell cannot be written. Its lines are shorter than 64 KiB, see its package kvfile.
    """
    return _LINE.fullmatch(line) is not None and len(line.encode()) < _MAX_LINE


def _as_json(pod: Mapping[str, str]) -> str:
    text = json.dumps(dict(sorted(pod.items())), indent=2, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        text = json.dumps(dict(sorted(pod.items())), indent=2)
    return text + "\n"


def _must_fit(key: bytes, data: bytes) -> None:
    name = os.fsdecode(key)
    if b"\0" in data or b"\0" in key or b"=" in key:
        raise Trouble(f"the variable {name!r} cannot be passed to a process", fix=_DROP)
    size = len(key) + len(data) + 1
    if size > _MAX_BYTES:
        raise Trouble(
            f"the variable {name} has {len(data):,} bytes, more than the kernel passes to a process", fix=_DROP
        )


def _bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise Trouble("a variable of the pod is not valid Unicode: half a surrogate pair", fix=_DROP) from None
