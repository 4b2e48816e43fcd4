"""git, as far as an update of the suite needs it: old blobs, three-way merges, the index."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tasks.core import origin
from tasks.core.config.settings import Settings
from tasks.core.plan.change import Change
from tasks.core.state import store
from tasks.tools.git import tool


def changed(s: Settings, folder: Path) -> list[str]:
    """Return the tracked paths that differ from HEAD, as git shows them. Submodules do not count."""
    lines = (
        tool(s)["status", "--porcelain", "--untracked-files=no", "--ignore-submodules=all"]
        .run(cwd=str(folder))
        .splitlines()
    )
    return [line[3:] for line in lines]


def come_from(s: Settings, folder: Path) -> tuple[str, str]:
    """Return the address of this checkout's remote, empty for none, and its commit. Raises ToolError without one."""
    url = tool(s)["config", "remote.origin.url"].call(cwd=str(folder)).stdout.strip()
    return origin.address(url), tool(s)["rev-parse", "--verify", "HEAD"].run(cwd=str(folder)).strip()


def blob(s: Settings, folder: Path, name: str) -> bytes | None:
    """Return the content of a text in the repository; None when it has no such blob."""
    done = tool(s)["cat-file", "blob", name].call(cwd=str(folder))
    data = done.stdout.encode()
    return data if done.exit == 0 and origin.recorded(data, "").strip() == name else None


def merged(s: Settings, ours: bytes, base: bytes, theirs: bytes) -> bytes | None:
    """Return the three-way merge of a file; None in a conflict, or when it is not text in UTF-8."""
    try:
        for data in (ours, base, theirs):
            data.decode()
    except UnicodeDecodeError:
        return None
    with store.temporary() as folder:
        for name, data in (("ours", ours), ("base", base), ("theirs", theirs)):
            (folder / name).write_bytes(data)
        done = tool(s)["merge-file", "-p", "-q", "ours", "base", "theirs"].call(cwd=str(folder))
        return done.stdout.encode() if done.exit == 0 else None


def stage(s: Settings, folder: Path, paths: Sequence[str]) -> Change[str]:
    """Add these files to the index as they are: new ones, changed ones, and deletions."""
    command = tool(s)[("add", "--all", "--force", "--", *paths)]
    return Change(f"stage {len(paths)} files", command.argv, lambda: command.run(cwd=str(folder)))
