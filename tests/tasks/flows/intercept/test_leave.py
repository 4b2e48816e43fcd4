"""Leaving what the journal says, with Telepresence replaced. No program runs, and no signal is sent."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks.core.config.catalogue import Dev
from tasks.core.errors import REFUSED, Problem, Refused, ToolError, Trouble
from tasks.core.process import foreground, mark
from tasks.core.state import journal, store
from tasks.core.state.journal import Entry
from tasks.flows.intercept import cli, env_file, environment, leave
from tasks.tools import telepresence
from tests.tasks.flows import fakes
from tests.tasks.flows.fakes import HERE, NOT_CONNECTED, Workstation


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Workstation:
    monkeypatch.setattr(leave, "until", lambda question, **how: question())
    return fakes.workstation(monkeypatch)


def changed(here: Workstation) -> list[str]:
    """What was changed, without notices: they are deleted in the background."""
    return [did for did in here.did if "notice" not in did]


def test_an_intercept_is_left_with_its_files_and_forgotten(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    file = tmp_path / "env"
    entry = fakes.intercept(monkeypatch, here, "www")
    env_file.write(entry, file, {"SECRET": "1"}, Dev(command=["x"]))
    here.intercepts("www", "other")
    leave.leave_entry(here.settings, entry)
    assert changed(here) == ["leave www"]
    assert here.names == ["other"]
    assert not file.exists()
    assert journal.entries() == []


def written(monkeypatch: pytest.MonkeyPatch, here: Workstation, file: Path) -> Entry:
    entry = fakes.intercept(monkeypatch, here, "www")
    env_file.write(entry, file, {"SECRET": "1"}, Dev(command=["x"]))
    return entry


def by_another_with_the_same_content(file: Path) -> None:
    other = file.with_name("other")
    other.write_text(file.read_text())
    other.rename(file)


def by_a_link(file: Path) -> None:
    mine = file.with_name("mine")
    mine.write_text(file.read_text())
    file.unlink()
    file.symlink_to(mine)


def by_a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize(
    "replaced", [lambda file: file.write_text("MINE=1"), by_another_with_the_same_content, by_a_link, by_a_pipe]
)
def test_a_file_that_replaced_the_env_file_is_kept_and_named(
    here: Workstation,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    replaced: Callable[[Path], object],
):
    file = tmp_path / "env"
    entry = written(monkeypatch, here, file)
    replaced(file)
    leave.leave_entry(here.settings, entry)
    assert os.path.lexists(file)
    assert f"warning: {file} is not the env file that was written" in capsys.readouterr().err
    assert journal.entries() == []


def test_an_env_file_that_tp_env_has_written_again_is_removed(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    file = tmp_path / "env"
    entry = written(monkeypatch, here, file)
    other = tmp_path / "other"
    for path in (file, other):
        environment.write_file(path, {"SECRET": "2"}, Dev(command=["x"]))
        env_file.rewritten(path)
    leave.leave_entry(here.settings, entry)
    assert (file.exists(), other.exists()) == (False, True)


def test_an_env_file_of_a_run_that_was_killed_after_writing_it_is_removed(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """The hash is in the journal before the file exists, its number only afterwards."""
    file = tmp_path / "env"
    entry = fakes.intercept(monkeypatch, here, "www")
    seen: list[dict[str, Any]] = []
    write = store.write

    def killed(path: Path, data: str) -> None:
        write(path, data)
        if path == file:
            seen.extend(leave.current(entry).data["files"])
            raise KeyboardInterrupt

    monkeypatch.setattr(store, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        env_file.write(entry, file, {"SECRET": "1"}, Dev(command=["x"]))
    assert [sorted(known) for known in seen] == [["path", "sha256"]]
    leave.leave_entry(here.settings, entry)
    assert not file.exists()


def test_what_a_run_that_was_killed_while_it_wrote_the_env_file_left_is_deleted(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    file, left = tmp_path / "env", tmp_path / f".env.{os.getpid()}-1-abcdefgh"  # of an earlier process with this pid
    entry = written(monkeypatch, here, file)
    file.unlink()
    left.write_text("SECRET=1")
    leave.leave_entry(here.settings, entry)
    assert not left.exists()


def test_a_path_in_a_journal_of_an_earlier_version_is_not_enough_to_delete(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    file = tmp_path / "env"
    file.write_text("MINE=1")
    leave.leave_entry(
        here.settings, fakes.intercept(monkeypatch, here, "www", files=[str(file), str(tmp_path / "gone")])
    )
    assert file.exists()


def test_an_intercept_of_another_place_is_kept_with_the_command_that_leaves_it(
    here: Workstation, monkeypatch: pytest.MonkeyPatch
):
    place = {"context": "c", "namespace": "n", "kubeconfig": "/elsewhere"}
    entry = fakes.recorded(monkeypatch, "intercept", name="www", **place)
    with pytest.raises(Refused) as refused:
        leave.leave_entry(here.settings, entry)
    assert refused.value.fix == "REMOTE_DEV_CLUSTER__CONTEXT=c REMOTE_DEV_CLUSTER__NAMESPACE=n inv down"
    assert "c/n" in refused.value.what
    assert here.did == []
    assert journal.entries() == [entry]
    (change,) = leave.changes(here.settings, [entry])
    assert change.text == "leave the intercept www, once the settings point to c/n again"


def test_an_intercept_that_stays_is_a_failure_and_stays_in_the_journal(
    here: Workstation, monkeypatch: pytest.MonkeyPatch
):
    entry = fakes.intercept(monkeypatch, here, "www")
    monkeypatch.setattr(telepresence, "leave", lambda s, name: here.change(f"leave {name}"))
    with pytest.raises(ToolError) as failed:
        leave.leave_entry(here.settings, entry)
    assert (failed.value.tool, failed.value.fix) == ("telepresence", "inv tp.quit")
    assert journal.entries() == [entry]


@pytest.mark.parametrize(
    ("session", "did"),
    [
        (HERE, ["leave www"]),
        (NOT_CONNECTED, ["assess", "connect", "leave www"]),
        (replace(HERE, state="Not connected"), ["assess", "quit", "connect", "leave www"]),
    ],
)
def test_a_lost_session_is_reconnected_first(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, session: telepresence.Session, did: list[str]
):
    entry = fakes.intercept(monkeypatch, here, "www")
    here.session = session
    leave.leave_entry(here.settings, entry)
    assert changed(here) == did
    assert journal.entries("intercept") == []


def test_a_session_elsewhere_that_holds_intercepts_is_not_ended_for_that(
    here: Workstation, monkeypatch: pytest.MonkeyPatch
):
    entry = fakes.intercept(monkeypatch, here, "www")
    here.session = replace(HERE, context="other", intercepts=(("shop", "ada@box"),))
    with pytest.raises(Refused):
        leave.leave_entry(here.settings, entry)
    assert changed(here) == []
    assert journal.entries() == [entry]


def test_a_session_is_not_opened_in_production_to_leave(monkeypatch: pytest.MonkeyPatch):
    here = fakes.workstation(monkeypatch, cluster__context="prod-aks")
    entry = fakes.intercept(monkeypatch, here, "www")
    here.session = NOT_CONNECTED
    with pytest.raises(Refused):
        leave.leave_entry(here.settings, entry)
    assert here.did == []


@pytest.mark.parametrize(("listed", "held"), [("www", True), ("www/container", True), ("www-2", False), ("web", False)])
def test_a_replacement_is_held_under_the_name_of_its_container(listed: str, held: bool):
    assert leave.holds(replace(HERE, intercepts=((listed, "ada@box"),)), "www") is held


def test_what_the_journal_does_not_name_was_made_by_hand(monkeypatch: pytest.MonkeyPatch, here: Workstation):
    fakes.intercept(monkeypatch, here, "www")
    here.intercepts("www", "www/web", "shop", "shop/web")
    assert leave.made_by_hand(here.session) == ["shop", "shop/web"]


@pytest.mark.parametrize("word", ["", "www-ada", "www-service", "www-workload"])
def test_an_intercept_is_found_by_name_service_or_workload(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, word: str
):
    www = fakes.intercept(monkeypatch, here, "www-ada", service="www-service", workload="www-workload")
    shop = fakes.intercept(monkeypatch, here, "shop")
    assert leave.find(word) == ([www] if word else [www, shop])
    assert leave.find("other") == []


def test_what_was_added_to_an_entry_is_current(monkeypatch: pytest.MonkeyPatch, here: Workstation):
    fakes.intercept(monkeypatch, here, "shop")
    entry = fakes.intercept(monkeypatch, here, "www")
    journal.update(entry, group=7)
    assert leave.current(entry).data["group"] == 7
    journal.forget(entry)
    assert leave.current(entry) is entry


@pytest.mark.parametrize(("ours", "ended"), [(True, [7]), (False, [])])
def test_a_group_is_ended_only_while_it_is_the_recorded_one(
    monkeypatch: pytest.MonkeyPatch, ours: bool, ended: list[int]
):
    entry = fakes.recorded(monkeypatch, "intercept", group=7)
    groups: list[int] = []
    monkeypatch.setattr(foreground, "end_group", groups.append)
    monkeypatch.setattr(mark, "carried_in_group", lambda group, mark: ours)
    leave.end_process(entry)
    assert groups == ended


def test_a_living_run_is_asked_to_end_itself(here: Workstation, monkeypatch: pytest.MonkeyPatch):
    other = fakes.intercept(monkeypatch, here, "other", by="other")
    own = fakes.intercept(monkeypatch, here, "own", by="self")
    killed = fakes.intercept(monkeypatch, here, "killed")
    sent: list[tuple[int, int]] = []

    def kill(pid: int, number: int) -> None:
        sent.append((pid, number))
        if number == signal.SIGCONT:
            journal.forget(other)
            monkeypatch.setattr(journal, "started", lambda pid: 0.0)

    monkeypatch.setattr(os, "kill", kill)
    first, second, third = leave.changes(here.settings, [other, own, killed])
    assert (first.text, first.equivalent) == (f"end the run of other (pid {other.pid})", ("kill", str(other.pid)))
    assert [(change.text, change.argv) for change in (second, third)] == [
        ("leave the intercept own", ("leave", "own")),
        ("leave the intercept killed", ("leave", "killed")),
    ]
    first.run()
    assert sent == [(other.pid, signal.SIGTERM), (other.pid, signal.SIGCONT)]
    assert changed(here) == []
    assert journal.entries() == [own, killed]


@pytest.mark.parametrize("gone", [True, False])
def test_what_an_ended_run_could_not_leave_is_left_for_it(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, gone: bool
):
    other = fakes.intercept(monkeypatch, here, "other", by="other")
    shop = fakes.intercept(monkeypatch, here, "shop", by="other")
    (change, _) = leave.changes(here.settings, [other, shop])

    def kill(pid: int, number: int) -> None:
        if gone:
            raise ProcessLookupError
        monkeypatch.setattr(journal, "started", lambda pid: 0.0)

    monkeypatch.setattr(os, "kill", kill)
    change.run()
    assert changed(here) == ["leave other"]
    assert journal.entries() == [shop]


def test_a_run_that_does_not_end_is_named_after_the_second_request(here: Workstation, monkeypatch: pytest.MonkeyPatch):
    other = fakes.intercept(monkeypatch, here, "other", by="other")
    (change,) = leave.changes(here.settings, [other])
    sent: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append(number))
    with pytest.raises(Trouble) as failed:
        change.run()
    assert failed.value.problem == Problem(
        f"the run of other (pid {os.getppid()}) does not end", fix=f"kill -9 {os.getppid()}, then inv down"
    )
    assert sent == [signal.SIGTERM, signal.SIGCONT] * 2
    assert journal.entries() == [other]


def test_the_command_is_the_classic_one_when_telepresence_cannot_be_asked(
    here: Workstation, monkeypatch: pytest.MonkeyPatch
):
    def fails(s: object, name: str) -> None:
        raise ToolError("telepresence is not installed")

    entry = fakes.intercept(monkeypatch, here, "www")
    monkeypatch.setattr(telepresence, "leave", fails)
    (change,) = leave.changes(here.settings, [entry])
    assert change.argv == ("telepresence", "leave", "www")


def test_inv_leave_leaves_one_service_or_all(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    fakes.intercept(monkeypatch, here, "www-ameide")
    fakes.intercept(monkeypatch, here, "graph")
    cli.leave("www_ameide", dry=True)
    assert store._only_read
    assert capsys.readouterr().out.startswith("would leave the intercept www-ameide\n")
    assert changed(here) == []
    cli.leave("www_ameide", dry=False)
    assert changed(here) == ["leave www-ameide"]
    cli.leave("", dry=False)
    assert changed(here) == ["leave www-ameide", "leave graph"]
    assert capsys.readouterr().out == ""
    cli.leave("", dry=False)
    cli.leave("graph", dry=False)
    assert capsys.readouterr().out == "nothing to leave\ngraph is not intercepted: nothing to leave\n"


def test_inv_leave_goes_on_after_a_failure_and_raises_the_first(
    here: Workstation, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    for name in ("www", "graph", "agents"):
        fakes.intercept(monkeypatch, here, name)
    here.failing = {"leave www": ToolError("first"), "leave graph": ToolError("second")}
    with pytest.raises(ToolError, match="first"):
        cli.leave("", dry=False)
    assert changed(here) == ["leave agents"]
    said = capsys.readouterr().err
    assert "second" in said
    assert "first" not in said


@pytest.mark.parametrize("word", ["grahp", "graph-bob"])
def test_a_typing_error_is_not_nothing_to_leave(here: Workstation, word: str):
    with pytest.raises(Trouble) as failed:
        cli.leave(word, dry=False)
    assert failed.value.fix == "did you mean graph?"


def test_the_name_of_an_intercept_with_the_own_slot_is_known(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    fakes.workstation(monkeypatch, telepresence__slot="ada")
    cli.leave("graph-ada", dry=False)
    assert capsys.readouterr().out == "graph-ada is not intercepted: nothing to leave\n"


def test_inv_leave_in_production_is_refused(monkeypatch: pytest.MonkeyPatch):
    here = fakes.workstation(monkeypatch, cluster__context="prod-aks")
    fakes.intercept(monkeypatch, here, "www")
    with pytest.raises(Refused) as refused:
        cli.leave("", dry=False)
    assert refused.value.code == REFUSED
    assert here.did == []
