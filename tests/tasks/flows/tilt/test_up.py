"""Tilt from end to end in a sandbox: the real Tiltfile, real processes, releases in the sandbox's state."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox import control, sample
from sandbox.control import Box
from tasks.core import ports
from tests.tiltfile.conftest import KNOWN, SETTINGS, SUBMODULE
from tests.world import HOST, ROOT, Started, catalogue_port, inv, request, started, until, writes

pytestmark = pytest.mark.slow
NAME, RELEASE = "www-ameide-platform", "apps-www-ameide-platform-tilt"


@dataclass
class Team:
    """A sandbox with the sample core.

    env: of the developer; other: of a colleague
    """

    box: Box
    core: Path
    env: dict[str, str]
    other: dict[str, str]

    def inv(self, *words: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return inv(self.box, *words, env=env or self.env)

    def releases(self, env: dict[str, str] | None = None) -> dict[str, dict[str, Any]]:
        done = self.inv("tilt.status", "--json", env=env)
        assert done.returncode == 0, done.stderr
        return {r["release"]: r for r in json.loads(done.stdout)["releases"]}

    def listed(self) -> list[str]:
        """Return the releases that Helm itself lists."""
        call = ["helm", "list", "--all", "--short", "--namespace", SETTINGS["cluster"]["namespace"]]
        whole = {**self.box.environment(), **self.env}
        return subprocess.run(call, env=whole, capture_output=True, text=True, check=True).stdout.split()

    def objects(self, *more: str) -> str:
        """Return the baseline's objects, byte for byte: all of the namespace that no release of Tilt owns."""
        kinds = "deployments,services,configmaps,serviceaccounts,httproutes"
        call = ["kubectl", "get", kinds, "-n", SETTINGS["cluster"]["namespace"], "-o", "json", *more]
        whole = {**self.box.environment(), **self.env}
        items = json.loads(subprocess.run(call, env=whole, capture_output=True, check=True).stdout)["items"]
        return json.dumps([i for i in items if not i["metadata"]["name"].endswith("-tilt")], sort_keys=True)

    def processes(self) -> list[str]:
        """Return the commands of this sandbox's processes, without the daemons of Telepresence and of the sandbox."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                environ = (entry / "environ").read_bytes()
                words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if f"REMOTE_SANDBOX={self.box.path}\0".encode() in environ + b"\0" and " userd" not in words and words:
                found.append(words)
        return found


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    where = tmp_path_factory.mktemp("team")
    pair = sample.make(where, KNOWN, registry=SETTINGS["registry"]["host"], submodule=SUBMODULE)
    box = control.up()
    place = {
        "REMOTE_DEV_REPOSITORIES__CORE": str(pair.core),
        "REMOTE_DEV_REPOSITORIES__GITOPS": str(pair.core / SUBMODULE),
        "REMOTE_DEV_TILT__PORT": str(ports.free()),
    }
    found = Team(
        box,
        pair.core,
        {**place, "REMOTE_DEV_TELEPRESENCE__SLOT": "agent-01"},
        {**place, **control.as_user(box, "colleague"), "REMOTE_DEV_TELEPRESENCE__SLOT": "agent-02"},
    )
    steps = ("setup", "--only", "login", "--only", "credentials", "--only", "kubelogin", "--only", "registry")
    for env in (found.env, found.other):
        done = found.inv(*steps, env=env)
        assert done.returncode == 0, done.stdout + done.stderr
    yield found
    control.down(box)


@pytest.fixture(autouse=True)
def nothing_left(team: Team) -> Iterator[None]:
    """After each test: no release, no process of Tilt, no entry of it in the journal."""
    yield
    for env in (team.env, team.other):
        if team.listed():
            assert team.inv("tilt.down", env=env).returncode == 0
    assert team.listed() == []
    assert until(lambda: not [p for p in team.processes() if "tilt" in p or "intercept" in p]), team.processes()


@contextmanager
def intercepting(team: Team) -> Iterator[Started]:
    """Run a Tilt whose intercept answers. Start it again when another checkout's test has just taken its port."""
    with catalogue_port(3001):
        for _ in range(5):
            with started(team.box, "tilt.up", "--intercept", NAME, env=team.env) as run:
                answered = until(lambda: answers(team) == "local" or "is in use by" in run.said, 30)
                assert answered, run.said
                if "is in use by" not in run.said:
                    yield run
                    return
                run.end(signal.SIGTERM)
            until(lambda: ports.owner(3001) is None, 60)
    pytest.fail("port 3001 was taken by others five times")


