"""`python -m scripts.mutate [--sample N] [--seed S] [--file PATH]`: do the tests notice small changes of the code?

Each mutant is written into a scratch copy of the repository and only the tests nearest to its file run, without those
marked slow, until the first failure. pytest and the heavy libraries are imported once; each mutant runs in a fork.

A mutant may do anything, such as to signal every process or to delete a folder. So each fork is put into a PID and
mount namespace of its own, in which it sees no other process and can write to nothing but the scratch copy.
"""

from __future__ import annotations

import argparse
import compileall
import ctypes
import importlib
import json
import os
import py_compile
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from scripts.mutants import Mutant, mutants

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("core", "checks", "flows")
HEAVY = (
    "pytest",
    "hypothesis",
    "pytest_subprocess",
    "plumbum.machines.local",
    "msgspec",
    "yaml",
    "dotenv",
    "filelock",
    "jsonschema",
    "json5",
    "invoke",
)
NEAREST = {  # tests that a mirrored path does not lead to, below tests/tasks
    "tasks/core/http.py": ("core/test_ports_and_http.py",),
    "tasks/core/ports.py": ("core/test_ports_and_http.py",),
    "tasks/core/entra.py": ("core/test_signatures.py",),
    "tasks/core/wait.py": ("core/process",),
    "tasks/core/cli/names.py": ("core/config/test_settings.py", "flows/tilt/test_request.py"),
    "tasks/core/config/catalogue.py": ("core/config/test_settings.py",),
    "tasks/core/config/sources.py": ("core/config/test_settings.py",),
    "tasks/core/plan/change.py": ("core/plan/test_steps.py",),
    "tasks/core/state/journal.py": ("core/state/test_state_and_journal.py",),
    "tasks/core/state/store.py": ("core/state/test_state_and_journal.py",),
    "tasks/core/state/timing.py": ("core/state/test_state_and_journal.py",),
    "tasks/core/yaml/nodes.py": ("core/yaml", "tools/kubeconfig"),
    "tasks/core/yaml/strict.py": ("core/config/test_settings.py",),
    "tasks/checks/report.py": ("checks/test_finding.py",),
    "tasks/checks/workload.py": ("checks/test_preflight.py",),
    "tasks/flows/intercept/cli.py": ("flows/intercept/test_leave.py", "flows/intercept/test_run.py"),
    "tasks/flows/intercept/establish.py": ("flows/intercept/test_run.py",),
    "tasks/flows/intercept/listener.py": ("flows/intercept/test_proof.py",),
    "tasks/flows/intercept/notice.py": ("flows/intercept/test_cli.py",),
    "tasks/flows/intercept/plan.py": ("flows/intercept/test_run.py",),
    "tasks/flows/intercept/request.py": ("flows/intercept/test_run.py",),
    "tasks/flows/intercept/show.py": ("flows/intercept/test_cli.py", "flows/intercept/test_run.py"),
    "tasks/flows/intercept/team.py": ("flows/intercept/test_cli.py",),
    "tasks/flows/session/connect.py": ("flows/session/test_cli.py",),
    "tasks/flows/session/daemons.py": ("flows/session/test_cli.py",),
    "tasks/flows/setup/__init__.py": ("flows/setup/test_cli.py",),
    "tasks/flows/setup/access.py": ("flows/setup/test_registry.py",),
    "tasks/flows/setup/connect.py": ("flows/setup/test_registry.py",),
    "tasks/flows/setup/login.py": ("flows/setup/test_registry.py",),
    "tasks/flows/setup/packages.py": ("flows/setup/test_registry.py",),
    "tasks/flows/setup/ready.py": ("flows/setup/test_registry.py",),
    "tasks/flows/setup/submodules.py": ("flows/setup/test_registry.py",),
    "tasks/flows/setup/tools.py": ("flows/setup/test_registry.py",),
    "tasks/flows/tilt/cli.py": ("flows/tilt/test_status.py", "flows/tilt/test_run.py"),
    "tasks/flows/tilt/ownership.py": ("flows/tilt/test_status.py", "flows/tilt/test_deploy.py"),
    "tasks/flows/tilt/preflight.py": ("flows/tilt/test_run.py",),
    "tasks/flows/tilt/removal.py": ("flows/tilt/test_status.py",),
    "tasks/flows/tilt/show.py": ("flows/tilt/test_status.py", "flows/tilt/test_run.py"),
}
PASSED, FAILED, NO_TESTS, TIMEOUT = 0, 1, 5, 124
NEW_NAMESPACES, NEW_USER = 0x20000 | 0x20000000, 0x10000000  # CLONE_NEWNS | CLONE_NEWPID, CLONE_NEWUSER
READ_ONLY, REMOUNT, BIND, RECURSIVE, PRIVATE = 1, 32, 4096, 16384, 1 << 18  # flags of mount(2)
libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Job:
    """One run of tests. mutant: None for the unchanged code; deadline: seconds."""

    tests: tuple[str, ...]
    mutant: Mutant | None = None
    deadline: float = 300.0


