"""Whole runs on repositories whose state git keeps out of sight: hidden changes, conversions, hooks, other work trees."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from migration import cli, mapping_file
from migration import undo as undoing
from migration.git.names import is_inside
from sandbox.legacy import faults_git as faults
from tasks.core.errors import Trouble
from tests.migration.conftest import Pair, blocks, code_of

pytestmark = pytest.mark.slow


def undo(repos: Pair) -> int:
    return code_of(lambda: undoing.undo(repos.core, repos.gitops, yes=True, dry=False, json=False))


def hide(repos: Pair) -> dict[Path, str]:
    """Change files that git status does not look at. Return each with its content."""
    for bit, path in faults.HIDDEN.items():
        repos.git("core", "update-index", f"--{bit}", "--", path)
        with (repos.core / path).open("a", encoding="utf-8") as file:
            file.write(faults.HIDDEN_TEXT)
    return {repos.core / path: (repos.core / path).read_text() for path in faults.HIDDEN.values()}


def state(repos: Pair) -> list[str]:
    """What undo restores in both repositories: trees, indexes with their bits, and what git status says."""
    asked = (("rev-parse", "HEAD^{tree}"), ("ls-files", "-v"), ("status", "--porcelain", "-uno", "--ignore-submodules"))
    return [repos.git(name, *words) for name in ("core", "gitops") for words in asked]


def test_hidden_changes_are_named_with_their_fix_and_not_deleted(ready: Pair, capsys: pytest.CaptureFixture[str]):
    kept, before = hide(ready), state(ready)
    assert "git status does not show it" in " ".join(p.what for p in ready.plan((4,)).problems)
    assert ready.run(4) == 3
    said = capsys.readouterr().err
    assert any(f"update-index --no-{bit} -- {path}" in said for bit, path in faults.HIDDEN.items())
    assert {place: place.read_text() for place in kept} == kept
    assert state(ready) == before
    for bit, path in faults.HIDDEN.items():
        ready.git("core", "update-index", f"--no-{bit}", "--", path)
        ready.git("core", "checkout", "--", path)
    assert ready.run(4) == 0


def test_hidden_changes_of_what_stays_prevent_nothing(pair: Callable[..., Pair]):
    repos = pair("hidden-changes")
    kept = {repos.core / path: (repos.core / path).read_text() for path in faults.HIDDEN.values()}
    before = state(repos)
    assert repos.run(1) == 0
    assert undo(repos) == 0
    assert {place: place.read_text() for place in kept} == kept
    assert state(repos) == before


def test_undo_does_not_overwrite_a_hidden_change(ready: Pair, capsys: pytest.CaptureFixture[str]):
    ready.git("core", "update-index", "--assume-unchanged", "README.md")
    (ready.core / "README.md").write_text("a person's\n")
    assert undo(ready) == 3
    assert "update-index --no-assume-unchanged -- README.md" in capsys.readouterr().err
    assert (ready.core / "README.md").read_text() == "a person's\n"
    ready.git("core", "update-index", "--no-assume-unchanged", "README.md")
    ready.git("core", "checkout", "--", "README.md")
    assert undo(ready) == 0


def test_bits_of_unchanged_files_come_back_with_undo(ready: Pair):
    for bit, path in faults.HIDDEN.items():
        ready.git("core", "update-index", f"--{bit}", "--", path)
    tags = {path: ready.git("core", "ls-files", "-v", "--", path)[0] for path in faults.HIDDEN.values()}
    assert ready.run(4) == 0
    assert undo(ready) == 0
    assert {path: ready.git("core", "ls-files", "-v", "--", path)[0] for path in faults.HIDDEN.values()} == tags


def test_a_pointer_of_git_lfs_waits_for_attribute_and_object(pair: Callable[..., Pair]):
    repos = pair("lfs-pointers")
    place = "bootstrap/media/tour.mp4"

    def found() -> list[tuple[str, str]]:
        return [(b.where, b.fix) for r in repos.plan((1,)).results for b in r.blocks if b.path == faults.LFS_PATH]

    ((where, fix),) = found()
    assert where == f"filter is lfs in core, not set for gitops:{place}"
    assert f"/{place} filter=lfs" in fix
    repos.commit("gitops", ".gitattributes", b"*.mp4 filter=lfs -text\n")
    ((where, fix),) = found()
    assert "gitops lacks its object" in where
    assert "lfs fetch" in fix
    store = repos.gitops / fix.rpartition("cp ")[2].split()[-1]
    store.parent.mkdir(parents=True)
    store.write_bytes(faults.LFS_OBJECT)
    assert found() == []
    repos.git("gitops", "config", "filter.lfs.smudge", f"cat > /dev/null; cat {store}")
    repos.git("gitops", "config", "filter.lfs.clean", f"cat > /dev/null; git cat-file blob HEAD:{place}")
    repos.run(1)
    assert (repos.gitops / place).read_bytes() == faults.LFS_OBJECT
    assert repos.git("gitops", "status", "--porcelain") == ""
    assert repos.git("gitops", "show", f"HEAD:{place}").encode() + b"\n" == faults.lfs_pointer()


def test_another_conversion_in_gitops_blocks_the_copy(pair: Callable[..., Pair]):
    repos = pair()
    lines = b"bootstrap/bootstrap.sh filter=crypt\nscripts/*.sh working-tree-encoding=UTF-16LE\n"
    repos.commit("gitops", ".gitattributes", lines)
    found = blocks(repos.plan((1,)), "custom")
    assert any(
        path == "tools/bootstrap/bootstrap-v2.sh" and "filter is not set in core, crypt" in w for path, _, w in found
    )
    assert any(path.startswith("infra/kubernetes/scripts/") and "working-tree-encoding" in w for path, _, w in found)


def test_line_ends_that_gitops_would_convert_block_the_copy(pair: Callable[..., Pair]):
    repos = pair()
    repos.commit("core", "tools/bootstrap/start.cmd", b"call x\r\n")
    repos.commit("gitops", ".gitattributes", b"*.cmd text\n")
    assert ("tools/bootstrap/start.cmd", "custom") in {(p, r) for p, r, w in blocks(repos.plan((1,))) if "CRLF" in w}


def test_converted_files_are_clean_after_apply_and_after_undo(pair: Callable[..., Pair]):
    repos = pair("conversions")
    before = state(repos)
    files = {path: (repos.core / path).read_bytes() for path in faults.CONVERTED}
    assert b"\r\n" in files["tools/bootstrap/windows/start.cmd"]
    for number in (1, 2, 3, 4):
        assert repos.run(number) == 0
    assert [line for line in state(repos)[2::3] if line] == []
    for path, data in files.items():
        assert (repos.gitops / path.replace("tools/bootstrap", "bootstrap")).read_bytes() == data
        assert not (repos.core / path).exists()
    assert undo(repos) == 0
    assert state(repos) == before
    assert {path: (repos.core / path).read_bytes() for path in faults.CONVERTED} == files


def test_no_hook_runs(pair: Callable[..., Pair]):
    repos = pair("marking-hooks")
    for folder in (repos.core, repos.gitops):
        (folder / ".git" / faults.MARKER).unlink(missing_ok=True)
    assert repos.run(1, history="keep") == 0
    assert undo(repos) == 0
    ran = [(folder / ".git" / faults.MARKER) for folder in (repos.core, repos.gitops)]
    assert [place.read_text() for place in ran if place.exists()] == []


def test_locks_of_other_processes_are_named_and_stay(pair: Callable[..., Pair], capsys: pytest.CaptureFixture[str]):
    repos = pair("foreign-locks")
    for _ in faults.LOCKS:
        capsys.readouterr()
        assert repos.run(1) == 3
        said = capsys.readouterr().err
        named = next(lock for lock in faults.LOCKS if f"/{lock}" in said)
        assert (repos.core / ".git" / named).exists()
        (repos.core / ".git" / named).unlink()
    assert repos.run(1) == 0


def test_the_leftovers_of_a_killed_run_are_swept(pair: Callable[..., Pair]):
    repos = pair("killed-run")
    assert repos.run(1) == 0
    assert [name for name in faults.LEFTOVERS if (repos.core / ".git" / name).exists()] == []


def test_copies_do_not_go_through_a_link(pair: Callable[..., Pair]):
    repos = pair("link-as-folder")
    repos.run(1)
    assert [p.name for p in (repos.folder / "outside").iterdir()] == ["bootstrap.sh"]
    assert (repos.folder / "outside/bootstrap.sh").read_text() == "# not in a repository\n"
    assert ("bootstrap", "custom") in {(p, r) for p, r, _ in blocks(repos.plan((1,)))}


def test_a_target_in_another_work_tree_is_refused_with_its_line(pair: Callable[..., Pair]):
    repos = pair("work-tree-inside")
    with pytest.raises(Trouble, match=r"migration\.yaml:\d+: 'bootstrap/.*another repository or work tree"):
        repos.plan((1,))


@pytest.mark.parametrize(
    "path",
    [".git/x", ".GIT/x", "a/.Git/x", ".git /x", ".git./x", "GIT~1/x", ".git::$INDEX_ALLOCATION/x", ".g\u200cit/x"],
)
def test_names_of_git_s_folder_are_not_inside(path: str):
    assert not is_inside(path)


@pytest.mark.parametrize(
    "path",
    [".GIT/x", "GIT~1/x", ".git. /x", "a\0b", "/a", "../a", "a/./b", "a//b", "a\\b", ""],
)
def test_a_path_that_is_not_inside_is_refused_with_its_line(tmp_path: Path, path: str):
    assert not is_inside(path)
    file = tmp_path / "migration.yaml"
    quoted = path.replace("\\", "\\\\").replace("\0", "\\0")
    file.write_text(
        f'moves:\n  - {{from: "infra/", to: "ok/"}}\n  - {{from: "tools/x", to: "{quoted}"}}\n', encoding="utf-8"
    )
    with pytest.raises(Trouble, match=r"migration\.yaml:3: "):
        mapping_file.read(file)


@pytest.mark.parametrize("path", [".github/x", "git/x", ".gitignore", "a.git/x", "git~2/x", ".gitx/", "x/.gitmodules"])
def test_other_names_are_accepted(path: str):
    assert is_inside(path)


def test_one_repository_for_both_is_named_and_not_taken_for_another_run(
    pair: Callable[..., Pair], capsys: pytest.CaptureFixture[str]
):
    core = str(pair().core)
    flags = cli.Flags(core, core, yes=True)
    assert code_of(lambda: cli.phase(flags, 1)) == 3
    assert code_of(lambda: undoing.undo(Path(core), Path(core), yes=True, dry=False, json=False)) == 3
    said = capsys.readouterr().err
    assert said.count("core and gitops are the same repository") == 2
    assert "another run" not in said