def answers(team: Team) -> str:
    """Return who answers a request with the developer's slot."""
    return str(request(team.box, HOST, X_Ameide_Agent="agent-01")["answered_by"])


def ready(run: Started, name: str) -> bool:
    return (
        bool(until(lambda: f"ok {name}" in run.said or run.process.poll() is not None, 30))
        and run.process.poll() is None
    )


def test_up_deploys_exactly_what_was_asked_for(team: Team):
    before = team.objects()
    for words in (("--only", NAME), ("--", f"--only={RELEASE}")):
        with started(team.box, "tilt.up", *words, env=team.env) as run:
            assert ready(run, RELEASE), run.said
            assert list(team.releases()) == [RELEASE]
            assert run.end(signal.SIGINT) == 0
        assert list(team.releases()) == [RELEASE], "a release stays when Tilt ends"
        assert team.objects() == before
        assert team.inv("tilt.down").returncode == 0
        assert team.releases() == {}
    assert team.objects() == before


def test_the_pod_runs_the_image_that_was_built_and_pushed(team: Team):
    assert team.inv("tilt.ci", "--only", NAME).returncode == 0
    pushed = [c for c in writes(team.box, "docker") if c[1] == "push"][-1][2]
    assert pushed.startswith(f"{SETTINGS['registry']['host']}/{NAME}:tilt-")
    call = ["kubectl", "get", "deployment", f"{NAME}-tilt", "-n", SETTINGS["cluster"]["namespace"], "-o", "json"]
    found = subprocess.run(call, env={**team.box.environment(), **team.env}, capture_output=True, check=True)
    assert json.loads(found.stdout)["spec"]["template"]["spec"]["containers"][0]["image"] == pushed


def test_ci_ends_by_itself_with_tilts_exit_code(team: Team):
    assert team.inv("tilt.ci", "--only", "graph").returncode == 0
    control.fault(team.box, "registry-role")
    try:
        subprocess.run(
            ["docker", "logout", SETTINGS["registry"]["host"]],
            env={**team.box.environment(), **team.env},
            capture_output=True,
        )
        done = team.inv("tilt.ci", "--only", "platform")
        assert done.returncode == 1
        assert "your role on the registry is missing" in done.stderr
        assert "apps-platform-tilt" not in team.releases()
    finally:
        control.fault(team.box, "registry-role", on=False)
        assert team.inv("aks.registry").returncode == 0


def test_a_refused_push_is_explained_although_docker_is_logged_in(team: Team):
    control.fault(team.box, "registry-refused")
    try:
        done = team.inv("tilt.ci", "--only", "platform")
    finally:
        control.fault(team.box, "registry-refused", on=False)
    assert done.returncode == 1
    assert done.stderr.rstrip().endswith("fix: inv aks.registry; inv aks.check shows the roles"), done.stderr
    assert "apps-platform-tilt" not in team.releases()


@pytest.fixture
def crash_loop(team: Team) -> Iterator[None]:
    control.fault(team.box, "crash-loop")
    yield
    control.fault(team.box, "crash-loop", on=False)


@pytest.mark.parametrize("task", ["tilt.ci", "tilt.up"])
def test_a_crash_loop_ends_it_with_the_reason_and_the_pods_last_lines(team: Team, crash_loop: None, task: str):
    done = team.inv(task, "--only", "graph")
    assert done.returncode == 1, done.stderr
    assert "| Error: the variable DATABASE_URL is not set" in done.stderr
    said = done.stderr.rstrip().splitlines()
    assert said[-3].startswith("error: apps-graph-tilt does not stay up: CrashLoopBackOff, pod graph-tilt-")
    assert "back-off 20s restarting failed container" in said[-2]
    assert "kubectl logs graph-tilt-" in said[-1]
    assert " up; page" not in done.stderr


