"""The paths that a file mentions, read from its text: plain, relative, through variables, composed, in patterns.

A mention is a pattern of paths from the repository root, in which `*` stands for what cannot be told.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tasks.steps.migration.comments import split_comments

HERE, ROOT, SOME = "\x01", "\x02", "\x03"  # the file's own folder, the repository root, what cannot be told

_DIRNAME = re.compile(
    r"""\$\(\s*dirname\s+(?:--\s+)?"?(?:\$\{?(?:0|BASH_SOURCE(?:\[0\])?)\}?|\$\(\s*(?:readlink|realpath)[^()]*\))"?\s*\)"""
    r"""|\$\{(?:0|BASH_SOURCE(?:\[0\])?)%/\*\}"""
    r"""|\b(?:os\.path\.)?dirname\(\s*(?:os\.path\.(?:abspath|realpath)\(\s*)?__file__\s*\)?\s*\)"""
    r"""|\bPath\(__file__\)(?:\.resolve\(\))?\.parent\b|\b__dirname\b|\bimport\.meta\.dirname\b"""
)
_PARENTS = re.compile(r"\bPath\(__file__\)(?:\.resolve\(\))?\.parents\[(\d)\]|\x01((?:\.parent\b)+)")
_CD_PWD = re.compile(
    r"""\$\(\s*(?:CDPATH=\S*\s+)?cd\s+(?:--\s+)?"?([^"()]*?)"?\s*(?:>\s*\S+\s*)?(?:&&|;)\s*pwd(?:\s+-P)?\s*\)"""
)
_TOPLEVEL = re.compile(
    r"""\$\(\s*git\s+rev-parse\s+--show-toplevel[^()]*\)|\$\{\{\s*github\.workspace\s*\}\}|\$\{?GITHUB_WORKSPACE\}?"""
    r"""|\$\{(?:localW|containerW|w)orkspaceFolder\}|\$\(CURDIR\)|\bconfig\.main_dir\b|/workspaces/[\w.-]+(?=/)|<rootDir>"""
)
_VARIABLE = re.compile(r"\$\{(\w+)(?::?[-=]([^{}]*))?[^{}]*\}|\$\((\w+)\)|\$(\w+)|(?<!\$)\{(\w+)\}")
_ASSIGNMENT = re.compile(
    r"""^[ \t]*(?:export[ \t]+|readonly[ \t]+|local[ \t]+|declare[ \t]+(?:-\w+[ \t]+)?|const[ \t]+|let[ \t]+|var[ \t]+|ENV[ \t]+|ARG[ \t]+|-[ \t]+)?"""
    r"""(\w+)[ \t]*(?::=|\?=|=|:[ \t])[ \t]*([^\r\n]+)""",
    re.MULTILINE,
)
_STRING = r"""(?:[fru]{0,2}"[^"\n]*"|[fru]{0,2}'[^'\n]*'|`[^`\n]*`)"""
_NAME = r"""(?:[A-Za-z_][\w.]*(?:\([^()\n]*\)|\[[^\[\]\n]*\])*|\x01|\x02|\x03)"""
_TERM = rf"(?:{_STRING}|{_NAME})"
_CHAIN = re.compile(rf"{_TERM}(?:\s*[+/]\s*{_TERM})+")
_JOIN = re.compile(rf"(?:[jJ]oin(?:path)?|resolve|Path|PurePath)\(\s*({_TERM}(?:\s*,\s*{_TERM})+)\s*,?\s*\)")
_PIECE = re.compile(_TERM)
_BRACES = re.compile(r"([^\s\"'{}]*)\{([^{}\s\"']*,[^{}\s\"']*)\}([^\s\"'{}]*)")
_TOKEN = re.compile(r"[^\s\"'`<>|;,()\[\]=&:{}]+")
_PATTERN_FILES = re.compile(
    r"(?:^|/)(?:CODEOWNERS|\.gitignore|\.dockerignore|\.gitattributes|\.prettierignore|\.eslintignore|\.helmignore)$|\.dockerignore$"
)


class Mention(NamedTuple):
    """line: from 1; pattern: from the root; kind: for a person; sure: False where it was guessed; text: the line."""

    line: int
    pattern: str
    kind: str
    sure: bool
    comment: bool
    text: str


