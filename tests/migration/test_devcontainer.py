"""devcontainer.json: what is not changed keeps every byte, comments as well, however it is written."""

from __future__ import annotations

import re
from collections.abc import Callable

import json5
import pytest

from migration.edit import mounts
from migration.edit.devcontainer import edits_for
from migration.edit.jsonc import Jsonc, plain
from migration.mapping import DevContainer
from tasks.core.errors import Trouble
from tests.migration.conftest import Pair

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
def test_a_missing_script_is_created(pair: Callable[..., Pair]):
    repos = pair()
    repos.git("core", "rm", "--quiet", ".devcontainer/postCreate.sh")
    repos.git("core", "commit", "--quiet", "-m", "no script")
    assert any(c.path == ".devcontainer/postCreate.sh" for o in repos.plan((2,)).results for c in o.changes)


def test_a_comment_about_what_is_removed_is_removed_with_its_line():
    text = """{
  "mounts": [
    // Our cache.
    "source=cache,target=/cache,type=volume",
    // The cluster's images,
    // required for k3d
    "source=k3d,target=/home/me/.kube,type=volume", // shared
    // The end.
  ],
}
"""
    document = Jsonc(text, "devcontainer.json", re.compile("k3d"))
    document.drop(("mounts",), "source=k3d,target=/home/me/.kube,type=volume")
    rest = [line.strip() for line in document.whole().splitlines() if "//" in line]
    assert rest == ["// Our cache.", "// The end."]


MOUNT = "source=kube-${devcontainerId},target=/home/me/.kube,type=volume"


@pytest.mark.parametrize(
    ("now", "removed", "added"),
    [
        ([], [], [MOUNT]),
        ([MOUNT], [], []),
        (["type=volume,dst=/home/me/.kube/,src=kube-${devcontainerId}"], [], []),
        ([{"source": "kube-${devcontainerId}", "target": "/home/me/.kube", "type": "volume"}], [], []),
        ([{"src": "kube", "dst": "/home/me/.kube"}], [{"src": "kube", "dst": "/home/me/.kube"}], [MOUNT]),
        (["source=x,target=/home/me/.kubernetes,type=volume"], [], [MOUNT]),
    ],
)
def test_mounts_are_compared_by_what_they_mean(now: list[object], removed: list[object], added: list[object]):
    assert mounts.exchanged(now, [MOUNT]) == (removed, added)


@pytest.mark.parametrize(
    ("key", "value", "member", "expected"),
    [
        ("runArgs", ["--privileged"], "capAdd", []),
        ("privileged", True, "capAdd", []),
        ("runArgs", ["--cap-add", "CAP_NET_ADMIN"], "capAdd", []),
        ("capAdd", ["ALL"], "capAdd", ["ALL"]),
        ("runArgs", ["-h", "x"], "runArgs", ["-h", "x", "--device=/dev/net/tun"]),
        ("runArgs", ["--uts=host", "--privileged"], "runArgs", ["--uts=host", "--privileged"]),
        ("forwardPorts", ["10350"], "forwardPorts", ["10350"]),
        ("remoteEnv", {"A": "2"}, "containerEnv", {}),
    ],
)
def test_what_is_given_in_another_way_is_not_added(key: str, value: object, member: str, expected: object):
    new = json5.loads(edited(json5.dumps({key: value})))
    assert new.get(member, type(expected)()) == expected