@dataclass(frozen=True)
class Result:
    """What became of a mutant: killed, survived, timeout (counted as killed), or untested where no fast test is near."""

    mutant: Mutant
    state: str
    seconds: float = 0.0


def nearest(file: str) -> tuple[str, ...]:
    """The tests of a file: its mirrored path and the table; else those named after its package; else a whole folder."""
    mirrored = Path("tests", file).with_name(f"test_{Path(file).name}")
    found = [str(mirrored)] if (ROOT / mirrored).is_file() else []
    found += [f"tests/tasks/{name}" for name in NEAREST.get(file, ())]
    folder = mirrored.parent
    while not found:
        package = folder.with_name(f"test_{folder.name}.py")
        if (ROOT / package).is_file():
            found = [str(package)]
        elif list((ROOT / folder).rglob("test_*.py")):
            found = [str(folder)]
        folder = folder.parent
    return tuple(found)


def chosen(file: str, sample: int, seed: int) -> list[Mutant]:
    """The mutants of this file or folder or of all packages; a sample of them if one is asked for."""
    places = [ROOT / file] if file else [ROOT / "tasks" / name for name in PACKAGES]
    paths = [p for place in places for p in (sorted(place.rglob("*.py")) if place.is_dir() else [place])]
    every = [m for p in paths for m in mutants(str(p.relative_to(ROOT)), p.read_bytes())]
    if not sample or sample >= len(every):
        return every
    picked = random.Random(seed).sample(range(len(every)), sample)
    return [every[number] for number in sorted(picked)]


