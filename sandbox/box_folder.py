"""The folder of a sandbox: its place, its programs and its PATH."""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from pathlib import Path

from sandbox.world.state import TOOLS

_ROOT = Path(__file__).resolve().parents[1]

_LONGEST = 80  # bytes of a box's path: the address of a Unix socket holds 108


def base() -> str:
    """The folder that contains the sandboxes: that of temporary files, if the path of the state server's socket fits."""
    folder = tempfile.gettempdir()
    return folder if len(os.fsencode(folder)) < _LONGEST else "/tmp"


def new_folder() -> Path:
    """Create the folder of a new sandbox."""
    while True:
        path = Path(base(), f"remote-sandbox-{os.geteuid()}-{secrets.token_hex(3)}")
        try:
            path.mkdir(mode=0o700)
            return path.resolve()
        except FileExistsError:
            continue


def install_programs(box: Path) -> None:
    """Install the client under each tool's name. It runs the base interpreter: starting a virtual environment takes longer."""
    interpreter = os.path.realpath(sys.executable)
    source = (Path(__file__).parent / "server" / "client.py").read_text(encoding="utf-8").replace("@BOX@", str(box))
    (box / "client").write_text(f"#!{interpreter} -SEs\n{source}", encoding="utf-8")
    (box / "client").chmod(0o700)
    for tool in TOOLS:
        (box / "bin" / tool).symlink_to("../client")
    # Inside the sandbox, as in the dev container, the command is `inv`.
    (box / "bin" / "inv").symlink_to(_ROOT / "scripts" / "inv")


def search_path(box: Path, path: str) -> str:
    """PATH with the sandbox's programs first. A folder that holds a real program is reached through a link, which can be replaced."""
    folders = [str(box / "bin")]
    for number, folder in enumerate(dict.fromkeys(p for p in path.split(os.pathsep) if os.path.isabs(p))):
        if os.path.basename(os.path.dirname(folder)).startswith("remote-sandbox-"):
            if os.path.basename(folder) == "bin":
                continue  # the programs of another sandbox
            folder = os.path.realpath(folder)  # a folder of this machine that another sandbox reaches through its link
        if not any(os.path.lexists(os.path.join(folder, tool)) for tool in TOOLS):
            folders.append(folder)
            continue
        shadow = box / f"path{number}"  # the fault `TOOL-missing` replaces this link by a folder without the tools
        shadow.symlink_to(os.path.realpath(folder))
        folders.append(str(shadow))
    return os.pathsep.join(folders)
