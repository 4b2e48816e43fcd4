"""The environment of the local process, byte for byte: this machine's variables, the pod's, then the catalogue's."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

from tasks.core.errors import Refused, Trouble
from tasks.core.state import store

# Variables that belong to this machine: the pod's value would break the local process.
LOCAL = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|PWD|OLDPWD|SHLVL|HOSTNAME|TERM|COLORTERM|TMPDIR|TEMP|TMP|LANG|LANGUAGE|LC_\w+|TZ|DISPLAY|EDITOR|"
    r"_|XDG_\w+|SSH_\w+|LD_LIBRARY_PATH|LD_PRELOAD|PYTHONHOME|PYTHONPATH|VIRTUAL_ENV|NODE_PATH|NPM_CONFIG_\w+|PNPM_HOME|"
    r"GOPATH|GOROOT|GOCACHE|CARGO_HOME|JAVA_HOME|KUBECONFIG|AZURE_CONFIG_DIR|DOCKER_HOST|DOCKER_CONFIG|REMOTE_DEV_\w+"
)
# Linux limits one NAME=VALUE to MAX_ARG_STRLEN, 131,072 bytes (see execve(2)). The final NUL byte is one of them.
_MAX_BYTES = 131_071
_DROP = "add it to dev.drop in config/services.yaml"


def build(
    pod: Mapping[str, str], overrides: Mapping[str, str], drop: Iterable[str], own: Mapping[str, str]
) -> dict[bytes, bytes]:
    """Return names and values as bytes.

    own: variables that the suite sets (KUBECONFIG); overrides: the catalogue's, which have the last word.

    Raises Trouble for a variable that the kernel cannot pass; it names the variable, without its value.
    """
    dropped = set(drop)
    built = dict(os.environb)
    for name, value in pod.items():
        if name and not LOCAL.fullmatch(name) and name not in dropped:
            built[_bytes(name)] = _bytes(value)
    for name, value in {**own, **overrides}.items():
        built[_bytes(name)] = _bytes(value)
    for key, data in built.items():
        _must_fit(key, data)
    return built


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


def write_file(path: Path, pod: Mapping[str, str]) -> None:
    """Write the pod's environment, mode 0600: JSON for `*.json`, else lines that a shell and dotenv both read."""
    if path.suffix == ".json":
        text = json.dumps(dict(sorted(pod.items())), indent=2, ensure_ascii=False) + "\n"
    else:
        text = "".join(
            f"{name}={shlex.quote(value)}\n"
            for name, value in sorted(pod.items())
            if re.fullmatch(r"[A-Za-z_]\w*", name)
        )
    store.write(path, text)


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
    return text.encode("utf-8", "surrogateescape")
