"""`inv demo --migration`, run for real."""

from __future__ import annotations

import subprocess

import pytest

from tests.world import ROOT, program

pytestmark = pytest.mark.slow


def test_all_phases_end_done_and_no_folder_is_left(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    done = subprocess.run(
        program("demo", "--migration"), cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    for phase in range(1, 5):
        assert any(line.startswith(f"  phase {phase}") and line.endswith(": done") for line in done.stdout.splitlines())
    assert "error: stopped before the commits of core: push gitops" in done.stdout
    assert not list(tmp_path.glob("remote-first-demo-*"))
