"""The tools in a team's Dockerfile: in the right stage, as root, and everything else keeps every byte."""

from __future__ import annotations

import pytest

from migration.edit.dockerfile import Tools, lacks_tools, stage_has_no_apt, with_tools
from migration.edit.dockerfile_syntax import Dockerfile

TEMPLATE = """FROM suite
SHELL ["/bin/bash", "-c"]
COPY a.sh b.txt /x/
RUN install -d -o vscode -g vscode /home/vscode/.kube
"""
DEV = Tools(TEMPLATE, ".devcontainer/", "dev", "/home/dev")


def edited(text: str, target: str = "") -> str:
    return with_tools(Dockerfile(text), target, DEV)[0]


def without_block(text: str) -> str:
    """The text without the lines of the block."""
    lines = text.splitlines(keepends=True)
    start = next(n for n, line in enumerate(lines) if line.startswith("# >>> remote-first"))
    end = next(n for n, line in enumerate(lines) if line.startswith("# <<< remote-first"))
    return "".join([*lines[:start], *lines[end + 1 :]])


def block(text: str) -> list[str]:
    """The lines of the block without its first two and its last one."""
    lines = text.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("# >>> remote-first"))
    end = next(n for n, line in enumerate(lines) if line.startswith("# <<< remote-first"))
    return lines[start + 2 : end]


BODY = [
    'SHELL ["/bin/bash", "-c"]',
    "COPY .devcontainer/a.sh .devcontainer/b.txt /x/",
    'RUN ! id -u dev >/dev/null 2>&1 || install -d -o dev -g "$(id -gn dev)" /home/dev/.kube',
]


@pytest.mark.parametrize(
    ("text", "target", "lines", "below"),
    [
        ("FROM debian:13\nRUN x", "", BODY, ""),
        ("FROM debian:13\nUSER dev\nRUN x\n", "", [*BODY, 'SHELL ["/bin/sh", "-c"]'], "USER dev\nRUN x\n"),
        ("FROM debian:13\nUSER a\nRUN x\nUSER b\n", "", ["USER root", *BODY], "USER b\n"),
        ("FROM debian:13\nSHELL [\"/bin/ash\"]\nUSER dev\nRUN x\n", "", [*BODY, 'SHELL ["/bin/ash"]'], "USER dev\nRUN x\n"),
        ("FROM debian:13 AS base\nUSER app\nFROM base\nRUN x\n", "", ["USER root", *BODY, "USER app"], ""),
        ("FROM debian:13 AS Dev\nRUN x\nFROM scratch\nCOPY y /\n", "dev", BODY, "FROM scratch\nCOPY y /\n"),
        ("FROM debian:13 AS dev\nRUN x\nFROM dev\nRUN y\n", "dev", [*BODY, 'SHELL ["/bin/sh", "-c"]'], "FROM dev\nRUN y\n"),
        ("FROM debian:13\nRUN <<EOF\nUSER no\nFROM no\nEOF\nUSER dev\n", "", BODY, "USER dev\n"),
        ("FROM debian:13\nRUN a \\\n # USER no\n && USER no\nUSER dev\n", "", BODY, "USER dev\n"),
        ("# escape=`\nFROM debian:13\nRUN a `\n USER no\nUSER dev\n", "", BODY, "USER dev\n"),
        ("ARG WHO=app\nFROM debian:13 AS base\nARG WHO\nUSER ${WHO:-x}\nFROM base\n", "", ["USER root", *BODY, "USER app"], ""),
    ],
)  # fmt: skip
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_the_block_is_in_its_stage_and_user_and_shell_are_restored(
    text: str, target: str, lines: list[str], below: str, line_end: str
):
    text = text.replace("\n", line_end)
    new = edited(text, target)
    assert block(new) == lines
    assert new.partition("# <<< remote-first")[2].strip() == below.replace("\n", line_end).strip()
    kept = [line for line in without_block(new).split(line_end) if line]
    assert kept == [line for line in text.split(line_end) if line]
    assert new.count("\r\n") == (new.count("\n") if line_end == "\r\n" else 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM alpine:3\n", True),
        ("ARG BASE=alpine\nFROM ${BASE}:3\n", True),
        ("FROM debian:13\nRUN apt-get install x\n", False),
        ("FROM mine/image\nRUN microdnf install x\n", True),
        ("FROM alpine AS a\nRUN apk add x\nFROM debian\nCOPY --from=a x x\n", False),
        ("FROM alpine AS a\nFROM a\n", True),
    ],
)
def test_an_image_without_apt_is_recognised(text: str, expected: bool):
    assert stage_has_no_apt(Dockerfile(text), "") is expected


def test_arguments_of_the_build_replace_defaults():
    text = "ARG BASE=debian\nFROM $BASE\nARG WHO=a\nUSER $WHO\n"
    assert Dockerfile(text, {"BASE": "alpine", "WHO": "b"}).base() == "alpine"
    assert Dockerfile(text, {"WHO": "b"}).user() == "b"


def test_tools_in_a_comment_are_not_installed():
    assert lacks_tools("FROM x\n# telepresence kubelogin iptables sshfs\n")
    assert not lacks_tools("FROM x\nRUN get telepresence kubelogin && apt-get install iptables sshfs\n")
