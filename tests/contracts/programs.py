"""The programs that the contracts are tested with: the stand-ins of each version, and the real programs in a folder."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest

from sandbox import control
from sandbox.world.state import TOOLS as TOOLS

CLUSTER_FILE = "cluster.env"  # next to the programs: describes a cluster that may be used for tests
_NAMED = re.compile(rf"({'|'.join(TOOLS)})-v?\d[\w.+-]*")


@dataclass(frozen=True)
class Candidate:
    """A program to test. path: empty for a stand-in; release: the telepresence version of the stand-in's sandbox."""

    tool: str
    path: str = ""
    release: str = ""

    @property
    def label(self) -> str:
        """Its name in test ids and in the summary."""
        if not self.path:
            return f"stand-in {self.release}".strip()
        folder = os.path.basename(os.path.dirname(self.path))
        return f"real {folder if _NAMED.fullmatch(folder) else os.path.basename(self.path)}"


def stand_ins(tool: str) -> list[Candidate]:
    """The stand-in; for telepresence, one for each version."""
    return [Candidate(tool, release=v) for v in control.VERSIONS] if tool == "telepresence" else [Candidate(tool)]


def real(tool: str, folder: str) -> list[Candidate]:
    """The real programs of this name in the folder: DIR/TOOL, DIR/TOOL-VERSION, DIR/ANY/TOOL. PATH is not searched."""
    if not folder:
        return []
    if not os.path.isdir(folder):
        raise pytest.UsageError(f"--contracts {folder}: the folder does not exist")
    return [Candidate(tool, path) for path in _below(folder, 2) if _called(path) == tool]


def _below(folder: str, depth: int) -> Iterator[str]:
    for entry in sorted(os.scandir(folder), key=lambda e: e.name):
        if entry.is_dir() and depth and entry.name != "lib":
            yield from _below(entry.path, depth - 1)
        elif entry.is_file() and os.access(entry.path, os.X_OK):
            yield entry.path


def _called(path: str) -> str:
    name = os.path.basename(path)
    found = _NAMED.fullmatch(name)
    return found.group(1) if found else name


@dataclass(frozen=True)
class Done:
    """The result of a program."""

    exit: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Both streams, for matching signatures."""
        return f"{self.err}\n{self.out}"

    @property
    def json(self) -> Any:
        """The JSON of stdout."""
        return json.loads(self.out)


@dataclass
class Program:
    """One program with an empty HOME, no login, no kubeconfig and no session.

    env: the whole environment; box: the stand-in's sandbox, None for a real program; cluster: the content of cluster.env
    """

    candidate: Candidate
    env: dict[str, str]
    box: control.Box | None
    cluster: Mapping[str, str] = field(default_factory=dict)
    active_faults: list[str] = field(default_factory=list)

    @property
    def tool(self) -> str:
        """Its name without a path."""
        return self.candidate.tool

    @property
    def is_real(self) -> bool:
        """Is it a real program?"""
        return self.box is None

    @property
    def home(self) -> Path:
        """Its HOME."""
        return Path(self.env["HOME"])

    def call(
        self,
        *argv: str,
        tool: str = "",
        stdin: str = "",
        cwd: str | Path = "",
        seconds: float = 120,
        env: Mapping[str, str] | None = None,
    ) -> Done:
        """Run it to its end. tool: another program to run instead; env: additional variables."""
        done = subprocess.run(
            [tool or self.tool, *argv],
            env={**self.env, **(env or {})},
            input=stdin.encode(),
            cwd=str(cwd or self.home),
            capture_output=True,
            timeout=seconds,
            check=False,
        )
        return Done(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))

    def not_tried(self, why: str) -> NoReturn:
        """Skip: this case cannot be tested with this program."""
        pytest.skip(f"not tried: {why}")

    def fault(self, name: str) -> None:
        """Switch a fault on. Skips for a real program."""
        if self.box is None:
            self.not_tried(f"the fault '{name}' is not possible with a real program")
        control.fault(self.box, name)
        self.active_faults.append(name)

    def only_real_with(self, *names: str) -> None:
        """Skip for a real program unless cluster.env has these names."""
        missing = [n for n in names if not self.cluster.get(n)]
        if self.is_real and missing:
            self.not_tried(f"{CLUSTER_FILE} lacks {', '.join(missing)}")

    def kubeconfig(self, text: str) -> Path:
        """Write this kubeconfig."""
        path = Path(self.env["KUBECONFIG"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def lacks(self, flag: str, *command: str) -> bool:
        """Does its help lack this flag?"""
        return not re.search(rf"--{flag}\b", self.call(*command, "--help").said)


def cluster_of(folder: str) -> dict[str, str]:
    """The variables in the folder's cluster.env; empty without that file."""
    path = Path(folder, CLUSTER_FILE) if folder else None
    if path is None or not path.is_file():
        return {}
    from dotenv import dotenv_values

    return {k: v for k, v in dotenv_values(path).items() if v}
