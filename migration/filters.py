"""Files that git converts: a copy is the same file only where gitops converts it in the same way.

With Git LFS, and with git-crypt, a commit holds a pointer or a cipher text, and a filter makes the file of it. Without
the same filter in gitops, the copy would be the pointer.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from migration.git.facts import Facts
from migration.git.locks import common_dir
from migration.git.objects import Git, decode, encode
from migration.simulation import Simulation

_ATTRIBUTES = ("filter", "working-tree-encoding", "text", "eol")
_UNSET = {"unspecified", "unset", "set"}
_POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\n(?:.+\n)*?oid sha256:([0-9a-f]{64})\n")


class Obstacle(NamedTuple):
    """Why a file cannot be copied as it is, and what helps."""

    where: str
    fix: str


class _Conversion(NamedTuple):
    """How git converts a file."""

    filter: str
    encoding: str

    text: bool
    """Whether line ends are LF in commits. With text=auto, git leaves a file with CRLF in its commit alone."""


def obstacles(simulation: Simulation, copies: Mapping[str, str]) -> dict[str, Obstacle]:
    """Return the sources that cannot be copied, each with the obstacle. copies: path in core -> path in gitops"""
    if not copies:
        return {}
    core, gitops = simulation.core.facts, simulation.gitops.facts
    here, there = _conversions(core.git, copies), _conversions(gitops.git, copies.values())
    found = {}
    for source, target in copies.items():
        obstacle = _obstacle(simulation, source, target, (here[source], there[target]))
        if obstacle:
            found[source] = obstacle
    return found


def _conversions(git: Git, paths: Iterable[str]) -> dict[str, _Conversion]:
    asked = list(dict.fromkeys(paths))
    data = b"".join(encode(path) + b"\0" for path in asked)
    words = iter(decode(git.feed(data, "check-attr", "-z", "--stdin", *_ATTRIBUTES)).split("\0"))
    found: dict[str, dict[str, str]] = {path: {} for path in asked}
    for path, name, value in zip(words, words, words, strict=False):
        found[path][name] = value
    return {path: _conversion(values) for path, values in found.items()}


def _conversion(values: Mapping[str, str]) -> _Conversion:
    driver, encoding = ("" if values[name] in _UNSET else values[name] for name in _ATTRIBUTES[:2])
    text = values["text"] == "set" or (values["text"] == "unspecified" and values["eol"] in {"lf", "crlf"})
    return _Conversion(driver, encoding, text)


def _obstacle(
    simulation: Simulation, source: str, target: str, conversions: tuple[_Conversion, _Conversion]
) -> Obstacle | None:
    here, there = conversions
    if here.encoding != there.encoding:
        return _unlike(simulation, target, "working-tree-encoding", here.encoding, there.encoding)
    if here.filter == there.filter == "" and not there.text:
        return None
    data = simulation.core.text(source) or b""
    pointer = _POINTER.match(data)
    if here.filter != there.filter and (pointer or (here.filter, there.filter) != ("lfs", "")):
        return _unlike(simulation, target, "filter", here.filter, there.filter)
    if pointer and there.filter == "lfs":
        return _absent_object(simulation, source, pointer[1].decode())
    if there.text and b"\r\n" in data:
        return _line_ends(simulation.core.facts, source, target)
    return None


def _unlike(simulation: Simulation, target: str, attribute: str, here: str, there: str) -> Obstacle:
    folder = simulation.gitops.facts.folder
    line = f"/{target} {attribute}={here}" if here else f"/{target} -{attribute}"
    commit = f"git -C {shlex.quote(str(folder))} add .gitattributes, and commit it"
    fix = f"printf '%s\\n' {shlex.quote(line)} >> {shlex.quote(str(folder / '.gitattributes'))}; {commit}"
    return Obstacle(f"{attribute} is {here or 'not set'} in core, {there or 'not set'} for gitops:{target}", fix)


def _absent_object(simulation: Simulation, source: str, oid: str) -> Obstacle | None:
    """The obstacle when gitops lacks the object that the pointer names."""
    core, gitops = simulation.core.facts, simulation.gitops.facts
    place = _lfs_object(gitops, oid)
    if place.exists():
        return None
    fetch = f"git -C {shlex.quote(str(core.folder))} lfs fetch; " if not _lfs_object(core, oid).exists() else ""
    fix = f"{fetch}mkdir -p {shlex.quote(str(place.parent))}; cp {shlex.quote(str(_lfs_object(core, oid)))} {shlex.quote(str(place))}"
    return Obstacle(f"{source} is a pointer of Git LFS, and gitops lacks its object {oid[:12]}", fix)


def _lfs_object(facts: Facts, oid: str) -> Path:
    return common_dir(facts.git_dir) / "lfs/objects" / oid[:2] / oid[2:4] / oid


def _line_ends(core: Facts, source: str, target: str) -> Obstacle:
    place, path = shlex.quote(str(core.folder)), shlex.quote(source)
    fix = f"printf '%s text\\n' {path} >> {place}/.gitattributes; git -C {place} add --renormalize .gitattributes {path}, and commit it"
    return Obstacle(f"{source} has CRLF in its commit, and gitops stores text with LF (gitops:{target})", fix)
