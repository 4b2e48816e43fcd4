"""suite.update: a newer suite comes in, and nothing of the team's is lost."""

from __future__ import annotations

import os

import pytest

from tasks.core import origin
from tests.tasks.flows.suite.conftest import FIRST, Both, made

CODE = FIRST["tasks/code.py"]


def edited(text: str, number: int, new: str) -> str:
    return text.replace(f"line_{number} = {number}\n", f"line_{number} = {new}\n")


def test_the_same_suite_is_up_to_date(both: Both):
    code, found = both.run(check=True)
    assert (code, found["state"], found["files"]) == (0, "done", [])


def test_unedited_files_are_replaced_added_and_deleted_and_it_can_be_undone(both: Both):
    before = both.team.git("rev-parse", "HEAD^{tree}")
    both.suite.commit({"tasks/code.py": "new = 1\n", "tasks/more.py": "more = 1\n", "tasks/old.py": None})
    code, found = both.run()
    assert (code, found["written"], found["state"]) == (0, True, "done")
    assert {f["path"]: f["action"] for f in found["files"]} == {
        "tasks/code.py": "replace",
        "tasks/more.py": "new",
        "tasks/old.py": "delete",
    }
    assert both.team.read("tasks/code.py") == "new = 1\n"
    assert not (both.team.folder / "tasks/old.py").exists()
    assert both.team.git("diff", "--name-only") == ""
    assert both.team.git("status", "--porcelain").splitlines() == [
        "M  tasks/.origin.json", "M  tasks/code.py", "A  tasks/more.py", "D  tasks/old.py"
    ]  # fmt: skip
    assert origin.read(both.team.read(origin.MANIFEST)).commit == both.suite.git("rev-parse", "HEAD")
    both.team.git("reset", "-q", "--hard")
    assert both.team.git("write-tree") == before
    assert both.team.git("status", "--porcelain", "--untracked-files=all") == ""


def test_after_the_update_nothing_is_left_to_do(both: Both):
    both.suite.commit({"tasks/code.py": "new = 1\n"})
    both.run()
    both.team.git("commit", "-qm", "update")
    assert both.run(check=True)[0] == 0
    assert both.check(check=True)[0] == 0


def test_an_edit_elsewhere_in_the_file_is_merged_and_stays_an_edit(both: Both):
    both.team.commit({"tasks/code.py": edited(CODE, 2, "'ours'")})
    both.suite.commit({"tasks/code.py": edited(CODE, 17, "'theirs'")})
    assert both.actions() == {"tasks/code.py": "merge"}
    assert both.team.read("tasks/code.py") == edited(edited(CODE, 2, "'ours'"), 17, "'theirs'")
    both.team.git("commit", "-qm", "update")
    assert [f["state"] for f in both.check()[1]["files"]] == ["edited"]
    both.suite.commit({"tasks/code.py": edited(edited(CODE, 17, "'theirs'"), 10, "'later'")})
    assert both.actions() == {"tasks/code.py": "merge"}


def test_edits_of_the_same_lines_block_and_nothing_is_written(both: Both):
    both.team.commit({"tasks/code.py": edited(CODE, 2, "'ours'")})
    both.suite.commit({"tasks/code.py": edited(CODE, 2, "'theirs'"), "tilt/x.star": "x = 2\n"})
    code, found = both.run()
    assert (code, found["state"], found["written"]) == (3, "blocked", False)
    (blocked,) = [f for f in found["files"] if f["action"] == "block"]
    assert blocked["path"] == "tasks/code.py"
    assert "--keep tasks/code.py" in blocked["fix"]
    assert both.team.git("status", "--porcelain") == ""
    assert both.actions(keep=("tasks/code.py",)) == {"tasks/code.py": "keep", "tilt/x.star": "replace"}
    assert both.team.read("tasks/code.py") == edited(CODE, 2, "'ours'")
    both.team.git("commit", "-qm", "update")
    assert both.run(check=True)[0] == 0  # it counts as merged


