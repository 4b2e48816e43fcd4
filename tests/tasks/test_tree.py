"""The tree of tasks as a user sees it: help, both spellings, optional words."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def inv(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, str(ROOT / "tasks.py"), *words]
    return subprocess.run(program, cwd=cwd, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def tree() -> dict:
    return json.loads(inv("--list", "--list-format=json").stdout)


def walk(collection: dict, prefix: str = ""):
    for task in collection["tasks"]:
        yield prefix + task["name"], task
    for below in collection["collections"]:
        yield from walk(below, f"{prefix}{below['name']}.")


def test_every_task_and_namespace_has_one_line_of_help(tree: dict):
    for name, task in walk(tree):
        assert task["help"], name
    for collection in tree["collections"]:
        assert collection["help"], collection["name"]


def test_the_daily_verbs_are_at_the_root(tree: dict):
    names = {task["name"] for task in tree["tasks"]}
    assert {"setup", "intercept", "leave", "status", "down", "demo", "test"} <= names


def test_the_namespaces_of_the_interface_are_there(tree: dict):
    names = {name for name, _ in walk(tree)}
    assert {"devcontainer.setup", "aks.login", "aks.credentials", "aks.registry"} <= names
    assert {
        f"tp.{t}" for t in ("connect", "status", "list", "intercept", "leave", "quit", "env", "verify", "who")
    } <= names
    assert {f"sandbox.{t}" for t in ("up", "down", "env", "fault", "faults")} <= names


def test_a_flag_is_never_taken_for_a_service():
    done = inv("tp.intercept", "--help")
    assert done.returncode == 1
    assert "inv --help tp.intercept" in done.stderr or "inv --help intercept" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_after_the_service_is_help():
    assert "Usage:" in inv("intercept", "web", "--help").stdout


def test_leave_works_with_and_without_a_service():
    assert inv("leave").stdout == "nothing to leave\n"
    assert inv("leave", "www-ameide").stdout == "www-ameide is not intercepted: nothing to leave\n"
    assert inv("tp.leave", "www_ameide", "--dry-run").stdout == "www_ameide is not intercepted: nothing to leave\n"


def test_it_runs_from_any_folder_below_the_root():
    assert inv("leave", cwd=ROOT / "docs").returncode == 0


def test_a_wrong_flag_is_one_line():
    done = inv("leave", "--nonsense")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


def test_invoke_and_python_find_the_same_package():
    code = "import tasks, sys; print(tasks.__file__)"
    assert subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.endswith("tasks/__init__.py\n")


def test_listing_imports_no_heavy_library():
    code = "import sys, tasks; tasks.ns; print([m for m in ('plumbum', 'rich', 'libcst', 'tree_sitter', 'msgspec', 'dotenv', 'starlark', 'filelock', 'platformdirs', 'jinja2') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == "[]\n", done.stderr


def test_the_word_of_a_repeatable_flag_is_never_split():
    import inspect

    import tasks

    seen = 0
    for name, task in _tasks(tasks.ns):
        for flag in task.iterable:
            default = inspect.signature(task.body).parameters[flag].default
            assert default in (None, inspect.Parameter.empty), f"{name} --{flag}: a default of {default!r} splits words"
            seen += 1
    assert seen > (10 if find_spec("migration") else 5)


def _tasks(collection, prefix: str = ""):
    for name, task in collection.tasks.items():
        yield f"{prefix}{name}", task
    for name, below in collection.collections.items():
        yield from _tasks(below, f"{prefix}{name}.")


def test_every_task_with_a_dry_run_is_one_under_inv_dry_too():
    for path in (ROOT / "tasks").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and "dry_run" in {a.arg for a in node.args.args}:
                assert "dry(c, dry_run)" in ast.unparse(node), f"{path.name}:{node.lineno}"


NAMED = re.compile(
    r"(?<![\w/.-])inv (?:--help )?((?:ROOT)(?![\w.])|[a-z]+\.[a-z][a-z0-9_-]*(?![\w*{]))"
    r"((?: +(?:--[a-z-]+|[A-Z]+)(?:[ =][^-\s`'\",;:)]+)?)*)"
)


def test_every_task_and_flag_that_a_text_names_exists(tree: dict):
    """Fixes, hints and docs name commands: a task or flag that was renamed would send people nowhere."""
    from tasks import ns

    known = {name: c for c in ns.to_contexts() for name in (str(c.name), *c.aliases)}
    roots = "|".join(task["name"] for task in tree["tasks"])
    named = re.compile(NAMED.pattern.replace("ROOT", roots))
    places = [
        p
        for folder in ("tasks", "migration", "sandbox", "starlark_harness", "docs", "tilt", ".devcontainer")
        for p in (ROOT / folder).rglob("*.*")
    ]
    seen = 0
    for path in [*places, ROOT / "README.md", ROOT / "Tiltfile"]:
        if path.suffix not in {".py", ".md", ".star", ".sh", ""}:
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for task, words in named.findall(line):
                if task.startswith("migrate.") and find_spec("migration") is None:
                    continue  # docs and hints may name a migration that is over
                where = f"{path.relative_to(ROOT)}:{number}: inv {task}"
                assert task in known, where
                arguments = known[task].args.values()
                flags = {f"--{name}" for a in arguments for name in a.names} | {"--help"}
                flags |= {f"--no-{a.name}" for a in arguments if a.default is True}  # Invoke's inverse of a flag
                assert set(re.findall(r" (--[a-z-]+)", words)) <= flags, f"{where}{words}"
                seen += 1
    assert seen > 200


LOOK = ("aks.check", "aks.status", "argo.check", "devcontainer.check", "tilt.status", "tp.status", "tp.who")
NAMES_LOOK = re.compile(rf"(?<![\w/.-])inv (?:{'|'.join(LOOK)})(?![\w.])")
# What the named command never asks: `tp.status` no list of workloads, and `aks.check` no labels of the namespace.
ANOTHER_QUESTION = {"tools/telepresence/__init__.py", "tools/telepresence/answers.py", "checks/guard.py"}


def test_what_every_command_can_print_names_a_command_that_looks_only_through_with_more():
    """A fix that names the command that printed it sends in a circle; `with_more` knows which command runs."""
    found, through = set(), 0
    for folder in ("core", "tools", "checks"):
        for path in (ROOT / "tasks" / folder).rglob("*.py"):
            module = ast.parse(path.read_text())
            allowed = {id(node) for call in ast.walk(module) for node in _given_to_with_more(call)}
            prose = {id(s.value) for s in ast.walk(module) if isinstance(s, ast.Expr)}  # docstrings
            for node in ast.walk(module):
                if not isinstance(node, ast.Constant) or not NAMES_LOOK.search(str(node.value)) or id(node) in prose:
                    continue
                if id(node) in allowed:
                    through += 1
                elif str(path.relative_to(ROOT / "tasks")) not in ANOTHER_QUESTION:
                    found.add(f"{path.relative_to(ROOT)}:{node.lineno}: {node.value!r}")
    assert not found
    assert through > 15


def _given_to_with_more(node: ast.AST) -> list[ast.expr]:
    """The words of `with_more(fix, command, tells)`, and of `see=(command, tells)` in the table of signatures."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "with_more":
        return node.args[1:]
    if isinstance(node, ast.keyword) and node.arg == "see" and isinstance(node.value, ast.Tuple):
        return node.value.elts
    return []


def test_the_help_of_setup_names_its_steps_and_no_other():
    from tasks.flows.setup import STEPS

    said = inv("--help", "setup").stdout.split("run only this step (repeatable):")[1].split("  -")[0]
    assert set(said.split()) == {step.key for step in STEPS}


@pytest.fixture(scope="module")
def carried(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A core repository with the suite as the migration carries it there."""
    root = tmp_path_factory.mktemp("core")
    for folder in ("tasks", "config"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "tasks.py", root)
    return root


@pytest.mark.parametrize("words", [("test",), ("bench",), ("demo", "--migration"), ("sandbox.legacy", "pair")])
def test_what_is_not_copied_into_a_core_repository_is_reported(carried: Path, words: tuple[str, ...]):
    program = [sys.executable, str(carried / "tasks.py"), *words]
    done = subprocess.run(program, cwd=carried, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert "the suite's own checkout" in done.stderr
