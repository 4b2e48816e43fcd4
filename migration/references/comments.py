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
        return _python(lines) if is_python else _hash(lines)
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


def _hash(lines: list[str]) -> Iterator[Line]:
    for number, line in enumerate(lines, 1):
        start = _hash_start(line) if "#" in line else len(line)
        yield number, line[:start], line[start:]


# One piece of Python or Starlark: three quotes, a string within the line, a comment, any other character.
_PYTHON_PIECE = re.compile(
    r"""(?P<triple>"{3}|'{3})|(?P<comment>\#.*)|"(?:\\.|[^"\\])*"?|'(?:\\.|[^'\\])*'?|[^"'#]+""", re.DOTALL
)


def _python(lines: list[str]) -> Iterator[Line]:
    """A docstring is a comment; the text between three quotes anywhere else is a value, and so code."""
    open_quotes, is_docstring, begins_block = "", False, True
    for number, line in enumerate(lines, 1):
        code, comment, place = "", "", 0
        while place < len(line):
            if open_quotes:
                end = line.find(open_quotes, place)
                stop = len(line) if end < 0 else end + len(open_quotes)
                code, comment = _joined(code, comment, line[place:stop], is_docstring)
                open_quotes = open_quotes if end < 0 else ""
                place = stop
                continue
            piece = _PYTHON_PIECE.match(line, place)
            assert piece is not None  # the last alternative matches what the others leave
            if piece["triple"]:
                open_quotes = piece["triple"]
                is_docstring = begins_block and code.strip() in {"", "r", "u"}
            code, comment = _joined(code, comment, piece.group(), bool(piece["comment"]))
            place = piece.end()
        if code.strip() or (comment.strip("\"' ") and is_docstring):
            begins_block = code.rstrip().endswith(":")
        yield number, code, comment


def _joined(code: str, comment: str, text: str, is_comment: bool) -> tuple[str, str]:
    return (code, comment + text) if is_comment else (code + text, comment)


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


# One piece of code: a string, which may be open at the line's end, a comment's start, any other text.
_SLASH_PIECE = re.compile(
    r"""(?P<string>"(?:\\.|[^"\\])*(?:"|\\?$)|'(?:\\.|[^'\\])*(?:'|\\?$))|(?P<template>`)"""
    r"""|(?P<block>/\*)|(?P<rest>//.*)|(?P<other>[^"'`/]+|/)""",
    re.DOTALL,
)
_TEMPLATE_END = re.compile(r"(?:\\.|[^`\\])*(?:(?P<closed>`)|\\?$)")


def _slashes(lines: list[str]) -> Iterator[Line]:
    inside = ""  # what is open at the line's begin: a comment until `*/`, or a template until "`"
    for number, line in enumerate(lines, 1):
        if not inside and line.lstrip().startswith(_DIRECTIVES):
            yield number, line, ""
            continue
        code, comment, inside = _split_slashes(line, inside)
        yield number, code, comment


def _split_slashes(line: str, inside: str) -> tuple[str, str, str]:
    """The line's code, its comment, and what is open at its end."""
    code = comment = ""
    place = 0
    while place < len(line):
        begin = place
        if inside:
            place, is_closed = _end_of(line, place, inside)
            code, comment = _joined(code, comment, line[begin:place], inside == "*/")
            inside = "" if is_closed else inside
            continue
        piece = _SLASH_PIECE.match(line, place)
        assert piece is not None  # `other` matches what the rest leaves
        place = piece.end()
        inside = "*/" if piece["block"] else "`" if piece["template"] else ""
        code, comment = _joined(code, comment, piece.group(), bool(piece["block"] or piece["rest"]))
    return code, comment, inside


def _end_of(line: str, place: int, closing: str) -> tuple[int, bool]:
    """Where what is open ends in the line, and whether it is closed there."""
    if closing == "*/":
        end = line.find(closing, place)
        return (len(line), False) if end < 0 else (end + len(closing), True)
    match = _TEMPLATE_END.match(line, place)
    return (match.end(), bool(match["closed"])) if match else (len(line), False)


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
