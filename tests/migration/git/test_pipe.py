"""Children whose bytes matter: real processes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from migration.git.pipe import Piped
from tasks.core.errors import TimedOut, ToolError
from tests.world import until

MUCH = 1_000_000  # more than any pipe holds


def child(code: str, where: Path, *, stdin: bool = False) -> Piped:
    return Piped([sys.executable, "-c", code], cwd=where, env=dict(os.environ), said="python child", stdin=stdin)


def test_a_child_that_is_gathered_need_not_wait_to_be_read(tmp_path: Path):
    code = f"import sys; sys.stdout.write('x' * {MUCH}); sys.stdout.flush(); open('ended', 'w').close()"
    with child(code, tmp_path).gather() as gathered, child(code.replace("ended", "other"), tmp_path) as other:
        assert until(lambda: (tmp_path / "ended").exists(), 10)
        assert not (tmp_path / "other").exists()
        assert len(gathered.result()) == MUCH
        assert len(other.result()) == MUCH


def test_an_unused_child_is_ended(tmp_path: Path):
    with child(f"import sys, time; sys.stdout.write('x' * {MUCH}); time.sleep(600)", tmp_path).gather() as gathered:
        pass
    with pytest.raises(ToolError, match="killed by signal 9"):
        raise gathered.failed()


@pytest.mark.parametrize("gather", [False, True])
def test_a_deadline_ends_the_child_and_its_group(tmp_path: Path, gather: bool):
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"
    with child(code, tmp_path) as late, pytest.raises(TimedOut, match=r"python child: no answer in 0\.3 s"):
        (late.gather() if gather else late).result(timeout=0.3)


def test_a_failure_quotes_the_line_that_says_why(tmp_path: Path):
    said = "warning: x\\nfatal: no such thing\\nusage: y"
    code = f"import sys; print('{said}', file=sys.stderr); sys.exit(3)"
    with child(code, tmp_path) as failing, pytest.raises(ToolError, match="child: fatal: no such thing") as why:
        failing.result()
    assert why.value.exit == 3
    with child("import sys; sys.exit(3)", tmp_path) as accepted:
        assert accepted.result(ok=(0, 3)) == b""


def test_a_failure_quotes_no_password_of_a_remote(tmp_path: Path):
    code = "import sys; sys.exit('fatal: could not read from https://ada:hunter2hunter2@git.example.com/gitops.git')"
    with child(code, tmp_path) as failing, pytest.raises(ToolError) as why:
        failing.result()
    assert "git.example.com/gitops.git" in why.value.what
    assert "hunter2" not in why.value.what + why.value.stderr


def test_bytes_go_in_and_come_out_as_they_are(tmp_path: Path):
    with child("import sys; sys.stdout.buffer.write(sys.stdin.buffer.read()[::-1])", tmp_path, stdin=True) as echo:
        echo.stdin.write(b"\x00\xff\n")
        assert echo.result() == b"\n\xff\x00"
