"""A running sandbox, and how to find one: only folders that no other user can have written are read."""

from __future__ import annotations

import glob
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from sandbox.box_folder import base
from sandbox.protocol.call import BOX_VARIABLE
from tasks.core import regular_file, shape, strict_json, ui
from tasks.core.errors import Trouble
from tasks.core.process.processes import started

SERVER = "sandbox.server.main"
# Variables that move a program's files out of HOME, and the folder below HOME that they get.
CONFIG_FOLDERS = {
    "XDG_CONFIG_HOME": ".config",
    "XDG_CACHE_HOME": ".cache",
    "XDG_DATA_HOME": ".local/share",
    "AZURE_CONFIG_DIR": ".azure",
    "DOCKER_CONFIG": ".docker",
}

Kind = TypeVar("Kind")


class Unusable(Trouble):
    """A folder that is not a sandbox of this user, or whose files cannot be read."""


class _Ready(shape.Shape):
    """What is read of ready.json, which the server writes when it listens."""

    ingress: str
    pid: int
    start: float


class _Options(shape.Shape):
    """What is read of options.json, which `inv sandbox.up` writes."""

    path: str
    telepresence: str
    foreign: list[Literal["XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "AZURE_CONFIG_DIR", "DOCKER_CONFIG"]]
    python_path: str = ""
    ends_with: list[float] | None = None


@dataclass(frozen=True)
class Box:
    """A sandbox. env: the variables, PATH included, that its commands need on top of the caller's environment."""

    id: str
    path: Path
    env: dict[str, str]
    ingress: str
    pid: int
    start: float
    """When its server started, in clock ticks since boot."""

    of_shell: bool = False
    """Does it end with a shell, that of `inv sandbox.shell`?"""

    @property
    def log(self) -> Path:
        """calls.jsonl: one line for each call of a stand-in."""
        return self.path / "calls.jsonl"

    def calls(self, tool: str = "") -> list[dict[str, Any]]:
        """The logged calls so far, of one tool or of all."""
        if not self.log.exists():
            return []
        calls = [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines()]
        return [c for c in calls if not tool or c["tool"] == tool]

    def environment(self, **more: str) -> dict[str, str]:
        """The caller's environment with the sandbox's variables on top."""
        return {**os.environ, **self.env, **more}

    def lives(self) -> bool:
        """Does its server run? After a crash or a reboot the pid may belong to another process."""
        if not started(self.pid) or started(self.pid) != self.start:
            return False
        try:
            words = Path(f"/proc/{self.pid}/cmdline").read_bytes().split(b"\0")
            return os.stat(f"/proc/{self.pid}").st_uid == os.geteuid() and words[-4:-1] == _server_words(self.path)
        except OSError:  # it has ended meanwhile
            return False


def find(name: str = "") -> Box:
    """Find the sandbox with this id, the one that this environment belongs to, or the only one that runs.

    A sandbox that is named, or that this environment belongs to, may have a server that was killed.
    """
    inside = os.environ.get(BOX_VARIABLE, "")
    if inside and name in ("", _id(Path(inside))):
        return _of_this_environment(Path(inside))
    boxes = [b for b in (known() if name else running()) if name in ("", b.id)]
    if len(boxes) == 1:
        return boxes[0]
    if not boxes:
        raise Trouble(f"no sandbox {name or 'is running'}".rstrip(), fix="inv sandbox.up")
    raise Trouble(f"several sandboxes are running: {', '.join(b.id for b in boxes)}", fix=f"--id {boxes[0].id}")


def running() -> list[Box]:
    """The running sandboxes of this user, oldest first."""
    return [box for box in known() if box.lives()]


def known() -> list[Box]:
    """This user's sandboxes, oldest first, including those whose server was killed. Others are skipped with a warning."""
    boxes = []
    for path in _candidates():
        try:
            boxes.append(load(path))
        except Unusable as why:
            ui.warn(f"{path} is skipped: {why.what}")
        except FileNotFoundError:
            continue  # it ended meanwhile
    return boxes


def load(path: Path) -> Box:
    """Read the folder of a sandbox. Raises Unusable."""
    reason = why_not_private(path)
    if reason:
        raise Unusable(reason, fix=f"look at the owner and the mode of {path}")
    ready, options = _read(path / "ready.json", _Ready), _read(path / "options.json", _Options)
    return Box(
        _id(path),
        path,
        _environment(path, ready, options),
        ready.ingress,
        ready.pid,
        ready.start,
        of_shell=bool(options.ends_with),
    )


def _read(path: Path, kind: type[Kind]) -> Kind:
    """The content of a file of a sandbox. Raises Unusable for anything but what `inv sandbox.up` writes."""
    try:
        return shape.convert(strict_json.mapping(regular_file.text(path)), kind)
    except FileNotFoundError:
        raise
    except OSError as why:
        raise Unusable(f"its {path.name} cannot be read: {why.strerror}", fix="inv sandbox.up") from None
    except ValueError:  # msgspec.ValidationError is a ValueError
        raise Unusable(f"its {path.name} is not that of a sandbox", fix="inv sandbox.up") from None


def why_not_private(path: Path) -> str:
    """Why another user may have written into this folder; empty for a folder of this user that only they can open."""
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        return "it is not a folder, but a link or a file"
    if found.st_uid != os.geteuid():
        return f"it belongs to user {found.st_uid}"
    if found.st_mode & 0o077:
        return f"other users can open it (mode {stat.S_IMODE(found.st_mode):04o})"
    return ""


def _candidates() -> list[Path]:
    """The folders with the name of a sandbox that is ready, oldest first."""
    times = {}
    for file in glob.glob(f"{glob.escape(base())}/remote-sandbox-{os.geteuid()}-*/ready.json"):
        try:
            times[Path(file).parent] = os.lstat(file).st_mtime
        except OSError:
            continue  # it ended meanwhile
    return sorted(times, key=times.__getitem__)


def _of_this_environment(path: Path) -> Box:
    try:
        return load(path)
    except (FileNotFoundError, NotADirectoryError):
        raise Trouble(
            f"this shell belongs to the sandbox {_id(path)}, which has ended",
            fix="open a new shell",
        ) from None


def _id(path: Path) -> str:
    return path.name.rsplit("-", 1)[-1]


def _server_words(path: Path) -> list[bytes]:
    return [b"-m", SERVER.encode(), os.fsencode(path)]


def _environment(path: Path, ready: _Ready, options: _Options) -> dict[str, str]:
    home = path / "home"
    return {
        "PATH": options.path,
        "HOME": str(home),
        "KUBECONFIG": str(home / ".kube" / "config"),
        BOX_VARIABLE: str(path),
        "PYTHONPATH": options.python_path,
        "REMOTE_DEV_STATE": str(path / "state"),
        "REMOTE_DEV_TARGET": "sandbox",
        "REMOTE_DEV_INGRESS__ADDRESS": ready.ingress,
        "REMOTE_DEV_INGRESS__SERVICE_URL": ready.ingress + "/__service/{service}/",
        "REMOTE_DEV_TELEPRESENCE__VERSION": options.telepresence,
        **{name: str(home / CONFIG_FOLDERS[name]) for name in options.foreign},
    }
