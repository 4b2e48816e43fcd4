"""Several setups at the same time: the dev container runs one, and the developer does not wait for it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from sandbox import control
from sandbox.control import Box
from tests.world import ROOT, inv, program, writes

pytestmark = pytest.mark.slow

# Three setups start about thirty programs at once. On a loaded machine one of them may need longer than the default
# deadline of a single program, which is not what is tested here.
PATIENT = {f"REMOTE_DEV_DEADLINES__{name}": "240" for name in ("AZ", "KUBECTL", "TELEPRESENCE", "CONNECT", "DOCKER")}


@pytest.fixture
def box() -> Iterator[Box]:
    box = control.up()
    yield box
    control.down(box)


def test_of_three_setups_at_once_one_connects_and_all_are_done(box: Box):
    env = {**box.environment(), **PATIENT}
    runs = [
        subprocess.Popen(
            program("setup"),
            env=env,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(3)
    ]
    said = [run.communicate(timeout=300)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0], said
    assert len([call for call in writes(box, "telepresence") if "connect" in call]) == 1
    assert json.loads(inv(box, "tp.status", "--json").stdout)["here"]
