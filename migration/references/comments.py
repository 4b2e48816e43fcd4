"""Code and comment of each line, by the kind of file: a path in a comment is told, but breaks nothing."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

_HASH = {
    "sh", "bash", "py", "yaml", "yml", "toml", "star", "tilt", "bzl", "tf", "mk", "env", "conf", "ini", "cfg", "gitignore",
    "dockerignore", "npmrc", "rb", "ps1", "tpl", "hcl", "properties", "gitattributes", "editorconfig",
}  # fmt: skip
_SLASHES = {
    "js", "ts", "tsx", "jsx", "mjs", "cjs", "go", "json", "jsonc", "json5", "bicep", "proto", "rs", "java", "css", "scss",
    "groovy", "kt", "c", "h", "mod", "work",
}  # fmt: skip
_HASH_NAMES = re.compile(
    r"^(?:Dockerfile|Makefile|GNUmakefile|CODEOWNERS|Tiltfile|Jenkinsfile|\.env|justfile|\.gitmodules)"
)
_READ = ("//go:embed ", "//go:generate ", "/// <reference ")  # comments that a compiler reads
_PYTHON = {"py", "star", "tilt", "bzl"}


def split_comments(path: str, text: str) -> Iterator[tuple[int, str, str]]:
    """Line number from 1, the line's code, its comment."""
    name = posixpath.basename(path)
    ending = name.rpartition(".")[2].lower()
    lines = text.split("\n")
    if ending in _SLASHES:
        yield from _slashes(lines)
    elif ending in _HASH or _HASH_NAMES.match(name) or (lines and lines[0].startswith("#!")):
        yield from _hash(lines, docstrings=ending in _PYTHON or name == "Tiltfile" or "python" in lines[0])
    elif ending in {"html", "xml", "svg"}:
        yield from _between(lines, "<!--", "-->")
    elif ending == "sql":
        for number, line in enumerate(lines, 1):
            code, mark, comment = line.partition("--")
            yield number, code, mark + comment
    else:
        for number, line in enumerate(lines, 1):
            yield number, line, ""


def _hash(lines: list[str], docstrings: bool) -> Iterator[tuple[int, str, str]]:
    inside = ""
    for number, line in enumerate(lines, 1):
        if inside:
            before, mark, after = line.partition(inside)
            if mark:
                inside = ""
                yield number, after, before
            else:
                yield number, "", line
            continue
        opened = re.match(r"""\s*[ru]?("{3}|'{3})""", line) if docstrings else None
        if opened:
            rest = line[opened.end() :]
            if opened[1] not in rest:
                inside = opened[1]
            yield number, "", line
            continue
        if "#" not in line:
            yield number, line, ""
            continue
        cut = _hash_place(line)
        yield number, line[:cut], line[cut:]


def _hash_place(line: str) -> int:
    quote, place = "", 0
    while place < len(line):
        char = line[place]
        if quote:
            if char == "\\" and quote == '"':
                place += 1
            elif char == quote:
                quote = ""
        elif char in "\"'":
            if char == '"' or line.count("'", place) > 1:  # an apostrophe alone is no quote
                quote = char
        elif char == "#" and (place == 0 or line[place - 1] in " \t;"):
            return place
        place += 1
    return len(line)


def _slashes(lines: list[str]) -> Iterator[tuple[int, str, str]]:
    inside = False
    for number, line in enumerate(lines, 1):
        if (not inside and "//" not in line and "/*" not in line) or line.lstrip().startswith(_READ):
            yield number, line, ""
            continue
        code, comment, place, quote = [], [], 0, ""
        while place < len(line):
            two = line[place : place + 2]
            if inside:
                comment.append(line[place])
                if two == "*/":
                    comment.append("/")
                    inside, place = False, place + 1
            elif quote:
                code.append(line[place])
                if line[place] == "\\":
                    code.append(line[place + 1 : place + 2])
                    place += 1
                elif line[place] == quote:
                    quote = ""
            elif two == "/*":
                inside = True
                comment.append("/")
            elif two == "//":
                comment.append(line[place:])
                break
            else:
                if line[place] in "\"'`":
                    quote = line[place]
                code.append(line[place])
            place += 1
        yield number, "".join(code), "".join(comment)


def _between(lines: list[str], start: str, end: str) -> Iterator[tuple[int, str, str]]:
    inside = False
    for number, line in enumerate(lines, 1):
        if inside:
            comment, mark, code = line.partition(end)
            inside = not mark
            yield number, code, comment
        else:
            code, mark, comment = line.partition(start)
            if mark and end in comment:
                comment, _, rest = comment.partition(end)
                code += rest
            elif mark:
                inside = True
            yield number, code, comment