def test_status_names_a_crash_loop(team: Team, crash_loop: None):
    with started(team.box, "tilt.up", "--only", "graph", env=team.env) as run:
        assert until(lambda: "CrashLoopBackOff" in run.said, 60), run.said
        shown = team.inv("tilt.status")
        assert "CrashLoopBackOff" in shown.stdout, shown.stdout
        assert run.end() == 1


def test_an_intercept_is_up_only_when_its_process_has_answered(team: Team):
    with intercepting(team) as run:
        assert until(lambda: "1 up; page" in run.err.read_text(), 60), run.said
        assert f"ok intercept-{NAME}" in run.err.read_text()
        assert "was answered by your process" in run.out.read_text(), "it was called up before that"
        run.end(signal.SIGTERM)


def test_an_intercept_that_ends_is_not_up(team: Team):
    control.fault(team.box, "conflict")
    try:
        with started(team.box, "tilt.up", "--intercept", f"{NAME},graph", env=team.env) as run:
            assert until(lambda: f"xx intercept-{NAME}" in run.said, 60), run.said
            assert until(lambda: "ok intercept-graph" in run.said, 60), run.said
            assert " up; page" not in run.said
            run.end(signal.SIGTERM)
    finally:
        control.fault(team.box, "conflict", on=False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_intercept_ends_with_its_tilt_however_that_ends(team: Team, number: int):
    with intercepting(team) as run:
        if number == signal.SIGKILL:  # of Tilt itself; its children continue
            tilt = next(e for e in journal(team) if e["data"].get("name") == "tilt")
            os.kill(tilt["data"]["group"], number)
            assert run.end() == 137
        else:
            assert run.end(number) == 0
    assert answers(team) == "baseline"
    assert [e for e in journal(team) if e["kind"] != "session"] == []


def test_after_both_were_killed_the_next_command_ends_the_intercept(team: Team):
    with intercepting(team) as run:
        tilt = next(e for e in journal(team) if e["data"].get("name") == "tilt")["data"]["group"]
        run.process.kill()
        os.kill(tilt, signal.SIGKILL)
        run.process.wait()
    done = team.inv("tilt.down")
    assert "end what a killed Tilt left behind" in done.stderr
    assert until(lambda: answers(team) == "baseline")


def test_a_tilt_whose_run_was_killed_is_ended_by_the_next_start(team: Team):
    with started(team.box, "tilt.up", "--only", "graph", env=team.env) as run:
        assert ready(run, "apps-graph-tilt"), run.said
        run.process.kill()
        run.process.wait()
    assert json.loads(team.inv("tilt.status", "--json").stdout)["tilt"]
    done = team.inv("tilt.ci", "--only", "graph")
    assert done.returncode == 0, done.stderr
    assert "left behind by a killed run" in done.stderr


def test_a_second_tilt_of_this_workstation_is_refused(team: Team):
    with started(team.box, "tilt.up", "--intercept", "graph", env=team.env) as run:
        assert until(lambda: "page:" in run.said, 30), run.said
        done = team.inv("tilt.up", "--only", "graph")
        assert done.returncode == 1
        assert "Tilt is already running here" in done.stderr
        run.end(signal.SIGTERM)


def test_a_taken_port_is_replaced_with_a_warning_unless_it_was_asked_for(team: Team):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        env = {**team.env, "REMOTE_DEV_TILT__PORT": port}
        done = team.inv("tilt.ci", "--only", "graph", env=env)
        assert done.returncode == 0, done.stderr
        assert f"port {port} is taken by" in done.stderr
        asked = team.inv("tilt.ci", "--only", "graph", "--port", port)
        assert asked.returncode == 1
        assert f"port {port} is taken by" in asked.stderr


def test_a_release_of_a_colleague_is_refused_with_the_owners_name(team: Team):
    assert team.inv("tilt.ci", "--only", "graph", env=team.other).returncode == 0
    before = len(writes(team.box, "helm"))
    done = team.inv("tilt.up", "--only", "graph")
    assert done.returncode == 3
    assert "the release apps-graph-tilt is held by agent-02" in done.stderr
    assert "no release of yours" in team.inv("tilt.down").stdout
    assert len(writes(team.box, "helm")) == before
    assert team.releases()["apps-graph-tilt"]["holder"] == "agent-02"


def test_a_stuck_release_is_explained_and_can_be_removed(team: Team):
    control.fault(team.box, "release-stuck")
    assert team.inv("tilt.ci", "--only", "graph").returncode == 1
    done = team.inv("tilt.ci", "--only", "graph")
    assert done.returncode == 1
    assert "pending-install" in done.stderr
    assert "inv tilt.down --only apps-graph-tilt" in done.stderr
    assert team.inv("tilt.down", "--only", "graph").returncode == 0
    assert team.inv("tilt.ci", "--only", "graph").returncode == 0


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        ("docker-no-engine", 1, "no Docker engine answers"),
        ("docker-missing", 1, "docker is not installed"),
        ("helm-missing", 1, "helm is not installed"),
        ("tilt-missing", 1, "tilt is not installed"),
        ("production-labels", 3, "is production"),
        ("labels-unreadable", 3, "could not be looked at"),
        ("api-refused", 1, "the API server does not answer"),
    ],
)
def test_a_fault_is_one_error_and_nothing_is_deployed(team: Team, fault: str, code: int, said: str):
    before = len(writes(team.box, "helm", "docker", "tilt"))
    control.fault(team.box, fault)
    try:
        done = team.inv("tilt.up", "--only", "graph")
    finally:
        control.fault(team.box, fault, on=False)
    assert done.returncode == code, done.stderr
    assert done.stderr.count("error:") == 1
    assert said in done.stderr
    assert "fix:" in done.stderr
    assert len(writes(team.box, "helm", "docker", "tilt")) == before


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("REMOTE_DEV_CLUSTER__CONTEXT", "another", 1),
        ("REMOTE_DEV_CLUSTER__CONTEXT", "live-prod", 3),
        ("REMOTE_DEV_CLUSTER__NAMESPACE", "team-prod", 3),
        ("REMOTE_DEV_REGISTRY__HOST", "other.azurecr.io", 1),
    ],
)
def test_a_wrong_target_is_one_error_and_nothing_is_deployed(team: Team, name: str, value: str, code: int):
    before = len(writes(team.box, "helm", "tilt"))
    done = team.inv("tilt.up", "--only", "graph", env={**team.env, name: value})
    assert done.returncode == code, done.stderr
    assert done.stderr.count("error:") == 1
    assert "fix:" in done.stderr
    assert len(writes(team.box, "helm", "tilt")) == before


