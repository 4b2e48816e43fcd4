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
THIN_TASKS = {ROOT / "tasks" / name for name in ("__init__.py", "demo.py", "sandbox.py", "suite.py")}


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
