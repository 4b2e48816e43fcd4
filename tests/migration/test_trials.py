"""The trials of phase 5, run in a migrated core in a sandbox: container script, Tilt, intercept, and their records."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from migration import trials
from sandbox import control
from tasks.core import ports
from tests.made import settings
from tests.migration.desk import Desk
from tests.world import Started, until

pytestmark = pytest.mark.slow


def test_the_migrated_core_starts_as_a_dev_container(desk: Desk):
    assert desk.inv("--version").stderr == ""  # with the environment that is there: none is installed
    done = desk.run("bash", ".devcontainer/postCreate.sh")
    assert done.returncode == 0, done.stdout + done.stderr
    done = desk.inv("setup", "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    done = desk.inv("intercept", "www-ameide-platform", "--no-run")
    assert done.returncode == 0, done.stdout + done.stderr
    assert desk.inv("tp.verify", "www-ameide-platform").returncode == 0
    assert desk.inv("leave", "www-ameide-platform").returncode == 0


def test_trials_are_recorded_and_count_for_their_commit_only(desk: Desk):
    assert desk.inv("setup").returncode == 0
    code, steps = desk.migrate("migrate.phase5", "--yes")
    assert code == 0, {k: s for k, s in steps.items() if s["state"] != "done"}
    for key in ("VAL-10", "VAL-11", "VAL-12"):
        assert "within the budget" in steps[key]["note"]
        assert "ameide-dev-aks" in steps[key]["note"]
        assert desk.repos.git("core", "rev-parse", "HEAD")[:12] in steps[key]["note"]
    assert "connected before in" in steps["VAL-12"]["note"]
    calls = [c for c in desk.box.calls() if c["writes"]]
    assert desk.migrate("migrate.phase5", "--yes")[0] == 0
    assert [c for c in desk.box.calls() if c["writes"]] == calls  # nothing was tried again
    left = json.loads(desk.inv("tp.status", "--json").stdout)
    assert left["session"]["running"]  # there was one before
    assert left["session"]["intercepts"] == []
    assert releases(desk) == []
    desk.repos.commit("core", "own.txt", b"own\n")
    code, steps = desk.migrate("migrate.status")
    assert steps["VAL-12"]["state"] == "pending"


def releases(desk: Desk) -> list[str]:
    """Return the releases of Tilt in the cluster, of every holder."""
    listed = desk.run("helm", "list", "--all", "--short", "--namespace", "ameide")
    assert listed.returncode == 0, listed.stderr
    return [name for name in listed.stdout.split() if name.endswith("-tilt")]


def is_connected(desk: Desk) -> bool:
    return bool(json.loads(desk.inv("tp.status", "--json").stdout)["session"]["running"])


def test_what_a_trial_made_is_taken_away_and_what_was_there_stays(desk: Desk):
    desk.env["REMOTE_DEV_TILT__PORT"] = str(ports.free())
    assert desk.inv("setup").returncode == 0
    assert desk.inv("tilt.ci", "--only", "www-ameide").returncode == 0
    assert desk.inv("tp.quit").returncode == 0
    code, steps = desk.migrate("migrate.phase5", "--only", "VAL-11", "--only", "VAL-12", "--yes")
    assert (code, steps["VAL-11"]["state"], steps["VAL-12"]["state"]) == (0, "done", "done"), steps
    assert releases(desk) == ["apps-www-ameide-tilt"]
    assert not is_connected(desk)
    control.fault(desk.box, "release-stuck")  # kills Helm in the middle of a deploy
    desk.repos.commit("core", "own.txt", b"own\n")
    code, steps = desk.migrate("migrate.phase5", "--only", "VAL-11", "--yes")
    assert (code, steps["VAL-11"]["state"]) == (1, "unknown"), steps
    assert releases(desk) == ["apps-www-ameide-tilt"]


def has_begun_or_ended(desk: Desk, run: Started, has_begun: Callable[[Desk], object]) -> bool:
    return bool(has_begun(desk)) or run.process.poll() is not None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_trial_takes_away_what_it_made(desk: Desk, number: int):
    desk.env["REMOTE_DEV_TILT__PORT"] = str(ports.free())
    assert desk.inv("setup").returncode == 0
    assert desk.inv("tp.quit").returncode == 0
    place = ("--core", str(desk.repos.core), "--gitops", str(desk.repos.gitops))
    begun: dict[str, Callable[[Desk], object]] = {"VAL-11": releases, "VAL-12": is_connected}
    for key, has_begun in begun.items():
        with desk.started("migrate.phase5", *place, "--only", key, "--yes") as run:
            assert until(partial(has_begun_or_ended, desk, run, has_begun), 120), run.said
            assert run.process.poll() is None, run.said
            assert run.end(number, wait=120) != 0, run.said
        assert releases(desk) == []
        assert not is_connected(desk)


def test_a_failed_trial_is_unknown_with_its_reason(desk: Desk):
    assert desk.inv("setup").returncode == 0
    control.fault(desk.box, "agent-never")
    code, steps = desk.migrate("migrate.phase5", "--only", "VAL-12", "--yes")
    assert code == 1
    assert steps["VAL-12"]["state"] == "unknown"
    assert "waiting for agent" in steps["VAL-12"]["note"]
    control.fault(desk.box, "agent-never", on=False)
    assert desk.migrate("migrate.status")[1]["VAL-12"]["state"] == "pending"


def test_the_connect_has_its_own_time_and_not_the_intercepts(monkeypatch: pytest.MonkeyPatch):
    """The budget of an intercept, 10 s, counted the connect, which has 30 s."""
    clock = SimpleNamespace(now=0.0)
    called: list[str] = []

    def call(words: list[str], run: str, core: Path) -> None:
        called.append(words[1])
        clock.now += {"tp.connect": 25.0, "intercept": 6.0, "tp.verify": 1.0, "leave": 9.0}[words[1]]

    monkeypatch.setattr(trials, "_call", call)
    monkeypatch.setattr(trials, "_undoing", lambda run, had_session: [("leave", "www")])
    monkeypatch.setattr(
        trials, "time", SimpleNamespace(monotonic=lambda: clock.now, strftime=time.strftime, gmtime=time.gmtime)
    )
    s = settings()
    git = SimpleNamespace(line=lambda *args: "c" * 40)
    core = SimpleNamespace(facts=SimpleNamespace(folder=Path("/core"), git=git))
    simulation: Any = SimpleNamespace(settings=s, core=core)
    planned: Any = SimpleNamespace(key="VAL-12")
    monkeypatch.setattr(trials, "replace", lambda result, **changes: changes)
    done: Any = trials._try(planned, simulation)
    assert called == ["tp.connect", "intercept", "tp.verify", "leave", "leave"]
    assert f"7.0 s, within the budget of {s.budgets.intercept:g} s, connected before in 25.0 s" in done["notes"][0]
