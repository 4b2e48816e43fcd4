"""Each fault of the legacy pair has its described effect and no other."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sandbox.legacy import FAULTS, make
from sandbox.legacy.archive import EXECUTABLE, LINK, Tree
from sandbox.legacy.blueprint import blueprint
from sandbox.legacy.faults_disturbed import SECRET_FILES, UNTRACKED_FILE
from sandbox.legacy.faults_references import REFERENCES, refers
from sandbox.legacy.faults_written import ODD_NAMES, VICTIMS, destination
from sandbox.legacy.git import git
from sandbox.legacy.model import Draft
from sandbox.legacy.paths import SIZES
from tasks.core.errors import ToolError, Trouble

BY_NAME = {fault.name: fault for fault in FAULTS}


def draft() -> Draft:
    plan = blueprint(SIZES["S"])
    return Draft(dict(plan.core), dict(plan.gitops))


def written(name: str) -> tuple[Draft, set[str], set[str]]:
    """The draft with one fault, and the paths of core and gitops that it added or changed."""
    before, after = draft(), draft()
    write = BY_NAME[name].write
    assert write is not None
    write(after)
    return after, changed(before.core, after.core), changed(before.gitops, after.gitops)


def changed(before: Tree, after: Tree) -> set[str]:
    return {path for path in before | after if before.get(path) != after.get(path)}


def copies() -> dict[str, str]:
    """Path of core -> its copy in gitops."""
    return {path: destination(path) for path in draft().core if destination(path)}


def test_every_fault_has_a_unique_name_and_one_line():
    assert len(BY_NAME) == len(FAULTS) > 40
    for fault in FAULTS:
        assert fault.text
        assert "\n" not in fault.text
        assert bool(fault.write) != bool(fault.disturb), fault.name
        assert set(fault.excludes) <= set(BY_NAME), fault.name


def test_an_unknown_fault_is_refused_with_the_nearest_names():
    with pytest.raises(Trouble, match="one-byte"):
        make(Path("unused"), faults=["onebyte"])


def test_faults_that_exclude_each_other_are_refused():
    with pytest.raises(Trouble, match="exclude each other"):
        make(Path("unused"), faults=["file-for-folder", "copied"])


def test_unpushed_without_remotes_is_refused():
    with pytest.raises(Trouble, match="needs remotes"):
        make(Path("unused"), faults=["unpushed"], remotes=False)


def test_copied_puts_every_copy_where_the_interface_says_with_content_and_mode():
    after, core, gitops = written("copied")
    assert core == set()
    assert gitops == set(copies().values())
    for source, target in copies().items():
        assert after.gitops[target] == after.core[source]
    assert copies()["tools/bootstrap/bootstrap-v2.sh"] == "bootstrap/bootstrap.sh"
    assert copies()["infra/environments/staging/bootstrap.yaml"] == "bootstrap/configs/staging.yaml"
    assert destination("infra/environments/dev/bootstrap-telepresence.yaml") == ""


def differing(after: Draft) -> set[str]:
    """The paths of core whose copy is missing or differs."""
    return {path for path, target in copies().items() if after.gitops.get(target) != after.core[path]}


@pytest.mark.parametrize("name", ["one-byte", "mode-bit", "uncommitted", "unpushed", "unpinned"])
def test_a_fault_of_copies_changes_one_copy(name: str):
    after, core, _ = written(name)
    assert core == set()
    assert differing(after) == {VICTIMS[name]}


def test_one_byte_is_one_byte():
    after, _, _ = written("one-byte")
    source = after.core[VICTIMS["one-byte"]]
    copy = after.gitops[destination(VICTIMS["one-byte"])]
    assert source.mode == copy.mode
    assert sum(a != b for a, b in zip(source.data, copy.data, strict=True)) == 1


def test_mode_bit_is_the_mode_alone():
    after, _, _ = written("mode-bit")
    source = after.core[VICTIMS["mode-bit"]]
    copy = after.gitops[destination(VICTIMS["mode-bit"])]
    assert source.data == copy.data
    assert (source.mode == EXECUTABLE) != (copy.mode == EXECUTABLE)


def test_all_faults_of_copies_can_be_combined(tmp_path: Path):
    pair = make(tmp_path / "pair", faults=["one-byte", "mode-bit", "moved-on", "uncommitted", "unpinned"])
    assert git(pair.gitops, "status", "--porcelain") == "?? policies/network/"
    assert git(pair.gitops, "show", "HEAD:bootstrap/lib/status.sh").endswith("# changed in gitops since")


def test_uncommitted_is_in_the_work_tree_alone(tmp_path: Path):
    pair = make(tmp_path / "pair", faults=["uncommitted"])
    target = destination(VICTIMS["uncommitted"])
    assert (pair.gitops / target).read_bytes() == (pair.core / VICTIMS["uncommitted"]).read_bytes()
    assert git(pair.gitops, "ls-files", "--", target) == ""


def test_unpushed_is_pinned_and_on_no_remote_branch(tmp_path: Path):
    pair = make(tmp_path / "pair", faults=["unpushed"])
    head = git(pair.gitops, "rev-parse", "HEAD")
    assert git(pair.gitops, "show", "--format=", "--name-only", head) == destination(VICTIMS["unpushed"])
    assert git(pair.core, "rev-parse", "HEAD:gitops/ameide-gitops") == head
    for repository in (pair.gitops, pair.submodule):
        assert git(repository, "branch", "--remotes", "--contains", head) == ""
    with pytest.raises(ToolError):
        git(pair.remotes["gitops"], "cat-file", "-e", f"{head}^{{tree}}:none")
    assert head not in git(pair.remotes["gitops"], "for-each-ref")


def test_unpinned_is_pushed_and_not_in_what_core_pins(tmp_path: Path):
    pair = make(tmp_path / "pair", faults=["unpinned"])
    pinned = git(pair.core, "rev-parse", "HEAD:gitops/ameide-gitops")
    target = destination(VICTIMS["unpinned"])
    assert git(pair.gitops, "ls-tree", "--name-only", pinned, "--", target) == ""
    assert git(pair.gitops, "ls-tree", "--name-only", "origin/main", "--", target) == target


def test_moved_on_was_in_an_ancestor_of_the_pin(tmp_path: Path):
    pair = make(tmp_path / "pair", faults=["moved-on"])
    target = destination(VICTIMS["moved-on"])
    original = git(pair.core, "rev-parse", f"HEAD:{VICTIMS['moved-on']}")
    assert git(pair.gitops, "rev-parse", f"HEAD:{target}") != original
    assert git(pair.gitops, "rev-parse", f"HEAD~1:{target}") == original


def test_the_twins_are_the_same_until_they_are_made_to_diverge():
    one, two = (f"infra/{folder}/managed-application/modules/aks.bicep" for folder in ("bicep", "azure"))
    assert draft().core[one] == draft().core[two]
    after, core, _ = written("diverged-twins")
    assert core == {one}
    assert b"D8as_v6" in after.core[one].data
    assert b"D4as_v6" in after.core[two].data


def test_two_sources_have_one_destination():
    _, core, _ = written("two-sources")
    assert [destination(path) for path in core] == [destination("infra/environments/dev/bootstrap.yaml")]


def test_a_file_has_the_path_of_a_folder(tmp_path: Path):
    assert (make(tmp_path / "pair", faults=["file-for-folder"]).gitops / "bootstrap").is_file()


def test_odd_names_are_on_disk_byte_for_byte(tmp_path: Path):
    pair = make(tmp_path / "pair", faults=["odd-names"])
    names = {os.fsencode(name) for name in os.listdir(pair.core / "infra/kubernetes/scripts/odd")}
    assert names == {name.encode("utf-8", "surrogateescape") for name in ODD_NAMES}
    assert git(pair.core, "status", "--porcelain") == ""


@pytest.mark.parametrize("name", ["crlf", "bom"])
def test_crlf_and_bom_change_the_same_files_and_nothing_but_that(name: str):
    before = draft().core
    after, core, _ = written(name)
    assert {"Tiltfile", ".devcontainer/devcontainer.json"} < core
    for path in core:
        data = after.core[path].data
        plain = data.replace(b"\r\n", b"\n") if name == "crlf" else data.removeprefix(b"\xef\xbb\xbf")
        assert data != plain == before[path].data


def test_argo_consumer_syncs_a_folder_of_core_that_exists():
    after, _, gitops = written("argo-consumer")
    text = after.gitops[next(iter(gitops))].text
    folder = text.partition("\n    path: ")[2].partition("\n")[0]
    assert any(path.startswith(f"{folder}/") for path in after.core)
    assert "ameide.git" in text


@pytest.mark.parametrize("kind", [fault.name.removeprefix("extra-reference-") for fault in REFERENCES])
def test_an_extra_reference_is_one_file_outside_the_deleted_folders(kind: str):
    _, core, gitops = written(f"extra-reference-{kind}")
    assert core == {refers(kind)}
    assert gitops == set()
    assert not refers(kind).startswith(("infra/", "tools/bootstrap/"))


def test_every_kind_of_reference_has_a_fault():
    kinds = "text helm-yaml starlark workflow codeowners dockerfile package-json makefile symlink submodule bash-dirname composed-path"
    assert {fault.name for fault in REFERENCES} == {f"extra-reference-{kind}" for kind in kinds.split()}


def test_a_symlink_reference_points_to_a_file_that_exists(tmp_path: Path):
    pair = make(tmp_path / "pair", faults=["extra-reference-symlink", "extra-reference-submodule"])
    link = pair.core / refers("symlink")
    assert link.is_symlink()
    assert link.resolve().is_file()
    assert "infra/kubernetes/policies/shared" in git(pair.core, "submodule", "status")
    assert git(pair.core, "ls-tree", "HEAD", "--", "infra/kubernetes/policies/shared").startswith("160000 commit")


def test_decoys_are_in_both_repositories_and_outside_the_deleted_folders():
    _, core, gitops = written("decoys")
    assert core
    assert gitops
    assert not any(path.startswith(("infra/", "tools/bootstrap/")) for path in core)


def test_team_lines_are_inside_a_function_and_at_the_end():
    after, core, _ = written("team-lines")
    assert core == {".devcontainer/postCreate.sh"}
    added = set(after.core[".devcontainer/postCreate.sh"].text.splitlines()) - set(
        draft().core[".devcontainer/postCreate.sh"].text.splitlines()
    )
    assert any(line.startswith("  touch") for line in added)
    assert any(line.startswith("export ") for line in added)


def test_the_broken_tiltfile_is_refused_by_libcst_with_its_line():
    import libcst

    after, _, _ = written("broken-tiltfile")
    with pytest.raises(libcst.ParserSyntaxError) as refused:
        libcst.parse_module(after.core["Tiltfile"].text)
    assert refused.value.raw_line > 1


def test_no_default_registry_leaves_a_file_that_still_parses():
    import libcst

    after, _, _ = written("no-default-registry")
    text = after.core["Tiltfile"].text
    assert "default_registry(" not in text
    libcst.parse_module(text)


def test_infrastructure_in_no_table_is_added():
    _, core, _ = written("terraform")
    assert {path.partition("/")[0] for path in core} == {"infra", "services"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("dirty-tree", "Changes not staged for commit"),
        ("merge-in-progress", "You have unmerged paths"),
        ("rebase-in-progress", "rebase in progress"),
        ("detached-head", "HEAD detached"),
    ],
)
def test_git_reports_the_work_in_progress(name: str, words: str, tmp_path: Path):
    assert words in git(make(tmp_path / "pair", faults=[name]).core, "status")


def test_dirty_gitops_has_a_staged_change(tmp_path: Path):
    assert git(make(tmp_path / "pair", faults=["dirty-gitops"]).gitops, "status", "--porcelain") == "M  README.md"


def test_shallow_is_shallow(tmp_path: Path):
    pair = make(tmp_path / "pair", faults=["shallow"])
    assert git(pair.core, "rev-parse", "--is-shallow-repository") == "true"
    assert len(git(pair.core, "log", "--format=%h").splitlines()) == 1
    assert git(pair.core, "fsck") == ""


def test_ignored_files_are_untracked_and_in_deleted_folders(tmp_path: Path):
    pair = make(tmp_path / "pair", faults=["ignored-files"])
    assert git(pair.core, "status", "--porcelain") == f"?? {UNTRACKED_FILE}"
    for path in SECRET_FILES:
        assert "TOKEN" in (pair.core / path).read_text()
        assert git(pair.core, "check-ignore", path) == path


def test_a_file_is_in_the_way_of_a_copy(tmp_path: Path):
    pair = make(tmp_path / "pair", faults=["in-the-way"])
    assert git(pair.gitops, "status", "--porcelain") == "?? bootstrap/"
    assert (pair.gitops / destination("tools/bootstrap/bootstrap-v2.sh")).is_file()


def test_a_submodule_is_missing_or_elsewhere(tmp_path: Path):
    gone = make(tmp_path / "gone", faults=["submodule-not-checked-out"])
    assert not any(gone.submodule.iterdir())
    elsewhere = make(tmp_path / "elsewhere", faults=["submodule-elsewhere"])
    assert git(elsewhere.core, "status", "--porcelain") == "M gitops/ameide-gitops"


def test_gitops_is_absent_or_bare(tmp_path: Path):
    assert not make(tmp_path / "absent", faults=["no-gitops"]).gitops.exists()
    bare = make(tmp_path / "bare", faults=["bare-gitops"])
    assert git(bare.gitops, "rev-parse", "--is-bare-repository") == "true"


def test_the_index_of_core_is_locked(tmp_path: Path):
    pair = make(tmp_path / "pair", faults=["index-lock"])
    with pytest.raises(ToolError) as refused:
        git(pair.core, "add", "README.md")
    assert "index.lock" in refused.value.stderr


def test_faults_are_as_deterministic_as_the_pair(tmp_path: Path):
    names = ["one-byte", "odd-names", "merge-in-progress"]
    one, two = make(tmp_path / "one", faults=names), make(tmp_path / "two", faults=[*reversed(names)])
    assert git(one.core, "rev-parse", "HEAD", "MERGE_HEAD") == git(two.core, "rev-parse", "HEAD", "MERGE_HEAD")


def test_links_of_the_archives_are_links(tmp_path: Path):
    tree = draft().core
    assert tree["infra/kubernetes/scripts/health"].mode == LINK
    assert tree["infra/kubernetes/scripts/health"].data == b"infra-health-check.sh"