def test_a_missing_submodule_is_an_error_with_its_command(team: Team, tmp_path: Path):
    empty = tmp_path / "gitops"
    empty.mkdir()
    done = team.inv("tilt.up", "--only", "graph", env={**team.env, "REMOTE_DEV_REPOSITORIES__GITOPS": str(empty)})
    assert done.returncode == 1
    assert "is not checked out" in done.stderr
    assert f"fix: git submodule update --init {empty}" in done.stderr


def test_values_that_would_touch_the_baseline_deploy_nothing(team: Team, tmp_path: Path):
    """The Tiltfile sees fullnameOverride; what a template hard-codes is seen when it is rendered."""
    gitops = tmp_path / "gitops"
    shutil.copytree(team.core / SUBMODULE, gitops, ignore=shutil.ignore_patterns(".git"))
    graph = next(s for s in KNOWN.services if s.name == "graph")
    config = gitops / graph.chart.path / "templates/configmap.yaml"
    config.write_text(config.read_text().replace('name: {{ include "app.fullname" . }}', "name: graph", 1))
    before = team.objects()
    done = team.inv("tilt.ci", "--only", "graph", env={**team.env, "REMOTE_DEV_REPOSITORIES__GITOPS": str(gitops)})
    assert done.returncode == 1
    assert "would touch the baseline: ConfigMap graph belongs to the baseline" in done.stdout
    assert team.releases() == {}
    assert team.objects() == before


