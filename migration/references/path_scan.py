"""The paths that a file mentions, read from its text: plain, relative, through variables, composed, in patterns.

A mention is a pattern of paths from the repository root, in which `*` stands for what cannot be told.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from migration.references import path_idioms as idioms
from migration.references.comments import split_comments
from migration.references.path_idioms import HERE, ROOT, SOME

_MODULES = (".js", ".jsx", ".mjs", ".cjs", ".ts", ".tsx", ".mts", ".vue")  # where an import leaves the ending away
_BACKSLASHES = (".ps1", ".bat", ".cmd")


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
    """What a line must hold to be looked at.

    parents: the folders of what may go; wholes: those of them of which most goes; areas: what may go
    loose: what a file may hold instead, without any line that does; links: submodules, whose content is not core's
    """

    needles: tuple[str, ...]
    parents: tuple[str, ...]
    wholes: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()
    loose: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    _line: re.Pattern[str] = field(init=False, repr=False)
    _bytes: tuple[bytes, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        words = [*map(re.escape, self.needles), *(rf"(?<![\w./-]){re.escape(w)}(?![\w./-])" for w in self.wholes)]
        object.__setattr__(self, "_line", re.compile("|".join(words) or r"(?!)"))
        object.__setattr__(self, "_bytes", tuple(n.encode("utf-8", "surrogateescape") for n in self.sought))

    @property
    def sought(self) -> tuple[str, ...]:
        """What a file must hold."""
        return (*self.needles, *self.loose)

    def in_data(self, data: bytes) -> bool:
        """Could the file mention one?"""
        return any(n in data for n in self._bytes)

    def in_line(self, line: str) -> bool:
        """Could the line?"""
        return self._line.search(line) is not None

    def below(self, folder: str) -> dict[str, bool]:
        """The names directly in this folder through which a path leads to what may go; is it a folder?"""
        rest = [a.removeprefix(f"{folder}/") for a in self.areas if a.startswith(f"{folder}/")]
        return {r.partition("/")[0]: "/" in r for r in rest if "*" not in r and "?" not in r}


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
                rows = list(reader.line(part, is_comment))
                named = tuple(f"{p}/" for p, _, _ in rows)
                for pattern, kind, sure in rows:
                    if pattern in reader.guessed and any(
                        n.startswith(pattern[:-1]) for n in named if n != f"{pattern}/"
                    ):
                        continue  # a word that may be the folder, beside a path in it
                    key = (number, pattern)
                    if key not in found or (sure and not found[key].sure):
                        found[key] = Mention(number, pattern, kind, sure, is_comment, part.strip()[:200])
    return list(found.values())


class _Reader:
    def __init__(self, path: str, text: str, words: Words) -> None:
        self.path, self.folder, self.words = path, posixpath.dirname(path), words
        self.rooted = bool(idioms.PATTERN_FILES.search(path))
        self.kind = kind_of(path)
        self.variables: dict[str, str] = {}
        for name, value in idioms.ASSIGNMENT.findall(text):
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
        self.guessed = {f"{whole}/*" for whole in words.wholes}
        self._below = {base: words.below(base) for base in self._entered(text)}
        self._names = tuple(f"{n}/" if f else n for names in self._below.values() for n, f in names.items())

    def wanted(self, line: str) -> bool:
        return (
            self.words.in_line(line)
            or (self._telling is not None and self._telling.search(line) is not None)
            or any(n in line for n in self._names)
        )

    def _entered(self, text: str) -> set[str]:
        """The folders with something that may go into which the file goes before it names anything."""
        found = set()
        for value in idioms.ENTERED.findall(text):
            place = self._expanded(self._idioms(value)).strip("/")
            for parent in self.words.parents:
                if (
                    place in (parent, f"./{parent}")
                    or place.endswith(f"/{parent}")
                    or posixpath.normpath(posixpath.join(self.folder, place)) == parent
                ):
                    found.add(parent)
        return found

    def line(self, line: str, comment: bool = False) -> Iterator[tuple[str, str, bool]]:
        """Pattern, kind and whether it is sure, for each path in the line."""
        text = self._idioms(self._plain(line))
        for whole in self.words.wholes if not comment and self.kind != "document" else ():
            yield from self._alone(text, whole)
        for found in idioms.IMPORT.finditer(text):
            yield from self._imported(found[1].replace(".", "/"))
        for chain in idioms.METHOD.finditer(text):
            first = chain[1] or (chain[2] if chain[3] != "join" or chain[2] in self.variables else "")
            deep = ['"**"'] if chain[3] == "rglob" else []
            if first:
                yield from self._composed([first, *deep, *(p.group() for p in idioms.PIECE.finditer(chain[4]))], "/")
        for chain in idioms.JOIN.finditer(text):
            yield from self._composed([p.group() for p in idioms.PIECE.finditer(chain.group(1))], "/")
        for chain in idioms.CHAIN.finditer(text):
            pieces = [p.group() for p in idioms.PIECE.finditer(chain.group())]
            glue = "" if "+" in re.sub(idioms.STRING, "", chain.group()) else "/"
            yield from self._composed(pieces, glue)
        text = self._expanded(text)
        for _ in range(4):
            braces = idioms.BRACES.search(text)
            if braces is None:
                break
            options = " ".join(braces.group(1) + o + braces.group(3) for o in braces.group(2).split(","))
            text = text[: braces.start()] + options + text[braces.end() :]
        for token in idioms.TOKEN.findall(text):
            if token not in self.words.wholes and self.words.in_line(token):
                yield from self._places(token, self.kind)
            name, slash, _ = token.removeprefix("./").partition("/")
            for base, names in self._below.items():
                if name in names and (slash or not names[name]):
                    yield from self._normal(f"{base}/{token}", self.kind, False)

    def _plain(self, text: str) -> str:
        """The line with plain slashes, without escaped line ends and with what a format puts in as not known."""
        if "\\" in text:
            if self.path.endswith(_BACKSLASHES) or any("\\" in n and n in text for n in self.words.needles):
                text = re.sub(r"\\{1,2}(?=[\w.])", "/", text)
            text = re.sub(r"\\[nrt]", " ", text.replace("\\/", "/"))
        return re.sub(r"%(?:\[\d\])?[sv]\b", SOME, text) if "%" in text else text

    def _alone(self, text: str, whole: str) -> Iterator[tuple[str, str, bool]]:
        """A folder of which most goes, named by itself: gone into, a command's operand, or a word that may be it."""
        word = re.escape(whole)
        for found in re.finditer(
            rf"""(?:{idioms.INTO}|{idioms.OPERAND})["']?([^\s"'`;&|]*/)?{word}/?(?=["'\s;&|)\],}}]|$)""", text
        ):
            before = (found[1] or "").strip("./")
            if not any(before.endswith(link) for link in self.words.links):
                yield whole, self.kind, before in {"", ROOT}
        if re.search(rf"""(?:["'`=]|^\s*-\s+|:\s+){word}(?:["'`]|\s*$)""", text):
            yield f"{whole}/*", self.kind, False

    def _imported(self, path: str) -> Iterator[tuple[str, str, bool]]:
        """A module of Python's, which may be a file or a folder, or a name in one."""
        if self.words.in_line(f"{path}/"):
            for place in (path, f"{path}.py", posixpath.dirname(path), f"{posixpath.dirname(path)}.py"):
                yield from self._normal(place, self.kind, place != posixpath.dirname(path) or "/" in place)

    def _idioms(self, text: str) -> str:
        text = idioms.DIRNAME.sub(HERE, text)
        text = idioms.PARENTS.sub(lambda m: HERE + "/.." * (int(m[1]) if m[1] else m[2].count(".parent")), text)
        text = idioms.TOPLEVEL.sub(ROOT, text)
        for _ in range(2):
            text = idioms.CD_PWD.sub(lambda m: self._expanded(m[1]), text)
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

        return idioms.VARIABLE.sub(value, text)

    def _literal(self, value: str, depth: int) -> str:
        """A variable's value as a path: quotes gone, idioms told, composed values joined."""
        value = self._idioms(value)
        if any(q in value for q in "\"'`") and (idioms.CHAIN.fullmatch(value) or idioms.JOIN.search(value)):
            joined = idioms.JOIN.search(value)
            pieces = [p.group() for p in idioms.PIECE.finditer(joined.group(1) if joined else value)]
            glue = "" if not joined and "+" in re.sub(idioms.STRING, "", value) else "/"
            return glue.join(self._piece(p, depth) for p in pieces)
        value = value.strip()
        if value[:1] in "\"'`" and value[-1:] == value[:1]:
            value = value[1:-1]
        elif " " in value:
            value = value.split()[0].strip("\"';")
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
        if "\\." in token or ".*" in token or ".+" in token:  # a regular expression
            token = token.replace("\\.", ".").replace(".*", "**").replace(".+", "**").strip("^$")
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
            yield from self._elsewhere(token, kind)
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
            if bare != token and self.path.endswith(_MODULES) and "." not in posixpath.basename(token):
                yield from self._normal(posixpath.join(self.folder, f"{token}.*"), kind, True)

    def _elsewhere(self, token: str, kind: str) -> Iterator[tuple[str, str, bool]]:
        """An absolute path that ends as one of core's does: the repository may be checked out there."""
        parts = token.split("/")
        for n in range(1, min(4, len(parts))):
            before, rest = "/".join(parts[:n]), "/".join(parts[n:])
            if any(before.endswith(link) for link in self.words.links):
                return
            if any(f"{rest}/".startswith(a if a.endswith("/") else f"{a}/") for a in self.words.areas if "*" not in a):
                yield from self._normal(rest, kind, False)

    def _normal(self, path: str, kind: str, sure: bool) -> Iterator[tuple[str, str, bool]]:
        unknown = SOME in path
        path = posixpath.normpath(path.replace(SOME, "*").replace(ROOT, "").replace(HERE, self.folder)) if path else ""
        path = path.lstrip("/")
        if path and path != "." and not path.startswith("..") and path.strip("*/"):
            yield path, "composed path" if unknown else kind, sure


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
