"""devcontainer.json: what is not changed keeps every byte, comments as well, however it is written."""

from __future__ import annotations

from collections.abc import Callable

import json5
import pytest

from migration.edit.devcontainer import edits_for
from migration.edit.jsonc import Jsonc, plain
from migration.mapping import DevContainer
from tasks.core.errors import Trouble
from tests.migration.conftest import Pair, blocks

RULES = DevContainer(drop_ports=[8443], drop_features=["k3d"], drop_env=["^K3D_"])
WANTED = {
    "runArgs": ["--device=/dev/net/tun", "--hostname=me"],
    "capAdd": ["NET_ADMIN"],
    "containerEnv": {"A": "1"},
    "forwardPorts": [10350],
}


def edited(text: str) -> str:
    document = Jsonc(text, "devcontainer.json")
    for edit in edits_for(plain(text, "devcontainer.json"), WANTED, RULES):
        edit.apply(document)
    return document.whole()


@pytest.mark.parametrize(
    "text",
    [
        '{\n  "containerEnv": { // of the team\n    "K3D_X": "1"\n    // at its end\n  }\n}\n',
        '{ // of the team\n}\n',
        '{ /* of the team */ }',
        '{\n\t"features": {\n\t\t// of the team\n\t\t"ghcr.io/rio/features/k3d:1": {},\n\t},\n}\n',
        '{\r\n  // of the team\r\n  "forwardPorts": [ // x\r\n    8443, // gone\r\n  ]\r\n}\r\n',
        '// of the team\n{ "name": "x" // last\n}\n/* end */\n',
        "{ 'forwardPorts': [8443], name: 'of the team', }",
        '\ufeff{"name": "of the team, // no comment", "u": "http://x/*y*/"}',
        '{"a": 1\n  , "forwardPorts": [8443] // of the team\n  , "b": 2}',
    ],
)  # fmt: skip
def test_comments_are_kept_and_a_second_run_changes_nothing(text: str):
    new = edited(text)
    found = json5.loads(new.removeprefix("\ufeff"))
    assert found["capAdd"] == ["NET_ADMIN"]
    assert found["containerEnv"] == {"A": "1"}
    assert found["forwardPorts"] == [10350]
    assert "of the team" in new
    assert new.count("\r\n") == new.count("\n") or "\r" not in text
    assert edited(new) == new


def test_the_last_of_duplicate_keys_counts():
    assert json5.loads(edited('{"forwardPorts": [1], "forwardPorts": [8443, 2]}'))["forwardPorts"] == [2, 10350]


@pytest.mark.parametrize("port", ['"8443"', '"localhost:8443"', "8443"])
def test_a_port_is_removed_in_every_spelling(port: str):
    assert json5.loads(edited(f'{{"forwardPorts": [{port}, "db:5432"]}}'))["forwardPorts"] == ["db:5432", 10350]


@pytest.mark.parametrize(
    "args", [["--device", "/dev/net/tun", "--hostname", "x"], ["--device=/dev/net/tun", "--hostname=x"]]
)
def test_a_flag_is_not_repeated(args: list[str]):
    assert json5.loads(edited(json5.dumps({"runArgs": args})))["runArgs"] == args


@pytest.mark.parametrize(
    "text",
    ['{"forwardPorts": 8443}', '{"features": []}', '{"mounts": "x"}', "[]", "", "{,}", '{"a": [1', "[" * 100_000],
)
def test_a_document_that_cannot_be_edited_is_an_error_with_a_fix(text: str):
    with pytest.raises(Trouble) as why:
        edited(text)
    assert why.value.fix.startswith("fix ")


@pytest.mark.slow
def test_a_dev_container_in_another_folder_blocks_and_a_missing_script_is_created(pair: Callable[..., Pair]):
    repos = pair()
    repos.git("core", "rm", "--quiet", ".devcontainer/postCreate.sh")
    repos.git("core", "commit", "--quiet", "-m", "no script")
    assert any(c.path == ".devcontainer/postCreate.sh" for o in repos.plan((2,)).results for c in o.changes)
    (repos.core / ".devcontainer/mine").mkdir()
    repos.git("core", "mv", ".devcontainer/devcontainer.json", ".devcontainer/mine/")
    repos.git("core", "commit", "--quiet", "-m", "elsewhere")
    found = blocks(repos.plan((2,)))
    assert (".devcontainer/mine/devcontainer.json", "custom", "config/migration.yaml") in found
