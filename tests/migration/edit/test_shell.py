"""The old start script: what is the team's stays or is named, whatever it is wrapped in."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import pytest

from migration import cli as tasks_of
from migration.edit.shell import Chosen, choose, statements
from migration.edit.shell_commands import commands
from migration.phases.phase2 import _kept
from tests.migration.conftest import Pair, blocks, code_of

LOCAL, OURS = re.compile("k3d|K3D"), re.compile("^set -", re.MULTILINE)


def chosen(script: str) -> Chosen:
    return choose(statements(script), LOCAL, OURS)


def lost(script: str) -> list[str]:
    return [line.partition(": ")[2] for line in chosen(script).lost]


@pytest.mark.parametrize(
    "script",
    [
        "if ! have k3d; then\n  curl k3d | bash\n  TEAM\nfi",
        'if [ "$MODE" = k3d ]; then\n  k3d up\nelse\n  TEAM\nfi',
        'if [ "$MODE" = k3d ]; then k3d up; elif true; then TEAM; fi',
        "for d in services/*; do\n  TEAM\n  k3d image import x\ndone",
        "while k3d node list; do (cd x && TEAM); done",
        'case "$1" in\n  k3d | local) k3d up ;;\n  *) TEAM ;;\nesac',
        "{ k3d up; TEAM; }",
        "[ -f .env ] && k3d up && TEAM",
        "k3d list || TEAM",
        "TEAM; k3d up",
        "set -e; TEAM",
        'x="$(k3d "$(y)")" && TEAM # k3d',
        "if k3d list; then\n  cat > k3d.yaml <<EOF\nfi x\nEOF\n  TEAM\nfi",
        "setup() {\n  if k3d list; then TEAM; fi\n}\nsetup",
        "setup()\n{\n  if k3d list; then TEAM; fi\n}\nsetup",
        "function setup {\n  k3d up && TEAM\n}\nsetup",
        "k3d up \\\n  --wait && TEAM",
        "if k3d list; then echo $((1 << 2)); TEAM; fi",
    ],
)
def test_a_line_of_the_team_beside_the_local_cluster_is_named(script: str):
    assert lost(script.replace("TEAM", "./team.sh --all")) == ["./team.sh --all"]


def test_a_text_that_names_the_local_cluster_does_not_take_the_command_with_it():
    assert lost("cat >> ~/.bashrc <<RC\nexport A=1\nalias k=k3d\nRC") == ["cat >> ~/.bashrc <<RC"]


@pytest.mark.parametrize(
    "script",
    [
        'if have k3d; then\n  log "k3d: $(k3d version)"\n  return 0\nfi',
        'k3d up || echo "k3d does not start" >&2',
        "if ! k3d list 2>/dev/null; then x=1; k3d up; sleep 1; fi",
        "for i in 1 2; do k3d node list && break; done",
    ],
)
def test_what_only_talks_or_looks_goes_with_it(script: str):
    assert lost(script) == []


@pytest.mark.parametrize("script", ["x=$((1 << 2))\nnpm ci\nk3d up", "((y << 3))\nnpm ci\nk3d up\n"])
def test_a_shift_is_no_here_document(script: str):
    assert [s.code for s in chosen(script).kept if s.code == "npm ci"] == ["npm ci"]


@pytest.mark.parametrize("head", ["main()", "function main", "function main()", "main ( )"])
def test_a_function_with_its_bracket_in_the_next_line_is_one(head: str):
    found = statements(f"{head}\n{{\n  npm ci\n}}\nmain\n")
    assert [s.function for s in found] == ["main", ""]


def test_commands_are_split_where_the_shell_splits_them():
    script = 'a "x;y" | b; c &\n(d >&2)\nfor i in 1 2; do e "${i%;}"; done # f\ng <<X && h\nfi; k\nX\ni=(1 2)\n'
    assert [said.partition("\n")[0] for _, said in commands(script)] == [
        'a "x;y" | b', "c", "d >&2", 'e "${i%;}"', "g <<X", "h", "i=(1 2)",
    ]  # fmt: skip


def test_what_is_kept_is_a_script_and_stands_behind_what_was_there():
    found = chosen("one() (\n  npm ci\n)\none\nk3d up\ngo env\n")
    text = _kept(found, "x", b"#!/bin/bash\ngo env\n./mine.sh\n").decode()
    assert text.startswith("#!/bin/bash\ngo env\n./mine.sh\n")
    assert text.count("go env") == 1
    assert "npm ci" in text
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)


@pytest.mark.slow
def test_a_line_that_would_be_lost_blocks_until_it_has_a_place(pair: Callable[..., Pair]):
    repos, path = pair(), ".devcontainer/postCreate.sh"
    old = (repos.core / path).read_text()
    repos.commit("core", path, f"{old}\nif have k3d; then\n  ./team.sh --all\nfi\n".encode(), 0o755)
    number = len(old.splitlines()) + 3
    assert (path, "custom", f"{path}:{number}") in blocks(repos.plan((2,)))
    repos.commit("core", ".devcontainer/postCreate.team.sh", b"#!/bin/bash\n./team.sh --all\n", 0o755)
    assert code_of(lambda: tasks_of.phase(repos.asked(yes=True, accept=[path]), 2)) == 0
    text = (repos.core / ".devcontainer/postCreate.team.sh").read_text()
    assert text.startswith("#!/bin/bash\n./team.sh --all\n")
    assert "core.hooksPath .githooks" in text