def scratch(folder: Path) -> Path:
    """A copy of the repository whose bytecode is checked by the content of its source, not by its time."""
    left = shutil.ignore_patterns(".git", ".remote-dev", "__pycache__", ".hypothesis")
    shutil.copytree(ROOT, folder, ignore=left, symlinks=True)
    for name in ("tasks", "tests"):
        compileall.compile_dir(folder / name, quiet=2, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
    (folder / "tmp").mkdir()
    return folder


def run_all(jobs: Iterable[Job], copies: Sequence[Path]) -> Iterator[tuple[Job, int, float]]:
    """Run the jobs, one at a time in each copy; yield each with its exit code and seconds."""
    queue, free = iter(jobs), list(copies)
    running: dict[int, tuple[Job, Path, bytes, float]] = {}
    while True:
        while free and (job := next(queue, None)):
            copy = free.pop()
            pid, original = _start(job, copy)
            running[pid] = (job, copy, original, time.monotonic())
        if not running:
            return
        pid, status = os.wait()
        job, copy, original, began = running.pop(pid)
        if job.mutant is not None:
            (copy / job.mutant.file).write_bytes(original)
        free.append(copy)
        yield job, os.waitstatus_to_exitcode(status), time.monotonic() - began


def _start(job: Job, copy: Path) -> tuple[int, bytes]:
    """The pid of the fork, and the file as it was."""
    original = b""
    if job.mutant is not None:
        place = copy / job.mutant.file
        original = place.read_bytes()
        place.write_bytes(job.mutant.apply(original))
    return os.fork() or _leave(_isolated, job, copy), original


def _leave(work: object, job: Job, copy: Path) -> int:
    """In a fork: do the work and end the process, whatever happens."""
    code = FAILED
    try:
        code = work(job, copy)  # type: ignore[operator]
    finally:
        os._exit(code)


def _isolated(job: Job, copy: Path) -> int:
    """Run the tests in namespaces of their own; when the deadline has passed all their processes end."""
    uid, gid = os.getuid(), os.getgid()
    _call("unshare", NEW_NAMESPACES | (NEW_USER if uid else 0))
    if uid:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
    init = os.fork() or _leave(_init, job, copy)
    end = time.monotonic() + job.deadline
    while time.monotonic() < end:
        pid, status = os.waitpid(init, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(init, signal.SIGKILL)
    return TIMEOUT


def _init(job: Job, copy: Path) -> int:
    """The first process of the namespace: the kernel ends all others with it."""
    _call("prctl", 1, signal.SIGKILL)  # PR_SET_PDEATHSIG: also when the runner is killed
    _call("mount", None, b"/", None, RECURSIVE | PRIVATE, None)
    _call("mount", bytes(copy), bytes(copy), None, BIND, None)
    _call("mount", None, b"/", None, REMOUNT | BIND | READ_ONLY, None)
    _call("mount", b"proc", b"/proc", b"proc", 0, None)
    tests = os.fork() or _leave(_pytest, job, copy)
    while True:
        pid, status = os.wait()
        if pid == tests:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else FAILED


def _pytest(job: Job, copy: Path) -> int:
    import pytest

    with (copy / "tmp" / "log").open("w") as log:
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(copy)
    sys.path[0] = str(copy)
    os.environ["TMPDIR"] = tempfile.tempdir = str(copy / "tmp")
    if job.mutant is not None:
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    code = int(pytest.main(["-x", "-m", "not slow", "--hypothesis-seed=0", *job.tests]))
    sys.stdout.flush()
    return code


def _call(name: str, *args: object) -> None:
    if getattr(libc, name)(*args) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def judge(picked: Sequence[Mutant], copies: Sequence[Path]) -> Iterator[Result]:
    """Run the tests on the unchanged code first, then each mutant with a deadline from that time."""
    near = {m.file: nearest(m.file) for m in picked}
    deadlines: dict[tuple[str, ...], float] = {}
    for job, code, seconds in run_all([Job(tests) for tests in sorted(set(near.values()))], copies):
        sys.stderr.write(f"   unchanged: {' '.join(job.tests)}: {seconds:.1f} s\n")
        if code not in (PASSED, NO_TESTS):
            log = "".join((copy / "tmp/log").read_text() for copy in copies)
            raise SystemExit(f"{log}\nerror: {' '.join(job.tests)} fails on the unchanged code")
        if code == PASSED:
            deadlines[job.tests] = 20 * seconds + 60  # other work may slow the machine down meanwhile
    yield from (Result(m, "untested") for m in picked if near[m.file] not in deadlines)
    jobs = [Job(near[m.file], m, deadlines[near[m.file]]) for m in picked if near[m.file] in deadlines]
    for job, code, seconds in run_all(jobs, copies):
        assert job.mutant is not None
        state = {PASSED: "survived", TIMEOUT: "timeout"}.get(code, "killed")
        yield Result(job.mutant, state, round(seconds, 2))


def share(results: Sequence[Result]) -> dict[str, int | float]:
    """Counts by state, and the share that was killed."""
    counts = Counter(r.state for r in results)
    killed = counts["killed"] + counts["timeout"]
    return {**counts, "total": len(results), "share": round(killed / len(results), 3) if results else 0.0}


def main() -> int:
    """0, whatever survived: a survivor is a question to the reader."""
    parser = argparse.ArgumentParser(prog="python -m scripts.mutate")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="N mutants, picked at random")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--file", default="", metavar="PATH", help="the mutants of this file or folder alone")
    parser.add_argument("--workers", type=int, choices=(1, 2), default=2)
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    asked = parser.parse_args()
    os.nice(15)
    picked = chosen(asked.file, asked.sample, asked.seed)
    for name in HEAVY:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        results = []
        for result in judge(picked, [scratch(Path(folder, str(n))) for n in range(asked.workers)]):
            results.append(result)
            if result.state != "killed":
                sys.stderr.write(f"{result.state:<9} {result.mutant}\n")
    shares = {name: share([r for r in results if r.mutant.file.split("/")[1] == name]) for name in PACKAGES}
    shares["all"] = share(results)
    if asked.json:
        rows = [{**asdict(r.mutant), "state": r.state, "seconds": r.seconds} for r in results]
        sys.stdout.write(
            json.dumps({"schema": 1, "seed": asked.seed, "shares": shares, "mutants": rows}, indent=2) + "\n"
        )
    else:
        for name, row in shares.items():
            sys.stdout.write(f"{name:<7} {row['share']:.1%} of {row['total']} killed\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