def test_a_merge_that_is_no_python_any_more_blocks(both: Both):
    both.team.commit({"tasks/code.py": CODE.replace("line_2 = 2\n", "line_2 = (\n")})
    both.suite.commit({"tasks/code.py": edited(CODE, 17, "'theirs'")})
    assert both.actions() == {"tasks/code.py": "block"}


def test_what_the_team_deleted_does_not_come_back(both: Both):
    both.team.commit({"tasks/old.py": None, "migration/engine.py": None})
    both.suite.commit({"tasks/old.py": "newer = 1\n", "migration/more.py": "more = 1\n", "tilt/x.star": "x = 2\n"})
    assert both.actions() == {
        "migration/engine.py": "keep",
        "migration/more.py": "keep",
        "tasks/old.py": "keep",
        "tilt/x.star": "replace",
    }
    assert list((both.team.folder / "migration").glob("*")) == []
    both.team.git("commit", "-qm", "update")
    assert both.run(check=True)[0] == 0


def test_an_edit_of_what_is_not_changed_stays(both: Both):
    both.team.commit({"tilt/x.star": "x = 'ours'\n"})
    both.suite.commit({"tasks/code.py": "new = 1\n"})
    assert both.actions() == {"tasks/code.py": "replace", "tilt/x.star": "keep"}


def test_an_edited_file_that_the_suite_has_dropped_blocks(both: Both):
    both.team.commit({"tasks/old.py": "old = 'ours'\n"})
    both.suite.commit({"tasks/old.py": None})
    assert both.actions() == {"tasks/old.py": "block"}
    assert both.actions(keep=("tasks/old.py",)) == {"tasks/old.py": "keep"}


def test_a_file_of_the_team_where_a_new_one_belongs_blocks(both: Both):
    (both.team.folder / "tasks/more.py").write_text("ours = 1\n")  # untracked
    both.suite.commit({"tasks/more.py": "theirs = 1\n"})
    assert both.actions() == {"tasks/more.py": "block"}
    assert both.team.read("tasks/more.py") == "ours = 1\n"


def test_values_stay_and_their_keys_are_compared(both: Both, folder: str):
    both.team.commit({f"{folder}/settings.yaml": "cluster: {name: ours}\ntilt: {gone: 3}\n"})
    both.suite.commit(
        {
            "config/settings.yaml": "cluster: {name: other, zone: a}\ntilt: {port: 1}\n",
            "config/schema/settings.json": '{"new": 1}\n',
        }
    )
    code, found = both.run()
    assert code == 0
    assert both.team.read(f"{folder}/settings.yaml") == "cluster: {name: ours}\ntilt: {gone: 3}\n"
    assert both.team.read(f"{folder}/schema/settings.json") == '{"new": 1}\n'
    assert found["new_keys"] == [f"{folder}/settings.yaml: cluster.zone"]  # tilt.port was removed here on purpose
    assert found["old_keys"] == [f"{folder}/settings.yaml: tilt.gone"]


def test_the_starter_keeps_the_place_of_the_settings(both: Both, folder: str):
    both.suite.commit({"scripts/inv": FIRST["scripts/inv"] + "# newer\n"})
    assert both.actions() == {"scripts/inv": "replace"}
    assert f"config={folder} # the folder\n" in both.team.read("scripts/inv")
    assert os.access(both.team.folder / "scripts/inv", os.X_OK)
    assert both.team.read("config/app.go") == "package config\n"


def test_a_dry_run_and_a_check_write_nothing(both: Both):
    both.suite.commit({"tasks/code.py": "new = 1\n"})
    assert both.run(dry=True)[0] == 0
    assert both.run(check=True)[0] == 2
    assert both.team.read("tasks/code.py") == CODE
    assert both.team.git("status", "--porcelain") == ""


def test_a_dirty_tree_is_refused(both: Both):
    both.suite.commit({"tasks/code.py": "new = 1\n"})
    (both.team.folder / "README.md").write_text("in the middle of something\n")
    code, found = both.run()
    assert code == 3
    assert "README.md" in found["error"]
    assert both.team.read("tasks/code.py") == CODE


