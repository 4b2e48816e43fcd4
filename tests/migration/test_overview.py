"""The plan as a maintainer reads it: one screen, the sum first, blocks by cause, each --accept once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from migration import cli, overview
from migration.block_groups import BlockGroup, block_groups, following
from migration.line_counts import line_counts
from migration.model import Block, ChangeKind, Reason, StepResult
from tasks.core.plan.outcome import State
from tests.migration.conftest import Pair, code_of

MANY = ("one-byte", "diverged-twins", "two-sources", "argo-consumer", "broken-tiltfile", "many-blocks")


def result(*blocks: Block, key: str = "CLEAN-10") -> StepResult:
    return StepResult(key=key, phase=4, title="a title", state=State.BLOCKED, blocks=blocks)


def reference(path: str, where: str) -> Block:
    return Block.at(path, Reason.REFERENCED, where, f"change {where}", where.rpartition(":")[0])


def test_a_plan_with_many_changes_and_blocks_is_one_screen(pair: Callable[..., Pair]):
    repos = pair(*MANY)
    plan = repos.plan()
    changes = [change for step in plan.results for change in step.changes]
    assert len(changes) > 300
    assert len({block for step in plan.results for block in step.blocks}) > 60
    shown = list(overview.lines(plan))
    assert len(shown) <= 50
    text = "\n".join(shown)
    assert overview.LEGEND in shown
    accepted = [line.split()[0] for line in text.split("--accept ")[1:]]
    assert accepted
    assert len(accepted) == len(set(accepted))
    for key in (step.key for step in plan.results):
        assert key in text
    detailed = "\n".join(overview.lines(plan, verbose=True))
    assert all(f"infra/kubernetes/odd/{number}/values.yaml" in detailed for number in range(30))


def test_the_summary_counts_files_and_lost_lines(pair: Callable[..., Pair]):
    repos = pair()
    plan = repos.plan()
    lines = list(overview.lines(plan))
    assert lines[0].startswith("gitops   ")
    assert "files copied" in lines[0]
    assert lines[1].startswith("core     ")
    assert "files deleted" in lines[1]
    assert code_of(lambda: cli.apply_file(repos.flags(yes=True), saved(repos))) == 0
    rows = repos.git("core", "diff", "--numstat", "before-remote-first", "HEAD", "--", "Makefile").split("\t")
    assert f"Makefile -{rows[1]} +{rows[0]}" in [count.text() for count in line_counts(plan.simulation.core)]
    deleted = repos.git("core", "diff", "--no-renames", "--name-only", "--diff-filter=D", "before-remote-first", "HEAD")
    assert lines[1].startswith(f"core     {len(deleted.splitlines())} files deleted")


def saved(repos: Pair) -> str:
    file = str(repos.folder.parent / "plan.json")
    assert code_of(lambda: cli.plan(repos.flags(), file)) == 0
    return file


def test_apply_says_the_plan_once_and_then_only_what_became_of_it(pair: Callable[..., Pair], capsys):
    repos = pair()
    file = saved(repos)
    capsys.readouterr()
    assert code_of(lambda: cli.apply_file(repos.flags(yes=True), file)) == 0
    said = capsys.readouterr()
    assert said.err.count(overview.LEGEND) == 1
    assert overview.LEGEND not in said.out
    assert "phase 4  core has no infrastructure: done" in said.out.splitlines()
    assert "CLEAN-10" not in said.out


def test_the_places_that_refer_to_a_folder_are_one_cause():
    places = [reference(f"templates/addons/{n % 3}.yaml", f"scripts/{n % 9}.sh:{n + 1}") for n in range(14)]
    (group,) = block_groups([result(*places)])
    assert group.title() == "templates/addons/: 14 places in 9 files refer to it"
    assert group.examples() == "scripts/0.sh:1, scripts/1.sh:2, scripts/2.sh:3 and 11 more"


def test_a_word_of_accept_is_offered_once():
    first, second = reference("infra/a.sh", "Makefile:1"), reference("tools/b.sh", "Makefile:2")
    more = reference("infra/c.sh", "run.sh:1"), reference("tools/d.sh", "run.sh:2")
    groups = block_groups([result(first, more[0]), result(second, more[1], key="CLEAN-15")])
    offered: set[str] = set()
    fixes = [group.fix(offered) for group in groups]
    assert fixes[0].endswith("or accept that these files break: --accept Makefile --accept run.sh")
    assert "--accept" not in fixes[1]


def test_a_block_of_several_steps_is_one_place():
    block = reference("infra/", "Makefile:1")
    assert [len(group.blocks) for group in block_groups([result(block), result(block, key="CLEAN-11")])] == [1]


def test_what_a_blocked_file_refers_to_is_counted_and_not_a_cause():
    follows = Block.at("infra/b.sh", Reason.REFERENCED, "infra/a.sh:1", "remove what blocks infra/a.sh")
    results = [result(Block.at("infra/a.sh", Reason.MISSING, "scripts/a.sh", "copy it", "infra/a.sh"), follows)]
    assert [group.reason for group in block_groups(results)] == [Reason.MISSING]
    assert following(results) == 1


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason not in (Reason.REFERENCED, Reason.CONSUMED)])
def test_every_reason_has_a_title_and_a_fix_for_several_files(reason: Reason):
    blocks = [Block.at(f"infra/{name}", reason, f"gitops:{name}", f"fix {name}", f"infra/{name}") for name in "ab"]
    group = BlockGroup("CLEAN-10", reason, blocks)
    assert group.title().startswith("infra/: 2 paths ")
    assert group.fix(set())


def test_verbose_is_a_flag_of_the_tasks_that_show_a_plan(pair: Callable[..., Pair], capsys):
    repos = pair("one-byte")
    code_of(lambda: cli.plan(repos.flags(verbose=True), ""))
    text = capsys.readouterr().out
    assert text.count("\n       delete  ") > 50
    assert ChangeKind.DELETE in text


def test_unused_steps_share_one_line(pair: Callable[..., Pair]):
    repos = pair()
    repos.git("core", "rm", "-rq", "infra/bicep", "infra/azure")
    repos.git("core", "commit", "--quiet", "-m", "there is no Bicep")
    (line,) = [line for line in overview.lines(repos.plan()) if line.startswith("nothing to do here: ")]
    assert {"INFRA-13", "INFRA-14", "CLEAN-13", "CLEAN-14"} <= set(line.partition(": ")[2].split(", "))
