"""`inv migrate.status` with all steps done, relative to Ansible and pyinfra checking the same paths.

The other tools run locally without a connection, Ansible without gathering facts. First they check one path per step, and
only whether it exists. Then pyinfra checks every path that the migration wrote or deleted, still without its content, which
our steps compare. They are installed into a temporary folder.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import Row, of
from benchmarks._world import INV
from benchmarks.migration import ROOT, git, migrated, suite, timed

_FILES = 1_000


def run(quick: bool) -> list[Row]:
    """Run all alternately; if a tool cannot be installed, a row says so."""
    runs = 1 if quick else 3
    with migrated(_FILES, (1, 2, 3, 4, 5)) as (folder, core, gitops, count), other_tools() as (programs, why):
        places = folder / "pair" / core, folder / "pair" / gitops
        wanted = checks(*places)
        (folder / "playbook.json").write_text(json.dumps(playbook(wanted)))
        (folder / "deploy.py").write_text(deploy(wanted))
        every = [row for place in places for row in changed(place)]
        (folder / "every.py").write_text(deploy(every))
        python = f"ansible_python_interpreter={programs / 'python'}"  # saves its search for one
        argv = [str(programs / "ansible-playbook"), "--check", "-i", "localhost,", "-c", "local", "-e", python]
        argv.append("playbook.json")
        pyinfra = [str(programs / "pyinfra"), "@local", "--dry", "-y"]
        inv = [*INV, "migrate.status"]
        inv += ["--core", str(places[0]), "--gitops", str(places[1])]
        note = f"{len(wanted)} steps, {count:,} files"
        if why:
            return [Row("ansible-playbook --check and pyinfra", 0.0, "s", None, note=f"not measured: {why}")]
        steps, whole, ansible, other, others = [], [], [], [], []
        for _ in range(runs):
            steps.append(suite(*places, "commands.status(asked)")[0])
            whole.append(timed(lambda: call(inv, folder)))
            ansible.append(timed(lambda: call(argv, folder)))
            other.append(timed(lambda: call([*pyinfra, "deploy.py"], folder)))
            others.append(timed(lambda: call([*pyinfra, "every.py"], folder)))
    return [
        of("the steps, to ansible-playbook --check of one path a step", ratios(steps, ansible), "x", 0.01, note),
        of("the steps, to pyinfra --dry of one path a step", ratios(steps, other), "x", 0.1, note),
        of("the steps, to pyinfra --dry of every path", ratios(steps, others), "x", 0.1, f"{len(every):,} paths"),
        of(
            "inv migrate.status with Python's start, to ansible-playbook --check",
            ratios(whole, ansible),
            "x",
            None,
            note,
        ),
        of("inv migrate.status with Python's start, to pyinfra", ratios(whole, other), "x", None, note),
        of("inv migrate.status from start to end", whole, "s"),
        of("ansible-playbook --check of one path a step", ansible, "s"),
        of("pyinfra --dry of one path a step", other, "s"),
        of("pyinfra --dry of every path", others, "s"),
    ]


def ratios(ours: list[float], theirs: list[float]) -> list[float]:
    """Return the ratios, run by run."""
    return [a / b for a, b in zip(ours, theirs, strict=True)]


def checks(core: Path, gitops: Path) -> list[tuple[str, Path, bool]]:
    """Return for each step its key, a path that shows its result, and whether the path exists now."""
    from migration import mapping_file
    from migration.engine import STEPS

    mapping = mapping_file.read(ROOT / "config" / "migration.yaml")
    found = []
    for step in STEPS:
        row = mapping.cleanup_of(step.key)
        move = next((m for m in mapping.moves if m.step == step.key and "{" not in m.source), None)
        if row is not None:
            found.append((step.key, core / row.paths[0].split("*")[0].rstrip("/")))
        elif move is not None:
            found.append((step.key, gitops / move.target.rstrip("/")))
        else:
            name = {2: ".devcontainer/devcontainer.json", 3: "Tiltfile"}.get(step.phase, "README.md")
            found.append((step.key, core / name))
    return [(key, path, path.exists()) for key, path in found]


def changed(place: Path) -> list[tuple[str, Path, bool]]:
    """Return every path that the migration wrote or deleted in this repository, and whether it exists now."""
    names = git(place, "diff", "--name-only", "--no-renames", "-z", "before-remote-first", "HEAD", "--")
    paths = [place / name for name in names.split("\0") if name]
    return [(path.name, path, path.exists()) for path in paths if not path.is_dir()]  # a folder: the submodule


def playbook(wanted: list[tuple[str, Path, bool]]) -> list[dict[str, object]]:
    """Return the checks as a playbook."""
    tasks: list[dict[str, object]] = []
    for key, path, there in wanted:
        state = ("directory" if path.is_dir() else "file") if there else "absent"
        tasks.append({"name": key, "ansible.builtin.file": {"path": str(path), "state": state}})
    return [{"hosts": "all", "gather_facts": False, "tasks": tasks}]


def deploy(wanted: list[tuple[str, Path, bool]]) -> str:
    """Return the checks as a deploy of pyinfra."""
    lines = ["from pyinfra.operations import files"]
    for key, path, there in wanted:
        kind = "directory" if path.is_dir() else "file"
        lines.append(f"files.{kind}(name={key!r}, path={str(path)!r}, present={there})")
    return "\n".join(lines) + "\n"


@contextmanager
def other_tools() -> Iterator[tuple[Path, str]]:
    """Yield the folder of both programs, and the reason if they could not be installed, else an empty string."""
    folder = Path(tempfile.mkdtemp(prefix="other-tools-"))
    try:
        venv.create(folder, with_pip=True)
        argv = [str(folder / "bin/python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-input"]
        done = subprocess.run(
            [*argv, "--retries", "1", "ansible-core", "pyinfra"],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        said = done.stderr.strip().splitlines()
        yield folder / "bin", "" if done.returncode == 0 else f"pip: {said[-1] if said else done.returncode}"
    except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as why:
        yield folder / "bin", f"{type(why).__name__}: the package registry does not answer"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def call(argv: list[str], folder: Path) -> None:
    """Run to its end. Raises RuntimeError when it fails, which is a bug in the benchmark."""
    env = {**os.environ, "ANSIBLE_LOCALHOST_WARNING": "0", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        argv, cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{argv[0]} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}")
