"""Files and answers that are damaged, endless or made to crash a parser."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.core import regular_file, strict_json
from tasks.core.errors import ToolError, Trouble
from tasks.core.shape import Shape, fits, must_be
from tasks.core.state import journal, store, timing
from tasks.core.yaml import bounded, strict

DEEP = 200_000


def bomb(entry: str) -> str:
    """Nine lines that stand for 9^9 values. entry: how a line names the one before it nine times."""
    lines = [
        f"{new}: &{new} {entry.format(','.join([f'*{old}'] * 9))}"
        for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    return "\n".join(["a: &a {k: v}", *lines])


HOSTILE = {
    "brackets": "[" * DEEP,
    "braces": "{a: " * DEEP,
    "dashes": "- " * DEEP,
    "questions": "? " * DEEP,
    "an alias bomb": bomb("[{}]"),
    "a merge bomb": bomb("{{<<: [{}]}}"),
    "an alias to itself": "a: &a [*a]",
    "a chain of aliases": "a0: &a0 x\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 300)),
    "NUL": "a: \0",
}
INVALID = ["!!bool maybe", "!!timestamp x", "2024-13-45", "1" * 5000, "!!int x", "!!float x", "!!python/name:os.system"]


@pytest.mark.parametrize("case", HOSTILE)
def test_yaml_that_would_crash_or_fill_the_memory_is_an_error(case: str, tmp_path: Path):
    path = tmp_path / "settings.yaml"
    path.write_text(HOSTILE[case])
    with pytest.raises(yaml.YAMLError):
        yaml.load(HOSTILE[case], Loader=bounded.loader())
    with pytest.raises(Trouble) as caught:
        strict.read(path)
    assert str(path) in caught.value.what
    assert "\n" not in caught.value.what
    assert caught.value.fix


@pytest.mark.parametrize("text", INVALID)
def test_a_value_that_yaml_cannot_construct_is_an_error(text: str, tmp_path: Path):
    with pytest.raises(yaml.YAMLError):
        yaml.load(text, Loader=bounded.loader())
    path = tmp_path / "settings.yaml"
    path.write_text(f"a: {text}\n")
    with pytest.raises(Trouble, match=r"settings\.yaml:1"):
        strict.read(path)


@pytest.mark.parametrize("number", [".inf", "-.inf", ".nan"])
def test_a_number_without_end_is_not_a_setting(number: str, tmp_path: Path):
    path = tmp_path / "settings.yaml"
    path.write_text(f"deadlines: {{az: {number}}}\n")
    with pytest.raises(Trouble, match="is not a valid value"):
        strict.read(path)


def test_the_parser_in_python_has_the_same_limits(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(yaml, "CSafeLoader")
    bounded.loader.cache_clear()
    try:
        for text in ("[" * 2000, HOSTILE["an alias bomb"], "!!bool maybe"):
            with pytest.raises(yaml.YAMLError):
                yaml.load(text, Loader=bounded.loader())
        assert yaml.load("{a: [1, &x b, *x]}", Loader=bounded.loader()) == {"a": [1, "b", "b"]}
    finally:
        bounded.loader.cache_clear()


def test_ordinary_aliases_and_documents_are_read():
    text = "base: &base {a: 1}\nsame: {<<: *base, b: 2}\nlist: [*base, *base]\n---\nnext: yes\n"
    first, second = yaml.load_all(text, Loader=bounded.loader())
    assert first == {"base": {"a": 1}, "same": {"a": 1, "b": 2}, "list": [{"a": 1}, {"a": 1}]}
    assert second == {"next": True}


@pytest.mark.parametrize(
    "text", ["[" * DEEP, '{"a":' * DEEP, "NaN", "[Infinity]", "-Infinity", "1e999", "", "{", "1" * 5000]
)
def test_json_that_cannot_be_used_is_a_value_error(text: str):
    with pytest.raises(ValueError):
        strict_json.loads(text)


def test_json_that_is_not_an_object_is_a_value_error():
    with pytest.raises(ValueError, match="not an object"):
        strict_json.mapping("[1]")
    assert strict_json.mapping('{"a": 1.5}') == {"a": 1.5}


def test_a_named_pipe_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        regular_file.read(tmp_path / "pipe")
    with pytest.raises(IsADirectoryError):
        regular_file.read(tmp_path)
    with pytest.raises(OSError, match="not a valid path"):
        regular_file.read("a\0b")
    with pytest.raises(FileNotFoundError):
        regular_file.read(tmp_path / "absent")


def test_an_endless_file_is_not_read_to_its_end(tmp_path: Path):
    with pytest.raises(OSError, match="larger than 32 MiB"):
        regular_file.read("/dev/zero")
    assert regular_file.read("/dev/null") == b""
    (tmp_path / "file").write_bytes(b"\xef\xbb\xbfgr\xc3\xbcn")
    assert regular_file.text(tmp_path / "file") == "grün"


class _Pod(Shape):
    name: str
    port: int | None = None


def test_an_answer_of_another_form_names_its_place():
    assert must_be(_Pod, {"name": "web", "more": []}, said="kubectl get") == {"name": "web", "more": []}
    with pytest.raises(ToolError) as caught:
        must_be(list[_Pod], [{"name": "web"}, {"name": 5}], said="kubectl get")
    assert caught.value.what == "kubectl get: the answer has another form than expected"
    assert "$[1].name" in caught.value.why
    assert caught.value.tool == "kubectl"
    assert not fits(_Pod, {"name": "web", "port": "http"})
    assert fits(_Pod, {"name": "web", "port": "80"})


def make(path: Path, content: str | None) -> None:
    """Write the file, or make a named pipe without content."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if content is None:
        os.mkfifo(path)
    else:
        path.write_text(content)


