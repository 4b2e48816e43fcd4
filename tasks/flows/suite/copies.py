"""The suite as it is in a checkout, and what was recorded when it was carried there."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from tasks.core import origin, regular_file
from tasks.core.config.settings import Settings
from tasks.core.errors import Refused, Trouble
from tasks.core.origin import Origin
from tasks.core.repository import DEFAULT_FOLDER, config_folder
from tasks.tools import git


@dataclass(frozen=True)
class File:
    """A file as the suite itself would have it: with the default place of the settings."""

    data: bytes
    mode: str

    @property
    def entry(self) -> str:
        """How it is recorded."""
        return origin.recorded(self.data, self.mode)


@dataclass(frozen=True)
class Suite:
    """A checkout that holds the suite. Its files are named as in the suite itself."""

    root: Path
    folder: str
    """Where its settings are."""

    tracked: dict[str, str]
    """Path in this checkout -> mode, of everything that git tracks."""

    files: dict[str, str]
    """Path in the suite -> path in this checkout, of the files that are carried."""

    def place(self, path: str) -> str:
        """Return where the file is, or belongs, in this checkout."""
        return origin.placed(path, self.folder)

    def file(self, path: str) -> File | None:
        """Return the file, tracked or not; None when it does not exist. Raises Refused for a link in its place."""
        place = self.place(path)
        self._must_have_no_link(place)
        try:
            data = regular_file.read(self.root / place)
        except FileNotFoundError:
            return None
        except OSError as why:
            raise Trouble(f"cannot read {place}: {why.strerror}", fix=f"ls -ld {shlex.quote(place)}") from None
        mode = self.tracked.get(place) or ("100755" if os.access(self.root / place, os.X_OK) else "100644")
        return File(origin.adapted(path, data, DEFAULT_FOLDER), mode)

    def _must_have_no_link(self, place: str) -> None:
        step = self.root
        for part in place.split("/"):
            step = step / part
            if step.is_symlink():
                link = step.relative_to(self.root)
                raise Refused(
                    f"{link} is a symbolic link where the suite has a file or folder",
                    fix=f"replace it by what it points to: {shlex.quote(str(link))}",
                )


def suite_in(s: Settings, root: Path) -> Suite:
    """Read the suite in this checkout. Raises Trouble when it has none."""
    folder = config_folder(root)
    try:
        rules = (root / origin.LIST).read_text("utf-8")
        tracked = git.index(s, root)
    except OSError:
        raise Trouble(f"{root} has no {origin.LIST}: it holds no suite, or one before it could be updated") from None
    return Suite(root, folder, tracked, origin.carried(tracked, rules, folder))


def recorded_in(suite: Suite) -> Origin:
    """Return what was recorded when the suite was carried here. Raises Trouble when nothing was."""
    try:
        return origin.read((suite.root / origin.MANIFEST).read_bytes())
    except FileNotFoundError:
        raise Trouble(
            f"{origin.MANIFEST} does not exist: this is the suite's own checkout, or a copy made by hand",
            fix="in its own checkout: git status; in a copy: inv suite.update --from CHECKOUT records it",
        ) from None
