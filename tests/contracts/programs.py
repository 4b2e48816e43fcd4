"""What the contracts are held against: the stand-ins of each version, and the real programs of a folder."""

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

CLUSTER_FILE = "cluster.env"  # beside the programs: where they find a cluster that may be used for tests
_NAMED = re.compile(rf"({'|'.join(TOOLS)})-v?\d[\w.+-]*")


@dataclass(frozen=True)
class Candidate:
    """A program that could be tried. path: empty for the stand-in; release: the telepresence of the stand-in's box."""

    tool: str
    path: str = ""
    release: str = ""

    @property
    def label(self) -> str:
        """As it stands in the test's name and in the summary."""
        if not self.path:
            return f"stand-in {self.release}".strip()
        folder = os.path.basename(os.path.dirname(self.path))
        return f"real {folder if _NAMED.fullmatch(folder) else os.path.basename(self.path)}"


def stand_ins(tool: str) -> list[Candidate]:
    """The stand-in; of telepresence one for each version."""
    return [Candidate(tool, release=v) for v in control.VERSIONS] if tool == "telepresence" else [Candidate(tool)]


def real(tool: str, folder: str) -> list[Candidate]:
    """The real programs of this name below the folder: DIR/TOOL, DIR/TOOL-VERSION, DIR/ANY/TOOL. Never one of PATH."""
    if not folder:
        return []
    if not os.path.isdir(folder):
        raise pytest.UsageError(f"--contracts {folder}: there is no such folder")
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
    """How a program ended, streams apart."""

    exit: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Both streams, for a signature."""
        return f"{self.err}\n{self.out}"

    @property
    def json(self) -> Any:
        """The JSON of stdout."""
        return json.loads(self.out)


@dataclass
class Program:
    """One program in a place of its own: an empty HOME, no login, no kubeconfig, no session.

    env: the whole environment. box: the stand-in's world, None for a real program. cluster: what cluster.env says.
    """

    candidate: Candidate
    env: dict[str, str]
    box: control.Box | None
    cluster: Mapping[str, str] = field(default_factory=dict)
    active_faults: list[str] = field(default_factory=list)

    @property
    def tool(self) -> str:
        """Its bare name."""
        return self.candidate.tool

    @property
    def is_real(self) -> bool:
        """Is it no stand-in?"""
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
        """Run it to its end; `tool`: another program beside it, `env`: on top of its own environment."""
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
        """This case says nothing about this program: neither passed nor failed."""
        pytest.skip(f"not tried: {why}")

    def fault(self, name: str) -> None:
        """Let something be broken. Outside the sandbox it cannot be brought about."""
        if self.box is None:
            self.not_tried(f"'{name}' cannot be brought about with a real program")
        control.fault(self.box, name)
        self.active_faults.append(name)

    def only_real_with(self, *names: str) -> None:
        """A real program is tried only where cluster.env has these names."""
        missing = [n for n in names if not self.cluster.get(n)]
        if self.is_real and missing:
            self.not_tried(f"{CLUSTER_FILE} says nothing of {', '.join(missing)}")

    def kubeconfig(self, text: str) -> Path:
        """Give it this kubeconfig, and no other."""
        path = Path(self.env["KUBECONFIG"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def lacks(self, flag: str, *command: str) -> bool:
        """Does its help not name this flag?"""
        return not re.search(rf"--{flag}\b", self.call(*command, "--help").said)


def cluster_of(folder: str) -> dict[str, str]:
    """The lines NAME=value of cluster.env in the folder; empty without one."""
    path = Path(folder, CLUSTER_FILE) if folder else None
    if path is None or not path.is_file():
        return {}
    from dotenv import dotenv_values

    return {k: v for k, v in dotenv_values(path).items() if v}
