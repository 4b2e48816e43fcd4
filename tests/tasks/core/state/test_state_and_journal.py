"""State files are private and complete; the journal distinguishes living owners from dead ones."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.core.config import settings
from tasks.core.errors import REFUSED, Refused, Trouble
from tasks.core.state import journal, store, timing


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folders_are_0700_and_files_0600():
    path = store.folder("a", "b", "c.json")
    store.write(path, "x")
    assert (mode(path), mode(path.parent), mode(store.folder())) == (0o600, 0o700, 0o700)


def test_a_write_that_fails_leaves_the_old_file(monkeypatch: pytest.MonkeyPatch):
    path = store.folder("file")
    store.write(path, "old")

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(Trouble, match="No space left on device"):
        store.write(path, "new")
    assert store.read(path) == "old"
    assert [p.name for p in path.parent.iterdir()] == ["file"]


WRITING = """
import os, signal, sys
from pathlib import Path
from tasks.core.state import store
os.replace = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)
store.write(Path(sys.argv[1]), "secret")
"""


def killed_while_writing(path: Path) -> Path:
    """Return the temporary file of a run that was killed while it wrote the path, which stays as it was."""
    before = set(path.parent.iterdir()) if path.parent.exists() else set()
    killed = subprocess.run([sys.executable, "-c", WRITING, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = set(path.parent.iterdir()) - before
    assert left.read_text() == "secret"
    return left


@pytest.mark.parametrize("place", ["setup.json", "journal/1.json", "sessions/dev.ameide/kubeconfig"])
def test_what_a_killed_run_was_writing_is_deleted_by_the_next_run(place: str):
    path = store.folder(*place.split("/"))
    killed_while_writing(path)
    living = path.with_name(f"{store.beside(path)}abcdefgh")
    mine = path.with_name(".of-a-person.12-34-x")
    for kept in (living, mine, path):
        kept.write_text("x")
    settings.settings()
    assert sorted(path.parent.iterdir()) == sorted([living, mine, path])


def test_a_file_elsewhere_is_written_again_without_what_a_killed_run_left(tmp_path: Path):
    path = tmp_path / "pod[1].env"
    left = killed_while_writing(path)
    store.write(path, "x")
    assert not left.exists()
    assert list(tmp_path.glob("pod*")) == [path]


def test_a_state_folder_that_cannot_be_made_is_one_clear_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("REMOTE_DEV_STATE", str(tmp_path / "file" / "below"))
    with pytest.raises(Trouble, match="cannot write"):
        store.write(store.folder("x"), "")


def test_an_entry_exists_until_it_is_deleted():
    entry = journal.record("intercept", name="www")
    assert [e.data["name"] for e in journal.entries("intercept")] == ["www"]
    assert entry.owner_lives
    journal.update(entry, group=12)
    assert journal.entries()[0].data == {"name": "www", "group": 12}
    journal.forget(entry)
    journal.forget(entry)
    assert journal.entries() == []


def test_an_entry_of_a_run_that_was_killed_has_no_living_owner():
    code = "from tasks.core.state import journal; import os, signal; journal.record('intercept', name='x'); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code], check=False)
    assert [e.owner_lives for e in journal.entries()] == [False]


def test_an_entry_whose_pid_was_reused_has_no_living_owner():
    entry = journal.record("intercept", name="x")
    earlier = replace(entry, start=entry.start - 1)
    assert (entry.owner_lives, earlier.owner_lives) == (True, False)


def test_a_file_that_is_not_an_entry_is_ignored():
    journal.record("file", path="x")
    store.folder("journal", "broken.json").write_text("{")
    assert len(journal.entries()) == 1


def test_a_lock_is_waited_for_and_named():
    code = "from tasks.core.state import store as state; import sys, time\nwith state.lock('one'):\n print('held', flush=True); time.sleep(30)"
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    try:
        with pytest.raises(Trouble, match="lock 'one'"), store.lock("one", wait=0.2):
            pass
    finally:
        holder.kill()
        holder.wait()
    with store.lock("one", wait=5):  # the kernel dropped the dead one's
        pass


def test_a_lock_file_is_private_whatever_the_umask():
    umask = os.umask(0)
    try:
        with store.lock("one"):
            assert mode(store.folder("locks", "one.lock")) == 0o600
    finally:
        os.umask(umask)


def test_times_are_kept_by_what_was_done():
    timing.keep("setup", 1.25, cold=True)
    timing.keep("connect", 0.5)
    assert [(t["seconds"], t["cold"]) for t in timing.kept("setup")] == [(1.25, True)]
    assert len(timing.kept()) == 2


def test_a_time_that_cannot_be_kept_stops_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    store.made(tmp_path / "state" / "timings.jsonl")
    timing.keep_if_possible("intercept", 1.0)
    assert "the time was not kept" in capsys.readouterr().err


def test_an_entry_without_a_start_time_has_no_living_owner():
    entry = journal.record("intercept", name="x")
    assert entry.owner_lives
    assert not journal.Entry(entry.id, entry.kind, entry.made, 2**22 + 1, 0.0).owner_lives


@pytest.mark.parametrize("content", ['{"id":1,"kind":"x","made":"x","pid":1,"start":0,"data":5}', "[]", "{", "\x00"])
def test_a_journal_file_that_is_not_ours_is_ignored(content: str):
    mine = journal.record("intercept", name="x")
    (store.folder("journal") / "x.json").write_text(content)
    assert journal.entries() == [mine]


@pytest.mark.parametrize("place", ["", "journal", "sessions/dev.ameide"])
def test_an_unreadable_state_is_not_treated_as_empty(place: str, monkeypatch: pytest.MonkeyPatch):
    unreadable = str(store.made(store.folder(*place.split("/")) if place else store.folder()))
    usual = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) != unreadable and usual(path, mode))
    with pytest.raises(Trouble, match="cannot read the state") as caught:
        settings.settings()
    assert "chown" in caught.value.fix


def test_a_user_without_a_home_gets_an_error(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("HOME")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    with pytest.raises(Trouble, match="HOME is not set"):
        settings.settings()


def test_a_temporary_folder_that_cannot_be_created_is_an_error(monkeypatch: pytest.MonkeyPatch):
    def none(**more: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkdtemp", none)
    with pytest.raises(Trouble, match="No space left on device") as caught, store.temporary():
        pass
    assert store.VARIABLE in caught.value.fix


def test_an_error_in_the_block_is_not_an_error_of_the_temporary_folder():
    places = []

    def block() -> None:
        with store.temporary() as folder:
            places.append((folder, mode(folder)))
            raise OSError("mine")

    with pytest.raises(OSError, match="mine"):
        block()
    assert places[0][1] == 0o700
    assert not places[0][0].exists()
    assert not store.folder().exists()  # a dry run leaves nothing, not even the state folder


KILLED = """
import os, signal
from tasks.tools.private_caches import without_trace
with without_trace():
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_login_that_a_killed_run_copied_is_deleted_by_the_next_run():
    profile = Path.home() / ".azure" / "msal_token_cache.json"
    profile.parent.mkdir()
    profile.write_text("token")
    with store.temporary() as mine:
        subprocess.run([sys.executable, "-c", KILLED], check=False)
        (left,) = [place for place in store.folder().glob("private-*") if place != mine]
        assert (left / "azure" / profile.name).read_text() == "token"
        (store.folder() / "private-x").mkdir()
        settings.settings()
        assert list(store.folder().glob("private-*")) == [mine]  # that of a living run stays