def test_a_dry_run_writes_nothing_and_says_what_would_be_done(team: Team):
    before = len(writes(team.box)), files(team)
    done = team.inv("tilt.up", "--only", "graph", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "deploy the release apps-graph-tilt" in done.stdout
    assert "$ tilt up" in done.stdout
    assert team.inv("--dry", "tilt.up", "--intercept", "graph").returncode == 0
    assert team.inv("tilt.down", "--dry-run").returncode == 0
    assert (len(writes(team.box)), files(team)) == before


def test_a_dry_run_before_setup_says_what_comes_first(team: Team, tmp_path: Path):
    env = {**team.env, "REMOTE_DEV_STATE": str(tmp_path / "state")}
    done = team.inv("tilt.up", "--only", "graph", "--dry-run", env=env)
    assert done.returncode == 1
    assert "inv setup" in done.stderr
    assert not (tmp_path / "state").exists()
    assert "releases: unknown" in team.inv("tilt.status", env=env).stdout


def test_a_plain_tilt_works_too_and_removes_only_our_release(team: Team):
    """Without the suite around it: `tilt` as typed, with the files of this repository."""
    handed = json.dumps({"python": sys.executable})  # tests may run with another environment than the suite's
    for env, there in ((team.env, True), (team.other, True), (team.env, False)):
        verb = ("ci",) if not team.listed() else ("down",)
        whole = {**team.box.environment(), **env, "TILT_REMOTE_DEV": handed, "TILT_PORT": str(ports.free())}
        done = subprocess.run(
            ["tilt", *verb, "--", "--only=graph"],
            cwd=ROOT,
            env=whole,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert team.listed() == (["apps-graph-tilt"] if there else [])


def test_disabling_a_resource_deletes_its_release(team: Team):
    with started(team.box, "tilt.up", "--only", "graph", env=team.env) as run:
        assert ready(run, "apps-graph-tilt"), run.said
        whole = {**team.box.environment(), **team.env, "TILT_PORT": team.env["REMOTE_DEV_TILT__PORT"]}
        subprocess.run(["tilt", "disable", "apps-graph-tilt"], env=whole, check=True)
        assert until(lambda: team.listed() == [])
        assert run.end(signal.SIGINT) == 0


def test_down_says_what_it_would_remove_and_removes_that(team: Team):
    assert team.inv("tilt.ci", "--only", "graph,platform").returncode == 0
    dry = json.loads(team.inv("tilt.down", "--dry-run", "--json").stdout)
    assert [c["destroys"] for c in dry["changes"]] == [
        "the release apps-graph-tilt with its objects",
        "the release apps-platform-tilt with its objects",
    ]
    assert team.inv("tilt.down", "--only", "graph").returncode == 0
    assert list(team.releases()) == ["apps-platform-tilt"]


def test_a_release_that_is_missing_in_the_journal_is_found_by_its_label(team: Team):
    assert team.inv("tilt.ci", "--only", "graph").returncode == 0
    state = Path(team.box.env["REMOTE_DEV_STATE"]) / "journal"
    for entry in state.glob("release-*.json"):
        entry.unlink()
    assert team.inv("tilt.down").returncode == 0
    assert team.releases() == {}


def files(team: Team) -> dict[str, bytes]:
    """Return all files in HOME and in the state folder."""
    places = (Path(team.box.env["HOME"]), Path(team.box.env["REMOTE_DEV_STATE"]))
    return {str(p): p.read_bytes() for place in places for p in sorted(place.rglob("*")) if p.is_file()}


def journal(team: Team) -> list[dict[str, Any]]:
    folder = Path(team.box.env["REMOTE_DEV_STATE"]) / "journal"
    return [json.loads(p.read_text()) for p in sorted(folder.glob("*.json"))]
