"""The environment of the local process: this workstation's, the pod's over it, the catalogue's last. Byte for byte."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from tasks.core.errors import Refused, Trouble

# What belongs to this machine and would break the process when taken from the pod.
LOCAL = re.compile(
    r"PATH|HOME|USER|LOGNAME|SHELL|PWD|OLDPWD|SHLVL|HOSTNAME|TERM|COLORTERM|TMPDIR|TEMP|TMP|LANG|LANGUAGE|LC_\w+|TZ|DISPLAY|EDITOR|"
    r"_|XDG_\w+|SSH_\w+|LD_LIBRARY_PATH|LD_PRELOAD|PYTHONHOME|PYTHONPATH|VIRTUAL_ENV|NODE_PATH|NPM_CONFIG_\w+|PNPM_HOME|"
    r"GOPATH|GOROOT|GOCACHE|CARGO_HOME|JAVA_HOME|KUBECONFIG|AZURE_CONFIG_DIR|DOCKER_HOST|DOCKER_CONFIG|REMOTE_DEV_\w+"
)
_LONGEST = 131_071  # bytes of one NAME=VALUE that Linux passes on, its last NUL not counted


def build(
    pod: Mapping[str, str], overrides: Mapping[str, str], drop: Iterable[str], own: Mapping[str, str]
) -> dict[bytes, bytes]:
    """Names and values as bytes. own: the suite's (KUBECONFIG); overrides: the catalogue's, which win.

    Raises Trouble for a value that the kernel cannot pass on, by name and without the value.
    """
    dropped = set(drop)
    found = dict(os.environb)
    for name, value in pod.items():
        if name and not LOCAL.fullmatch(name) and name not in dropped:
            found[_bytes(name)] = _bytes(value)
    for name, value in {**own, **overrides}.items():
        found[_bytes(name)] = _bytes(value)
    for key, data in found.items():
        if b"\0" in data or b"\0" in key or b"=" in key:
            raise Trouble(
                f"the variable {os.fsdecode(key)!r} cannot be passed to a process",
                fix="add it to dev.drop in config/services.yaml",
            )
        if len(key) + len(data) + 1 > _LONGEST:
            raise Trouble(
                f"the variable {os.fsdecode(key)} has {len(data):,} bytes, more than the kernel passes to a process",
                fix="add it to dev.drop in config/services.yaml",
            )
    return found


def may_write(path: Path, *, overwrite: bool, later: str = "") -> None:
    """The file for the environment can be made: known before a pod is touched. One that is somebody's is not taken
    without a yes. later: what becomes of it besides."""
    if path.is_dir() or not os.access(path.parent, os.W_OK):
        raise Trouble(f"--env-file: {path} cannot be written", fix="name a file in a folder that can be written")
    if path.exists() and not overwrite:
        raise Refused(
            f"--env-file: {path} is there already",
            why=f"it would be overwritten{later}",
            fix="name another file, or add --yes",
        )


def write_file(path: Path, pod: Mapping[str, str]) -> None:
    """The pod's environment as a file, mode 0600: JSON for `*.json`, else lines that a shell and dotenv read alike."""
    from tasks.core.state import store

    if path.suffix == ".json":
        text = json.dumps(dict(sorted(pod.items())), indent=2, ensure_ascii=False) + "\n"
    else:
        text = "".join(
            f"{name}={_quoted(value)}\n" for name, value in sorted(pod.items()) if re.fullmatch(r"[A-Za-z_]\w*", name)
        )
    store.write(path, text)


def _quoted(value: str) -> str:
    import shlex

    return shlex.quote(value)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
