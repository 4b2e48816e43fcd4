"""Split each line of a file into code and comment: a path in a comment is reported, but does not block.

The splitting is approximate on purpose: it needs no parser for each language, and knows strings well enough not to take
a `#` or `//` inside them for a comment.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator

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
_MARKUP = {"html", "xml", "svg"}
_DOCSTRING = re.compile(r"""\s*[ru]?("{3}|'{3})""")
# Comments that a compiler reads: https://pkg.go.dev/embed, https://go.dev/blog/generate and
# https://www.typescriptlang.org/docs/handbook/triple-slash-directives.html
_DIRECTIVES = ("//go:embed ", "//go:generate ", "/// <reference ")
_PYTHON = {"py", "star", "tilt", "bzl"}

Line = tuple[int, str, str]  # line number from 1, the line's code, its comment


def split_comments(path: str, text: str) -> Iterator[Line]:
    """Split by the comment syntax that belongs to the file's name or its `#!` line."""
    name = posixpath.basename(path)
    extension = name.rpartition(".")[2].lower()
    lines = text.split("\n")
    if extension in _SLASHES:
        return _slashes(lines)
    if extension in _HASH or _HASH_NAMES.match(name) or lines[0].startswith("#!"):
        is_python = extension in _PYTHON or name == "Tiltfile" or "python" in lines[0]
        return _hash(lines, docstrings=is_python)
    if extension in _MARKUP:
        return _between(lines, "<!--", "-->")
    return _double_dash(lines) if extension == "sql" else _uncommented(lines)


def _uncommented(lines: list[str]) -> Iterator[Line]:
    for number, line in enumerate(lines, 1):
        yield number, line, ""


def _double_dash(lines: list[str]) -> Iterator[Line]:
    for number, line in enumerate(lines, 1):
        code, mark, comment = line.partition("--")
        yield number, code, mark + comment


def _hash(lines: list[str], docstrings: bool) -> Iterator[Line]:
    closing_quotes = ""  # of the docstring that is open
    for number, line in enumerate(lines, 1):
        if closing_quotes:
            comment, mark, code = line.partition(closing_quotes)
            if mark:
                closing_quotes = ""
            yield number, code, comment
            continue
        opening = _DOCSTRING.match(line) if docstrings else None
        if opening:
            if opening[1] not in line[opening.end() :]:
                closing_quotes = opening[1]
            yield number, "", line
            continue
        start = _hash_start(line) if "#" in line else len(line)
        yield number, line[:start], line[start:]


def _hash_start(line: str) -> int:
    """Where the comment starts; the length of the line if it has none."""
    quote, place = "", 0
    while place < len(line):
        char = line[place]
        if quote:
            if char == "\\" and quote == '"':
                place += 1
            elif char == quote:
                quote = ""
        elif _opens_string(line, place):
            quote = char
        elif char == "#" and (place == 0 or line[place - 1] in " \t;"):
            return place
        place += 1
    return len(line)


def _opens_string(line: str, place: int) -> bool:
    if line[place] == "'":
        return line.count("'", place) > 1  # a single one is an apostrophe, as in don't
    return line[place] == '"'


def _slashes(lines: list[str]) -> Iterator[Line]:
    in_block = False
    for number, line in enumerate(lines, 1):
        has_comment = in_block or "//" in line or "/*" in line
        if not has_comment or line.lstrip().startswith(_DIRECTIVES):
            yield number, line, ""
            continue
        code, comment, in_block = _split_slashes(line, in_block)
        yield number, code, comment


# One piece of code at a time: a string (which may be open at the line's end), a comment's start, any other character.
_SLASH_PIECE = re.compile(
    r"""(?P<string>"(?:\\.|[^"\\])*(?:"|\\?$)|'(?:\\.|[^'\\])*(?:'|\\?$)|`(?:\\.|[^`\\])*(?:`|\\?$))"""
    r"""|(?P<block>/\*)|(?P<rest>//.*)|(?P<other>.)""",
    re.DOTALL,
)


def _split_slashes(line: str, in_block: bool) -> tuple[str, str, bool]:
    """The line's code, its comment, and whether a block comment is open at its end."""
    code: list[str] = []
    comment: list[str] = []
    place = 0
    while place < len(line):
        if in_block:
            end = line.find("*/", place)
            stop = len(line) if end < 0 else end + 2
            comment.append(line[place:stop])
            in_block, place = end < 0, stop
            continue
        piece = _SLASH_PIECE.match(line, place)
        assert piece is not None  # `other` matches any character
        if piece["block"]:
            in_block = True
            comment.append("/")
            place += 1  # as in /*/, whose star may belong to the end
            continue
        (comment if piece["rest"] else code).append(piece.group())
        place = piece.end()
    return "".join(code), "".join(comment), in_block


def _between(lines: Iterable[str], start: str, end: str) -> Iterator[Line]:
    in_comment = False
    for number, line in enumerate(lines, 1):
        if in_comment:
            comment, mark, code = line.partition(end)
            in_comment = not mark
            yield number, code, comment
            continue
        code, mark, comment = line.partition(start)
        if mark and end in comment:
            comment, _, code_after = comment.partition(end)
            code += code_after
        elif mark:
            in_comment = True
        yield number, code, comment