@pytest.mark.parametrize(
    "content", [None, "[" * DEEP, "{", '{"id": []}', "\udcff"], ids=["a pipe", "deep", "half", "types", "bytes"]
)
def test_a_damaged_state_file_is_ignored_or_named(content: str | None):
    if content == "\udcff":
        make(store.folder("journal", "x.json"), "")
        store.folder("journal", "x.json").write_bytes(b"\xff")
    else:
        make(store.folder("journal", "x.json"), content)
        make(store.folder("timings.jsonl"), content)
    assert journal.entries() == []
    entry = journal.record("process")
    assert journal.entries() == [entry]
    if content is None:
        with pytest.raises(Trouble, match="not a regular file"):
            timing.kept()
        with pytest.raises(Trouble, match="cannot write"):
            timing.keep("setup", 1)
    else:
        assert timing.kept() == []


WRONG_ENTRIES: dict[str, dict[str, Any]] = {
    "another name": {"id": "../../victim"},
    "a list as kind": {"kind": []},
    "a word as time": {"made": "x"},
    "a list as pid": {"pid": []},
    "a list as data": {"data": []},
}


@pytest.mark.parametrize("case", WRONG_ENTRIES)
def test_an_entry_of_the_journal_with_wrong_types_is_ignored(case: str):
    import json

    entry = journal.record("process", name="web")
    path = store.folder("journal", f"{entry.id}.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **WRONG_ENTRIES[case]}))
    assert journal.entries() == []


READ_ONLY = """
import os, sys
import encodings.utf_8_sig, filelock, tasks.core.process.running  # another user may not read them later
from tasks.core.errors import Trouble
from tasks.core.state import journal, store, timing

if os.geteuid() == 0:  # root may write everywhere
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
entry = journal.record("process")
store.write(store.folder("x"), "old")
store.made(store.folder("locks"))
folders = [place for place, below, files in os.walk(store.folder())]
for place in folders:
    os.chmod(place, 0o500)
for work in (
    lambda: journal.forget(entry),
    lambda: journal.update(entry, a=1),
    lambda: journal.record("process"),
    lambda: store.write(store.folder("x"), "new"),
    lambda: store.delete(store.folder("x")),
    lambda: store.lock("a").__enter__(),
    lambda: timing.keep("setup", 1),
):
    try:
        work()
        print("written")
    except Trouble as why:
        assert why.fix, why
        print("trouble")
timing.keep_if_possible("setup", 1)
store.cache(store.folder("x"), "new")
for place in folders:
    os.chmod(place, 0o700)
"""


def test_a_state_folder_that_became_read_only_is_a_sentence():
    with tempfile.TemporaryDirectory() as folder:  # not below pytest's own, which other users may not enter
        os.chmod(folder, 0o777)
        state = Path(folder) / "state"
        env = {**os.environ, "REMOTE_DEV_STATE": str(state), "HOME": folder}
        argv = [sys.executable, "-c", READ_ONLY]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["trouble"] * 7, done.stderr
    assert "the time was not kept" in done.stderr


def test_threads_do_not_matter_to_the_limit_of_json():
    """The recursion limit belongs to a thread: a deep document must not end one of the pool either."""
    seen: list[str] = []

    def look() -> None:
        try:
            strict_json.loads("[" * DEEP)
        except ValueError as why:
            seen.append(str(why))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == ["it is nested too deeply"]
