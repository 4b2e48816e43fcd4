"""The mutants of a piece of source: what is changed, and what is left alone."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from scripts.mutants import mutants
from scripts.mutate import NEAREST, PACKAGES, nearest

ROOT = Path(__file__).resolve().parent.parent.parent


def changed(source: str) -> set[str]:
    """The sources that the mutants of this one make."""
    return {m.apply(source.encode()).decode() for m in mutants("x.py", source.encode())}


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("a == b", {"(a != b)"}),
        ("a < b", {"(a >= b)", "(a <= b)"}),
        ("a in b", {"(a not in b)"}),
        ("a and b", {"(a or b)"}),
        ("not a", {"(a)"}),
        ("a if b else c", {"a if (not b) else c"}),
        ("[a for a in b if c]", {"[a for a in b if (not c)]"}),
        ("x = 3", {"x = 4"}),
        ("x = True", {"x = False"}),
        ("x = 'a'", {"x = 'XXa'"}),
        ("ä = b'' or 3", {"ä = (b'' and 3)", "ä = b'' or 4"}),
        ("def f():\n    return a", {"def f():\n    return None"}),
        ("f(a)", {"pass"}),
    ],
)
def test_each_operator_changes_one_place(source: str, made: set[str]):
    assert changed(source) == made


@pytest.mark.parametrize(
    "source",
    [
        "'a'",
        "x: Literal['a']",
        "x = 'a text of several words'",
        "x = f'a{1}'",
        "@d(1)\ndef f(a: 'b' = None) -> 'c':\n    'd'",
        "__all__ = ['a']",
        "if TYPE_CHECKING:\n    f(1)",
        "def f():\n    return None",
    ],
)
def test_what_no_test_can_see_is_left_alone(source: str):
    assert changed(source) == set()


def test_every_mutant_of_a_file_is_python_and_names_its_line():
    path = "tasks/core/wait.py"
    source = (ROOT / path).read_bytes()
    made = mutants(path, source)
    assert len(made) > 5
    for mutant in made:
        assert mutant.apply(source) != source
        ast.parse(mutant.apply(source))
        assert mutant.before.split("\n")[0] in source.splitlines()[mutant.line - 1].decode()


def test_the_table_of_nearest_tests_names_what_is_there():
    for file, tests in NEAREST.items():
        assert (ROOT / file).is_file(), file
        assert all((ROOT / "tests/tasks" / name).exists() for name in tests), file


def test_every_file_has_tests_near_it():
    for package in PACKAGES:
        for path in (ROOT / "tasks" / package).rglob("*.py"):
            for tests in nearest(str(path.relative_to(ROOT))):
                assert (ROOT / tests).exists(), path