def test_a_temporary_folder_of_an_earlier_process_with_this_pid_is_deleted():
    left = store.made(store.folder(f"private-{os.getpid()}-1-abc"))
    store.sweep()
    assert not left.exists()


@pytest.mark.parametrize("bits", [0o750, 0o705, 0o777, 0o710, 0o722])
def test_a_state_folder_that_others_can_enter_is_refused(bits: int):
    store.made(store.folder()).chmod(bits)
    with pytest.raises(Refused, match=f"is open to other users \\(mode {bits:04o}\\)") as refused:
        settings.settings()
    assert refused.value.code == REFUSED
    subprocess.run(["sh", "-c", refused.value.fix], check=True)
    settings.settings()


def test_a_state_folder_of_another_user_is_refused(monkeypatch: pytest.MonkeyPatch):
    store.made(store.folder())
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    with pytest.raises(Refused, match="belongs to user") as refused:
        settings.settings()
    assert "chown" in refused.value.fix


def test_a_state_folder_that_the_suite_made_is_accepted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    umask = os.umask(0)
    try:
        monkeypatch.setenv("REMOTE_DEV_STATE", str(tmp_path / "deep" / "below" / "state"))
        store.write(store.folder("journal", "x"), "")
        settings.settings()
    finally:
        os.umask(umask)


@pytest.mark.parametrize("group", ["12", [1], {"a": 1}, 1.5, 1e300, -1, 0, None, True])
def test_a_group_that_is_not_one_is_not_ended(group: object):
    assert journal.record("process", group=group).group == 0