def test_a_link_in_the_place_of_a_folder_is_refused(both: Both, tmp_path):
    outside = tmp_path / "outside"
    (both.team.folder / "tilt").rename(outside)
    (both.team.folder / "tilt").symlink_to(outside)
    both.suite.commit({"tilt/x.star": "x = 2\n"})
    code, found = both.run()
    assert code == 3
    assert "tilt" in found["error"]
    assert (outside / "x.star").read_text() == "x = 1\n"


def test_an_origin_that_is_not_in_the_history_blocks_the_edited_files_alone(both: Both, tmp_path):
    both.team.commit({"tasks/code.py": edited(CODE, 2, "'ours'")})
    other = made(tmp_path / "other", {**FIRST, "tasks/code.py": edited(CODE, 17, "'theirs'"), "tilt/x.star": "x = 2\n"})
    found = Both(other, both.team, both.capsys).run(dry=True)[1]
    assert {f["path"]: f["action"] for f in found["files"]} == {"tasks/code.py": "block", "tilt/x.star": "replace"}


@pytest.mark.parametrize("hidden", [True, False])
def test_a_newer_suite_whose_files_are_not_those_of_its_commit_is_refused(both: Both, hidden: bool):
    both.suite.commit({"tasks/code.py": "new = 1\n"})
    if hidden:  # a sparse checkout: git status says nothing
        both.suite.git("sparse-checkout", "set", "--no-cone", "/*", "!tilt/x.star")
        assert both.suite.git("status", "--porcelain") == ""
    else:
        (both.suite.folder / "tilt/x.star").write_text("x = 'not committed'\n")
    code, found = both.run()
    assert code == 3
    assert "tilt/x.star" in found["error"]
    assert both.team.read("tilt/x.star") == "x = 1\n"
    assert both.team.read("tasks/code.py") == CODE


def test_values_that_the_team_does_not_commit_are_not_staged(both: Both, folder: str):
    both.team.git("rm", "-q", "--cached", f"{folder}/settings.yaml")
    both.team.commit({".gitignore": "settings.yaml\n"})
    both.suite.commit({"tasks/code.py": "new = 1\n"})
    assert both.run()[0] == 0
    assert f"{folder}/settings.yaml" not in both.team.git("status", "--porcelain")


def test_a_copy_made_by_hand_is_recorded(both: Both):
    both.team.commit({origin.MANIFEST: None})
    code, found = both.run()
    assert (code, found["files"]) == (0, [])
    assert both.check(check=True)[0] == 0


def test_a_folder_without_a_suite_is_an_error(both: Both, tmp_path):
    other = made(tmp_path / "other", {"x": "y"})
    code, found = Both(other, both.team, both.capsys).run()
    assert code == 1
    assert "holds no suite" in found["error"]


def test_what_is_shown_names_each_file_its_fix_and_the_way_back(both: Both):
    both.team.commit({"tasks/code.py": edited(CODE, 2, "'ours'"), "tilt/x.star": "x = 'ours'\n"})
    both.suite.commit({"tasks/code.py": edited(CODE, 2, "'theirs'"), "tilt/x.star": "x = 'theirs'\n"})
    flags = {"yes": True, "dry": False, "check": False, "json": False}
    with pytest.raises(SystemExit):
        both.update(("tasks/code.py",), **flags)
    shown = both.capsys.readouterr().out
    assert "1 block, 1 keep" in shown
    assert "--keep tilt/x.star; theirs: cp " in shown
    both.update(("tasks/code.py", "tilt/x.star"), **flags)
    assert "undo it: git reset --hard" in both.capsys.readouterr().out


def test_what_a_killed_update_left_can_be_repeated(both: Both):
    both.suite.commit({"tasks/code.py": "new = 1\n", "tasks/more.py": "more = 1\n"})
    (both.team.folder / "tasks/code.py").write_text("new = 1\n")  # written, and the record not yet
    (both.team.folder / "tasks/more.py").write_text("more = 1\n")
    both.team.git("checkout", "-q", "--", ".")
    assert both.run()[0] == 0
    assert both.team.git("status", "--porcelain").splitlines() == [
        "M  tasks/.origin.json", "M  tasks/code.py", "A  tasks/more.py"
    ]  # fmt: skip
