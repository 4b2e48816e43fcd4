"""Rules of this code base that a contributor could forget, checked on the source."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BUILDINGS = ("tasks", "migration", "starlark_harness", "sandbox")
SOURCES = sorted(path for building in BUILDINGS for path in (ROOT / building).rglob("*.py"))
OUTSIDE = [p for p in SOURCES if (ROOT / "sandbox") not in p.parents]
THIN_TASKS = {ROOT / "tasks" / name for name in ("__init__.py", "demo.py", "sandbox.py", "development.py")}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def calls(path: Path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield node, ast.unparse(node.func)


@pytest.mark.parametrize("path", OUTSIDE, ids=name)
def test_no_shell_and_no_print(path: Path):
    for node, function in calls(path):
        assert function not in {"os.system", "os.popen", "c.run", "c.sudo", "ctx.run", "subprocess.getoutput"}, (
            f"{name(path)}:{node.lineno}"
        )
        assert not any(k.arg == "shell" for k in node.keywords), f"{name(path)}:{node.lineno}"
        if path.name not in {"ui.py", "cached_status.py"}:
            assert function != "print", f"{name(path)}:{node.lineno}"


ALLOWED_SUBPROCESS = {
    "tasks/core/process/child.py",  # starts every child
    "tasks/core/process/tool.py",  # plumbum's commands; it starts none
    "tasks/tools/credential_helper/copied/ask.py",  # runs without the suite, as a child of kubectl
    "starlark_harness/evaluate.py",  # the Tiltfile's own local()
}


@pytest.mark.parametrize("path", OUTSIDE, ids=name)
def test_children_are_started_in_core_alone(path: Path):
    imported = {
        a.name.split(".")[0]
        for n in ast.walk(ast.parse(path.read_text()))
        if isinstance(n, ast.Import)
        for a in n.names
    }
    imported |= {
        (n.module or "").split(".")[0] for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom)
    }
    if name(path) not in ALLOWED_SUBPROCESS:
        assert not imported & {"subprocess", "plumbum"}, name(path)


@pytest.mark.parametrize("path", OUTSIDE, ids=name)
def test_no_exception_is_swallowed(path: Path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.unparse(node.type) if node.type else "everything"
            assert caught not in {"everything", "Exception"}, f"{name(path)}:{node.lineno}"


@pytest.mark.parametrize("path", [p for p in OUTSIDE if p not in THIN_TASKS], ids=name)
def test_nothing_outside_knows_the_sandbox(path: Path):
    text = path.read_text().replace('"aks", "sandbox"', "").replace("aks | sandbox", "")
    assert "sandbox" not in text.lower(), name(path)


def test_no_company_is_named_in_the_code():
    """Not in the sandbox either, but for the repositories as they were, which are carried nowhere."""
    for path in [p for p in SOURCES if ROOT / "sandbox/legacy" not in p.parents]:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            assert not re.search(r"ameide", line, re.IGNORECASE), f"{name(path)}:{number}"


def test_no_file_is_longer_than_400_lines():
    long = {name(p): n for p in SOURCES if (n := len(p.read_text().splitlines())) > 400}
    assert not long


BRANCHES = (ast.If, ast.IfExp, ast.For, ast.While, ast.ExceptHandler, ast.match_case)


def branches(function: ast.AST) -> int:
    """Count the branches of a function without those of nested functions: stricter than the linter's C901, which counts
    neither conditional expressions nor `and`, `or` and comprehensions."""
    count = 0
    for node in ast.iter_child_nodes(function):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            continue
        if isinstance(node, BRANCHES):
            count += 1
        elif isinstance(node, ast.BoolOp):
            count += len(node.values) - 1
        elif isinstance(node, ast.comprehension):
            count += 1 + len(node.ifs)
        count += branches(node)
    return count


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_no_function_has_more_than_12_branches(path: Path):
    functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
    assert {f.name: n for f in functions if (n := branches(f)) > 12} == {}


def test_a_path_in_a_command_that_is_shown_is_quoted():
    """A checkout may be in a folder with a blank in its name."""
    bare = re.compile(
        r"(?:cd|git -C|git checkout --|df -h|ls -ld|chown \S+|chmod \S+|rm -rf?|mv|migrate\.apply) \{(?!shlex\.|os\.get|place\b|cwd\b|gitops\b|program\b)"
    )
    for path in SOURCES:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            assert not bare.search(line), f"{name(path)}:{number}"
