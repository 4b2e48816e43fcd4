"""suite.check: which carried files were edited, deleted and added."""

from __future__ import annotations

import pytest

from tasks.core import origin
from tests.tasks.flows.suite.conftest import Both


def test_a_fresh_copy_differs_in_nothing(both: Both, folder: str):
    code, found = both.check(check=True)
    assert (code, found["files"], found["settings"]) == (0, [], folder)
    assert found["commit"] == both.suite.git("rev-parse", "HEAD")


def test_edits_deletions_and_additions_are_named_and_values_are_not(both: Both, folder: str):
    both.team.commit(
        {
            "tasks/code.py": "edited = 1\n",
            "tasks/old.py": None,
            "tasks/ours.py": "ours = 1\n",
            f"{folder}/settings.yaml": "cluster: {name: ours}\n",
        }
    )
    code, found = both.check()
    assert code == 0
    assert {f["path"]: f["state"] for f in found["files"]} == {
        "tasks/code.py": "edited",
        "tasks/old.py": "deleted",
        "tasks/ours.py": "added",
    }
    assert both.check(check=True)[0] == 2


def test_an_edit_that_is_not_committed_counts(both: Both):
    (both.team.folder / "tilt/x.star").write_text("x = 2\n")
    assert [f["state"] for f in both.check()[1]["files"]] == ["edited"]


def test_a_lost_executable_bit_is_an_edit(both: Both):
    (both.team.folder / "scripts/inv").chmod(0o644)
    both.team.git("commit", "-qam", "mode")
    assert [f["path"] for f in both.check()[1]["files"]] == ["scripts/inv"]


def test_the_end_of_the_migration_is_no_difference(both: Both):
    both.team.commit({"migration/engine.py": None})
    code, found = both.check(check=True)
    assert (code, [f["state"] for f in found["files"]]) == (0, ["over"])


@pytest.mark.parametrize("text", ["", "[]", '{"files": {"a": "b"}, "url": "", "commit": ""}', '{"files": 3}'])
def test_a_damaged_record_is_an_error(both: Both, text: str):
    (both.team.folder / origin.MANIFEST).write_text(text)
    code, found = both.check()
    assert code == 1
    assert origin.MANIFEST in found["error"]


def test_without_a_record_it_says_what_this_is(both: Both):
    both.team.commit({origin.MANIFEST: None})
    code, found = both.check()
    assert code == 1
    assert "own checkout" in found["error"]
