"""The suite's files in a team's repository: which are carried there, to which place, and what was recorded about them.

A path is named as in the suite itself, with its settings in `config/`; `placed` and `found_in` translate it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from tasks.core.errors import Trouble
from tasks.core.repository import DEFAULT_FOLDER, STARTER

MANIFEST = "tasks/.origin.json"
LIST = "tasks/.carried"
SCHEMAS = f"{DEFAULT_FOLDER}/schema"
_CONFIG = f"{DEFAULT_FOLDER}/"
_OF_THE_MIGRATION = (
    "tasks/migrate.py",
    "config/migration.yaml",
    "config/schema/migration.json",
)
_ADDRESS = re.compile(r"(https?|ssh|git)://|[\w.-]+@[\w.-]+:")


@dataclass(frozen=True)
class Origin:
    """What was carried: recorded in MANIFEST, without any content."""

    url: str = ""
    """Where the suite came from; empty when its checkout has no remote."""

    commit: str = ""
    files: dict[str, str] = field(default_factory=dict)
    """Path in the suite -> mode and id of its blob, as in `100644 5e1c309d...`."""

    def text(self) -> str:
        """Return the content of MANIFEST."""
        body = {"schema": 1, "suite": "remote-first", "url": self.url, "commit": self.commit}
        return json.dumps({**body, "files": dict(sorted(self.files.items()))}, indent=1) + "\n"


def read(text: str | bytes) -> Origin:
    """Return what MANIFEST records. Raises Trouble when it is damaged."""
    try:
        body = json.loads(text)
        files = {str(path): str(entry) for path, entry in body["files"].items()}
        if any(len(entry.split()) != 2 for entry in files.values()):
            raise ValueError("an entry of files has no mode and id")
        return Origin(str(body["url"]), str(body["commit"]), files)
    except (ValueError, KeyError, TypeError, AttributeError) as why:
        raise Trouble(
            f"{MANIFEST} cannot be read: {why}",
            fix=f"git log -- {MANIFEST}, then check out a version before the damage",
        ) from None


def recorded(data: bytes, mode: str) -> str:
    """Return the entry of a file with this content and mode."""
    blob = b"blob %d\0" % len(data) + data
    return f"{mode} {hashlib.sha1(blob, usedforsecurity=False).hexdigest()}"


def carried(paths: Iterable[str], rules: str, folder: str = DEFAULT_FOLDER) -> dict[str, str]:
    """Return path in a team's repository -> path in this one, of the files that the rules of LIST carry.

    folder: where the settings of this repository are
    """
    words = [word for line in rules.splitlines() if (word := line.partition("#")[0].strip())]
    omitted = tuple(word[1:] for word in words if word.startswith("!"))
    wanted = [word if "*" in word else f"{word}*" for word in words if not word.startswith("!")]
    names = {found_in(path, folder): path for path in paths}
    return {
        name: path
        for name, path in sorted(names.items())
        if not name.startswith(omitted) and any(fnmatchcase(name, pattern) for pattern in wanted)
    }


def placed(path: str, folder: str) -> str:
    """Return where the file is in a repository that has the settings in this folder."""
    return f"{folder}/{path.removeprefix(_CONFIG)}" if path.startswith(_CONFIG) else path


def found_in(path: str, folder: str) -> str:
    """Return the file's path in the suite; one in another repository's own config/ has none, and stays outside of it."""
    if folder != DEFAULT_FOLDER and path.startswith(_CONFIG):
        return f"../{path}"
    return f"{_CONFIG}{path.removeprefix(f'{folder}/')}" if path.startswith(f"{folder}/") else path


def adapted(path: str, data: bytes, folder: str) -> bytes:
    """Return the content as it is in a repository that has the settings in this folder."""
    if path != STARTER:
        return data
    lines = data.split(b"\n")
    number = next((n for n, line in enumerate(lines) if line.startswith(b"config=")), None)
    if number is None:
        return data
    words = lines[number].split(b" ", 1)
    lines[number] = b" ".join([f"config={folder}".encode(), *words[1:]])
    return b"\n".join(lines)


def is_value(path: str) -> bool:
    """Is this a file of values, which belong to the team?"""
    return path.startswith(_CONFIG) and path.endswith(".yaml")


def is_of_the_migration(path: str) -> bool:
    """Is this a file that is deleted when the migration is over?"""
    return path.startswith(("migration/", "starlark_harness/")) or path in _OF_THE_MIGRATION


def address(url: str) -> str:
    """Return the address of a remote without its login; empty for a folder of this machine."""
    return re.sub(r"//[^/@]*@", "//", url) if _ADDRESS.match(url) else ""