@dataclass(frozen=True)
class Words:
    """What a line must hold to be looked at. tops: first parts of paths that may go; parents: their folders."""

    needles: tuple[str, ...]
    parents: tuple[str, ...]
    _line: re.Pattern[str] = field(init=False, repr=False)
    _bytes: tuple[bytes, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_line", re.compile("|".join(map(re.escape, self.needles)) or r"(?!)"))
        object.__setattr__(self, "_bytes", tuple(n.encode("utf-8", "surrogateescape") for n in self.needles))

    def in_data(self, data: bytes) -> bool:
        """Could the file mention one?"""
        return any(n in data for n in self._bytes)

    def in_line(self, line: str) -> bool:
        """Could the line?"""
        return self._line.search(line) is not None


def mentions(path: str, data: bytes, words: Words) -> list[Mention]:
    """Every mention in this text file; none in a binary one."""
    if not words.in_data(data) or b"\0" in data[:8000]:
        return []
    text = data.decode("utf-8-sig", "surrogateescape")
    reader = _Reader(path, text, words)
    found: dict[tuple[int, str], Mention] = {}
    for number, code, comment in split_comments(path, text):
        for part, is_comment in ((code, False), (comment, True)):
            if part and reader.wanted(part):
                for pattern, kind, sure in reader.line(part):
                    key = (number, pattern)
                    if key not in found or (sure and not found[key].sure):
                        found[key] = Mention(number, pattern, kind, sure, is_comment, part.strip()[:200])
    return list(found.values())


class _Reader:
    def __init__(self, path: str, text: str, words: Words) -> None:
        self.path, self.folder, self.words = path, posixpath.dirname(path), words
        self.rooted = bool(_PATTERN_FILES.search(path))
        self.kind = kind_of(path)
        self.variables: dict[str, str] = {}
        for name, value in _ASSIGNMENT.findall(text):
            self.variables.setdefault(name, value.split(" #")[0].strip().rstrip(",;"))
        # A line may hold a path only through a variable whose value names one.
        self.telling = {n for n, v in self.variables.items() if words.in_line(v)}
        for _ in range(3):
            self.telling |= {
                n for n, v in self.variables.items() if any(x in self.telling for x in re.findall(r"\w+", v) if x != n)
            }
        self._telling = (
            re.compile(r"\b(?:" + "|".join(map(re.escape, sorted(self.telling))) + r")\b") if self.telling else None
        )

    def wanted(self, line: str) -> bool:
        return self.words.in_line(line) or (self._telling is not None and self._telling.search(line) is not None)

    def line(self, line: str) -> Iterator[tuple[str, str, bool]]:
        """Pattern, kind and whether it is sure, for each path in the line."""
        text = self._idioms(line)
        for chain in _JOIN.finditer(text):
            yield from self._composed([p.group() for p in _PIECE.finditer(chain.group(1))], "/")
        for chain in _CHAIN.finditer(text):
            pieces = [p.group() for p in _PIECE.finditer(chain.group())]
            glue = "" if "+" in re.sub(_STRING, "", chain.group()) else "/"
            yield from self._composed(pieces, glue)
        text = self._expanded(text)
        for _ in range(4):
            braces = _BRACES.search(text)
            if braces is None:
                break
            options = " ".join(braces.group(1) + o + braces.group(3) for o in braces.group(2).split(","))
            text = text[: braces.start()] + options + text[braces.end() :]
        for token in _TOKEN.findall(text):
            if self.words.in_line(token):
                yield from self._places(token, self.kind)

    def _idioms(self, text: str) -> str:
        text = _DIRNAME.sub(HERE, text)
        text = _PARENTS.sub(lambda m: HERE + "/.." * (int(m[1]) if m[1] else m[2].count(".parent")), text)
        text = _TOPLEVEL.sub(ROOT, text)
        for _ in range(2):
            text = _CD_PWD.sub(lambda m: self._expanded(m[1]), text)
        return text

    def _expanded(self, text: str, depth: int = 0) -> str:
        if depth > 5 or ("$" not in text and "{" not in text):
            return text

        def value(found: re.Match[str]) -> str:
            name = found[1] or found[3] or found[4] or found[5]
            known = self.variables.get(name)
            if known is not None and not re.search(rf"\$\{{?{name}\b", known):
                return self._literal(known, depth + 1)
            if found[2]:
                return self._literal(found[2], depth + 1)
            return SOME if not found[5] else (SOME if known is None else known)

        return _VARIABLE.sub(value, text)

    def _literal(self, value: str, depth: int) -> str:
        """A variable's value as a path: quotes gone, idioms told, composed values joined."""
        value = self._idioms(value)
        if any(q in value for q in "\"'`") and (_CHAIN.fullmatch(value) or _JOIN.search(value)):
            joined = _JOIN.search(value)
            pieces = [p.group() for p in _PIECE.finditer(joined.group(1) if joined else value)]
            glue = "" if not joined and "+" in re.sub(_STRING, "", value) else "/"
            return glue.join(self._piece(p, depth) for p in pieces)
        value = value.strip()
        if value[:1] in "\"'`" and value[-1:] == value[:1]:
            value = value[1:-1]
        elif " " in value:
            value = value.split()[0].strip("\"'")
        return self._expanded(value, depth)

    def _piece(self, piece: str, depth: int = 0) -> str:
        bare = piece.lstrip("fru") if piece[-1:] in "\"'`" else piece
        if bare[:1] in "\"'`":
            return self._expanded(bare[1:-1], depth)
        if bare in (HERE, ROOT, SOME):
            return bare
        known = self.variables.get(bare)
        return self._literal(known, depth + 1) if known is not None and depth < 4 else SOME

    def _composed(self, pieces: list[str], glue: str) -> Iterator[tuple[str, str, bool]]:
        if not any(p[-1:] in "\"'`" for p in pieces):
            return
        parts = [self._piece(p) for p in pieces]
        text = glue.join(p.strip("/") if glue and n else p for n, p in enumerate(parts))
        if self.words.in_line(text) or any(self.words.in_line(p) for p in parts):
            yield from self._places(text, "composed path")

    def _places(self, token: str, kind: str) -> Iterator[tuple[str, str, bool]]:
        """Where the token may point, from the root."""
        token = token.strip(".,!@?*+^~\\%") if not token.startswith(("./", "../", ".")) else token.rstrip(".,!?\\")
        if token.startswith("//") or not token:
            return
        if token.startswith(("**/", "*/")):
            token = token.split("/", 1)[1]
        elif token.startswith("/"):
            if not self.rooted and (not self.words.in_line(token) or token.count("/") < 2):
                return
            token = token.lstrip("/")
            yield from self._normal(token, kind, True)
            return
        head, _, rest = token.partition("/")
        if head == ROOT or (head == "." and self.kind == "package.json"):
            yield from self._normal(rest, kind, True)
        elif head == HERE:
            yield from self._normal(posixpath.join(self.folder, rest), kind, True)
        elif SOME in head:
            yield from self._normal(rest, kind, True)
            for parent in self.words.parents:
                yield from self._normal(f"{parent}/{rest}", kind, rest.count("/") >= 1)
        else:
            yield from self._normal(posixpath.join(self.folder, token), kind, True)
            bare = token
            while bare.startswith(("../", "./")):
                bare = bare.split("/", 1)[1]
            if self.folder or bare != token:
                yield from self._normal(bare, kind, True)

    def _normal(self, path: str, kind: str, sure: bool) -> Iterator[tuple[str, str, bool]]:
        path = posixpath.normpath(path.replace(SOME, "*").replace(ROOT, "").replace(HERE, self.folder)) if path else ""
        path = path.lstrip("/")
        if path and path != "." and not path.startswith("..") and path.strip("*/"):
            yield path, kind, sure


def kind_of(path: str) -> str:
    """What a person calls a mention in this file."""
    name = posixpath.basename(path)
    if path.startswith(".github/workflows/"):
        return "workflow"
    if name in {"CODEOWNERS", "Makefile", "package.json", "Tiltfile", ".gitmodules", ".gitignore", ".dockerignore"}:
        return name
    if name.startswith("Dockerfile") or name.endswith(".Dockerfile"):
        return "Dockerfile"
    ending = name.rpartition(".")[2].lower()
    return {
        "sh": "script", "bash": "script", "py": "Python", "star": "Starlark", "tilt": "Starlark", "bzl": "Starlark",
        "yaml": "YAML", "yml": "YAML", "json": "JSON", "jsonc": "JSON", "toml": "TOML", "md": "document", "mk": "Makefile",
    }.get(ending, "text")  # fmt: skip
