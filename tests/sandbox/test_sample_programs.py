"""The sample repository of `inv sandbox.shell --sample`: the catalogue's dev commands run in it without any toolchain."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import control, shell
from tasks.core import ports
from tasks.core.config.catalogue import Service, catalogue
from tests.sandbox.shell import wait_until
from tests.world import ROOT

SERVICES = catalogue().services


@pytest.fixture(scope="module")
def sample() -> Iterator[tuple[control.Box, Path]]:
    box = control.up()
    yield box, shell.sample_core(box, ROOT)
    control.down(box)


@pytest.mark.parametrize("service", SERVICES, ids=[service.name for service in SERVICES])
def test_the_dev_command_of_each_service_runs(sample, tmp_path, service: Service):
    box, core = sample
    port = ports.free()
    out = tmp_path / "out"
    env = box.environment(
        **service.dev.env, PORT=str(port), PYTHONDONTWRITEBYTECODE=""
    )  # "" writes: an image may set it
    with out.open("wb") as file:
        process = subprocess.Popen(
            service.dev.command, cwd=core / (service.dev.folder or service.folder), env=env, stdout=file, stderr=file,
            start_new_session=True,
        )  # fmt: skip
    try:
        said = f"{service.name} listens on {port}" if service.ports else "waiting for work"
        assert wait_until(lambda: said in out.read_text() or process.poll() is not None), out.read_text()
        assert said in out.read_text()
        if service.ports:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as reply:
                assert json.loads(reply.read())["service"] == service.name
    finally:
        os.killpg(process.pid, 9)
        process.wait()
    assert changes(core) == ""


def changes(core: Path) -> str:
    """What git lists as changed or new."""
    return subprocess.check_output(["git", "status", "--porcelain"], cwd=core, text=True)


def test_it_is_a_clean_checkout_in_which_inv_works(sample):
    box, core = sample
    env = box.environment(CI="true")
    assert changes(core) == ""
    done = subprocess.run(["./scripts/inv", "setup", "--check", "--json"], cwd=core, env=env, capture_output=True, text=True)  # fmt: skip
    steps = {step["key"]: step for step in json.loads(done.stdout)["steps"]}
    assert done.returncode == 2, done
    assert steps["submodules"]["state"] == "done"
    done = subprocess.run(["./scripts/inv", "setup"], cwd=core, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert changes(core) == ""


@pytest.mark.parametrize("words", [("uv", "sync"), ("go", "build")])
def test_what_the_sample_programs_cannot_do_is_said(sample, words):
    box, _ = sample
    done = subprocess.run([f"{box.path}/bin/{words[0]}", words[1]], capture_output=True, text=True)
    assert done.returncode == 2
    assert "sample" in done.stderr
