"""README and docs: every command line runs, what is shown is what they say, and every word of them exists."""

from __future__ import annotations

import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest

import tasks
from sandbox.demo import docs
from sandbox.demo.docs import Block, blocks, differences, same
from tasks.core.errors import Trouble

ROOT = Path(__file__).resolve().parents[2]
PAGES = docs.pages(ROOT)
INLINE = re.compile(r"`((?:[A-Z_]+=\S+ )*(?:\./scripts/)?inv [^`]+)`")


def name(page: Path) -> str:
    return page.name


def is_of_missing_building(task: str) -> bool:
    """Whether the task belongs to the migration, in a repository where the migration is over."""
    return task.startswith("migrate.") and find_spec("migration") is None


def with_commands(page: Path) -> bool:
    return any(not block.not_run for block in blocks(page.read_text()))


@pytest.mark.slow
@pytest.mark.parametrize("page", [p for p in PAGES[1:] if with_commands(p)], ids=name)
def test_every_command_of_the_page_runs_and_says_what_is_shown(page):
    text = page.read_text()
    assert differences(text, docs.rendered(text)) == [], (
        f"python -m sandbox.demo.docs {page.relative_to(ROOT)} fixes it"
    )


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_output_is_typed_by_hand(page):
    for block in blocks(page.read_text()):
        if not block.show:
            assert block.body == "".join(f"$ {command}\n" for command in block.commands)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_task_and_flag_in_the_text_exists(page):
    text = page.read_text()
    commands = [c for block in blocks(text) for c in block.commands if re.search(r"\binv ", c)]
    contexts = {word: context for context in tasks.ns.to_contexts() for word in (context.name, *context.aliases)}
    for command in INLINE.findall(text) + commands:
        words = shlex.split(command.replace("./scripts/inv", "inv").partition(" | ")[0])
        words = words[words.index("inv") + 1 :] if "inv" in words else []
        if not words or words[0].startswith("-") or "*" in words[0] or is_of_missing_building(words[0]):
            continue
        assert words[0] in contexts, command
        own = words[: words.index("--")] if "--" in words else words
        flags = {word.partition("=")[0] for word in own if word.startswith("--")}
        assert flags <= set(contexts[words[0]].flags) | {"--help"}, command


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_what_cannot_be_run_says_why_and_is_rare():
    skipped = [b for page in PAGES for b in blocks(page.read_text()) if b.not_run]
    assert all(len(block.not_run) > 20 for block in skipped)
    assert len(skipped) <= 5


# --- the reading of a page
PAGE = """# Title
```console
$ one
```
<!-- show; exit 2; with: dns; before: zero; until: ready now -->
```console
$ two
said
$ three
```
```yaml
$ no: command
```
<!-- not run: it would change what others have -->
```console
$ four
```
"""


def test_blocks_are_found_with_what_their_comments_say():
    first, second, third = blocks(PAGE)
    assert first == Block(("one",), "$ one\n", first.start, first.end)
    assert (second.commands, second.show, second.exit, second.fault) == (("two", "three"), True, 2, "dns")
    assert (second.before, second.until) == ("zero", "ready now")
    assert PAGE[second.start : second.end] == "$ two\nsaid\n$ three\n"
    assert third.not_run == "it would change what others have"


def test_a_comment_that_nobody_knows_is_refused():
    with pytest.raises(Trouble):
        blocks("<!-- shows -->\n```console\n$ a\n```\n")


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("took 0.4 s", "took 12.25 s", True),
        ("ok login        token for 84 min  0.1 s", "ok login   token for 66 min", True),
        ("pod web-5f9c8d7b6-x2k4z", "pod web-7c6d5e4f3-a1b2c", True),
        ("a\nb", "b\na", True),
        ("missing  quota", "ok       quota", False),
        ("a", "a\nb", False),
    ],
)
def test_pages_are_the_same_when_only_numbers_and_order_differ(one, other, equal):
    assert same(one, other) is equal
