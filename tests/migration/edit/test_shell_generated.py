"""No statement of a start script is lost: it is in the kept file, or the plan names it. Tried with generated scripts."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from migration.git.objects import Entry, Tree
from migration.mapping import DevContainer, PostCreate
from migration.phases.start_scripts import simplify_post_create, simplify_start_scripts
from tests.migration.edit.shell_scripts import Command, Script, generate

CONTAINER = ".devcontainer/devcontainer.json"
RULES = PostCreate(obsolete=["k3d"], ours=["^set -"])
_STUBS = 'team() { echo "$1" >>"$LOG"; }; k3d() { echo "$1" >>"$LOG"; }\n'


@dataclass
class Plan:
    """What the step planned for a script, as the JSON shows it. Takes the calls of a Draft."""

    script: bytes
    accepted: bool = False
    blocks: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    destroyed: str = ""

    @property
    def simulation(self) -> SimpleNamespace:
        """The repository: only the script and the dev container."""
        files = {RULES.path: self.script, CONTAINER: b'{"postCreateCommand": "bash .devcontainer/postCreate.sh"}'}
        tree = Tree(dict.fromkeys(files, Entry("100755", "")), {}, 40)
        core = SimpleNamespace(text=files.get, tree=tree)
        mapping = SimpleNamespace(post_create=RULES, dev_container=DevContainer())
        return SimpleNamespace(core=core, mapping=mapping, accepted=lambda path: self.accepted)

    def block(self, path: str, reason: str, where: str, fix: str) -> None:
        """Keep a block."""
        self.blocks.append((where, fix))

    def note(self, text: str) -> None:
        """Keep a note."""
        self.notes.append(text)

    def write(self, repo: str, path: str, data: bytes, text: str, mode: str = "", destroys: str = "") -> None:
        """Keep a written file."""
        self.files[path] = data.decode()
        self.destroyed += destroys

    @property
    def kept(self) -> str:
        """The team's file."""
        return self.files.get(RULES.kept_in, "")

    def names(self, command: Command) -> bool:
        """Does a block or a note name it, by its text or by a range of lines?"""
        return self.blocks_on(command) or any(_in_range(command, note) for note in self.notes)

    def blocks_on(self, command: Command) -> bool:
        """Does a block name it, by its text or as a part of what cannot be parsed?"""
        assert all(where.startswith(f"{RULES.path}:") for where, _ in self.blocks)
        return any(re.search(rf"\b{command.marker}\b", fix) or _in_range(command, fix) for _, fix in self.blocks)


class PlanOfAnother(Plan):
    """The script is one that the team's container starts beside the one at post_create.path."""

    @property
    def simulation(self) -> SimpleNamespace:
        """The repository: the script has another name."""
        found = super().simulation
        files = {"start.sh": self.script, CONTAINER: b'{"postStartCommand": "bash start.sh"}'}
        found.core = SimpleNamespace(text=files.get, tree=Tree(dict.fromkeys(files, Entry("100755", "")), {}, 40))
        return found


def test_the_comments_at_the_end_of_a_script_stay():
    planned = PlanOfAnother(b"#!/bin/sh\nk3d cluster create\nnpm ci # ours\n\n# next year: npm audit\n# vim: ts=2\n")
    simplify_start_scripts(planned)  # type: ignore[arg-type]
    assert planned.files == {"start.sh": "#!/bin/sh\nnpm ci # ours\n\n# next year: npm audit\n# vim: ts=2\n"}


def _in_range(command: Command, text: str) -> bool:
    named = re.search(r"\blines? (\d[\d, -]*)", text)
    ranges = [part.split("-") for part in named[1].strip().split(", ")] if named else []
    return any(int(numbers[0]) <= command.line <= int(numbers[-1]) for numbers in ranges)


def plan(script: str) -> Plan:
    """Plan twice: what blocks, and what would be written when it is accepted."""
    first = Plan(script.encode())
    simplify_post_create(first)  # type: ignore[arg-type]
    second = Plan(script.encode(), accepted=True)
    simplify_post_create(second)  # type: ignore[arg-type]
    second.blocks = first.blocks
    return second


def in_kept(command: Command, kept: str) -> bool:
    return re.search(rf"\b{command.marker}\b", kept) is not None


def check(script: Script, result: Plan) -> None:
    if "k3d" not in "".join(line for line in script.text.split("\n") if not line.lstrip().startswith("#")):
        assert result.kept == script.text.replace("\r\n", "\n") or "\r" in result.kept
        return
    for command in script.commands:
        kept = in_kept(command, result.kept)
        assert kept or result.names(command), command
        if 0 < script.broken_from <= command.line:
            continue  # the rest of a broken script is kept or blocks as a whole
        if command.local:
            assert not kept, command
        elif command.alone and not command.function:
            assert kept, command
        elif not command.function.startswith("k3d") and (not command.function or command.function in script.called):
            assert kept or result.blocks_on(command), command


def check_what_runs(script: Script, result: Plan, folder: Path) -> None:
    """The kept file is valid and runs what the old script ran, in that order, but for what is named."""
    subprocess.run(["bash", "-n"], input=result.kept, text=True, check=True, capture_output=True)
    before, after = ran(script.text, folder / "old"), ran(result.kept, folder / "kept")
    named = {c.marker for c in script.commands if result.names(c)}
    assert [m for m in before if m in after or m not in named] == after


def ran(script: str, folder: Path) -> list[str]:
    """The markers of the commands that ran, in the order of their first run."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log"
    log.write_text("")
    environment = {"LOG": str(log), "PATH": "/usr/bin:/bin", "HOME": str(folder)}
    subprocess.run(
        ["bash", "-c", _STUBS + script], env=environment, cwd=folder, check=False, capture_output=True, timeout=60,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return list(dict.fromkeys(log.read_text().split()))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 300, 30))
def test_no_statement_of_a_generated_script_is_lost(first: int, tmp_path: Path):
    for seed in range(first, first + 30):
        script = generate(seed)
        text = script.text.replace("\n", "\r\n") if seed % 5 == 0 else script.text
        try:
            result = plan(text)
            check(script, result)
            if result.files and not script.broken_from:
                check_what_runs(script, result, tmp_path)
        except AssertionError as why:
            raise AssertionError(f"seed {seed}: {why}\n{script.text}") from why
