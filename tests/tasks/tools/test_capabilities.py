"""What a program can do is read from its help, and read again when the program changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tasks.core.errors import Absent
from tasks.core.process.tool import Tool
from tasks.core.state import store
from tasks.tools import capabilities

HELP = "#!/bin/sh\necho asked >>$0.log\necho 'Flags:'\necho '      --{flag}   a flag'\n"


def install(folder: Path, flag: str) -> Path:
    """A program whose help names this flag. Flags of equal length make programs of equal size."""
    folder.mkdir(exist_ok=True)
    program = folder / "program"
    program.write_text(HELP.format(flag=flag))
    program.chmod(0o755)
    return program


def flags(program: Path) -> frozenset[str]:
    return capabilities.flags(Tool("program", env={"PATH": f"{program.parent}:{os.environ['PATH']}"}), "connect")


def asked(program: Path) -> int:
    return len(Path(f"{program}.log").read_text().splitlines())


def test_a_program_that_stays_the_same_is_asked_once(tmp_path: Path):
    program = install(tmp_path / "bin", "output")
    assert flags(program) == flags(program) == {"output"}
    assert asked(program) == 1


def test_each_command_has_a_help_of_its_own(tmp_path: Path):
    program = install(tmp_path / "bin", "output")
    flags(program)
    capabilities.commands(Tool("program", env={"PATH": f"{program.parent}:{os.environ['PATH']}"}))
    assert asked(program) == 2


def test_a_program_of_equal_size_that_was_written_later_is_asked_again(tmp_path: Path):
    program = install(tmp_path / "bin", "output")
    flags(program)
    later = program.stat().st_mtime + 5
    install(tmp_path / "bin", "format")
    os.utime(program, (later, later))
    assert flags(program) == {"format"}


def test_a_program_of_equal_size_and_time_in_place_of_the_other_is_asked_again(tmp_path: Path):
    program, newer = install(tmp_path / "bin", "output"), install(tmp_path / "new", "format")
    flags(program)
    os.utime(newer, ns=(program.stat().st_atime_ns, program.stat().st_mtime_ns))
    newer.replace(program)
    assert flags(program) == {"format"}


def test_two_programs_of_equal_size_and_time_in_two_folders_are_two(tmp_path: Path):
    one, other = install(tmp_path / "one", "output"), install(tmp_path / "other", "format")
    os.utime(other, ns=(one.stat().st_atime_ns, one.stat().st_mtime_ns))
    assert flags(one) == {"output"}
    assert flags(other) == {"format"}


def test_a_program_that_does_not_exist_has_no_flags(tmp_path: Path):
    with pytest.raises(Absent, match="program is not installed"):
        flags(tmp_path / "program")


def test_a_kept_answer_that_cannot_be_read_is_asked_for_again(tmp_path: Path):
    program = install(tmp_path / "bin", "output")
    flags(program)
    (kept,) = store.folder("capabilities").glob("program-*.json")
    for content in ("{", "[]"):
        kept.write_text(content)
        assert flags(program) == {"output"}
    assert asked(program) == 3
