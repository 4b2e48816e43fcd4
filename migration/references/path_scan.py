"""Find the paths that a text file refers to: plain, relative, through variables, composed, in patterns.

The result is a glob from the root of the repository, in which `*` is what the text does not say.
"""

from __future__ import annotations

import codecs
import posixpath
import re
from collections.abc import Iterator
from typing import NamedTuple

from migration.git.objects import is_binary
from migration.model import ReferenceKind
from migration.references import path_idioms as idioms
from migration.references.bare_names import bare_names
from migration.references.comments import split_comments
from migration.references.kinds import kind_of
from migration.references.modules import SCRIPTS, python_imports, script_endings
from migration.references.path_idioms import HERE, ROOT, UNKNOWN
from migration.references.removal import ancestors
from migration.references.search_terms import SearchTerms, places_of
from migration.references.variables import Variables, separator_of

_BACKSLASHES = (".ps1", ".psm1", ".bat", ".cmd", ".sln", ".csproj", ".fsproj", ".vbproj", ".props", ".targets")
_DATA = {ReferenceKind.YAML, ReferenceKind.JSON}  # whose variables have marks
_MAX_TEXT = 200
_MAX_BRACES = 4
_MAX_CHECKOUT_DEPTH = 3  # folders above the repository in an absolute path, such as /home/me/core


class ScannedPath(NamedTuple):
    """A path in a file. line: from 1; pattern: from the root; sure: False if it is a guess; text: the line."""

    line: int
    pattern: str
    kind: ReferenceKind
    sure: bool
    comment: bool
    text: str


class _Candidate(NamedTuple):
    pattern: str
    kind: ReferenceKind
    sure: bool


def _as_utf8(data: bytes) -> bytes:
    """The text of a file that Windows wrote as UTF-16, with the byte order mark by which it is known."""
    if not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data
    return data.decode("utf-16", "replace").encode()


def scan(path: str, data: bytes, terms: SearchTerms) -> list[ScannedPath]:
    """Every path in this text file that may lead to what is deleted. A binary file has none."""
    data = _as_utf8(data)
    if not terms.in_data(data) or is_binary(data):
        return []
    text = data.decode("utf-8-sig", "surrogateescape")
    scanned: dict[tuple[int, str], ScannedPath] = {}
    for one in _scan_lines(path, text, terms):
        known = scanned.get((one.line, one.pattern))
        if known is None or (one.sure and not known.sure):
            scanned[one.line, one.pattern] = one
    if path.endswith(".py") and (terms.is_near or any(top in text for top in terms.tops)):
        for one in _imports(path, text):
            scanned.setdefault((one.line, one.pattern), one)
    return list(scanned.values())


def _scan_lines(path: str, text: str, terms: SearchTerms) -> Iterator[ScannedPath]:
    scanner = _Scanner(path, text, terms)
    worth_scanning = scanner.lines(text)
    if not worth_scanning:
        return
    for number, code, comment in split_comments(path, text):
        if number in worth_scanning:
            for part, is_comment in ((code, False), (comment, True)):
                for pattern, kind, sure in scanner.candidates(part, is_comment):
                    yield ScannedPath(number, pattern, kind, sure, is_comment, part.strip()[:_MAX_TEXT])


def _imports(path: str, text: str) -> Iterator[ScannedPath]:
    """The files that the imports of a Python file may mean."""
    for statement in python_imports(path, text):
        number = text.count("\n", 0, statement.start) + 1
        line = text[statement.start :].partition("\n")[0].strip()[:_MAX_TEXT]
        yield from (ScannedPath(number, place, ReferenceKind.PYTHON, True, False, line) for place in statement.places)


class _Scanner:
    """Scans the lines of one file."""

    def __init__(self, path: str, text: str, terms: SearchTerms) -> None:
        self.path, self.folder, self.terms = path, posixpath.dirname(path), terms
        self.kind = kind_of(path)
        self.is_relative = bool(idioms.RELATIVE_FILES.search(path))
        self.has_labels = bool(idioms.LABEL_FILES.search(path))
        self.has_patterns = bool(idioms.PATTERN_FILES.search(path))
        is_plain = self.kind in _DATA and "$" not in text and "{" not in text
        self.variables = Variables("" if is_plain else text)
        self._variable_uses = self._variables_with_paths()
        self._below = {folder: terms.below(folder) for folder in self._entered_folders(text)}
        names_below = {name: is_folder for names in self._below.values() for name, is_folder in names.items()}
        self._bare_names = tuple(f"{name}/" if is_folder else name for name, is_folder in names_below.items())

    def _variables_with_paths(self) -> re.Pattern[str] | None:
        """A line may contain a path only by a variable whose value does."""
        with_paths = {name for name, value in self.variables.values.items() if self.terms.in_line(value)}
        names = self.variables.using(with_paths)
        return re.compile(r"\b(?:" + "|".join(map(re.escape, sorted(names))) + r")\b") if names else None

    def _entered_folders(self, text: str) -> set[str]:
        """The folders above what is deleted that the file enters before it runs anything."""
        entered = set()
        for value in idioms.ENTERED.findall(text):
            place = self.variables.expand(self.variables.replace_idioms(value)).strip("/")
            relative = posixpath.normpath(posixpath.join(self.folder, place))
            for parent in self.terms.parents:
                if relative == parent or place in (parent, f"./{parent}") or place.endswith(f"/{parent}"):
                    entered.add(parent)
        return entered

    def lines(self, text: str) -> set[int]:
        """The numbers of the lines that may contain such a path."""
        places = set(self.terms.places(text))
        for name in self._bare_names:
            places.update(places_of(name, text))
        if self._variable_uses is not None:
            places.update(match.start() for match in self._variable_uses.finditer(text))
        numbers: set[int] = set()
        number, counted = 1, 0
        for place in sorted(places):
            number += text.count("\n", counted, place)
            counted = place
            numbers.add(number)
        return numbers

    def candidates(self, part: str, is_comment: bool) -> list[_Candidate]:
        """The paths in the code or the comment of a line."""
        if not part or part.isspace():
            return []
        candidates = list(self._candidates(part, is_comment))
        folders = {f"{folder}/*": f"{folder}/" for folder in self.terms.emptied}

        def is_superfluous_guess(pattern: str) -> bool:
            """Is this a word that may be a folder, on a line that also has a path into it?"""
            folder = folders.get(pattern)
            return folder is not None and any(
                f"{other.pattern}/".startswith(folder) for other in candidates if other.pattern != pattern
            )

        return [candidate for candidate in candidates if not is_superfluous_guess(candidate.pattern)]

    def _candidates(self, line: str, is_comment: bool) -> Iterator[_Candidate]:
        text = self.variables.replace_idioms(self._with_plain_slashes(line))
        text = idioms.QUOTED_FOLDER.sub(r"\1", text)
        if not is_comment and self.kind is not ReferenceKind.DOCUMENT:
            for folder in self.terms.emptied:
                yield from self._folder_alone(text, folder)
            yield from self._top_alone(text)
        for statement in idioms.IMPORT.finditer(text):
            yield from self._python_module(statement[1].replace(".", "/"))
        yield from self._composed_paths(text)
        text = _expand_braces(self.variables.expand(text))
        for token in idioms.TOKEN.findall(text):
            if _without_punctuation(token) not in self.terms.single_words and self.terms.in_token(token):
                yield from self._resolve(token, self.kind)
            yield from self._below_entered(token)
        yield from self._with_unusual_marks(text)
        if not is_comment:
            yield from self._bare(text)

    def _with_unusual_marks(self, text: str) -> Iterator[_Candidate]:
        """The paths with a blank, a bracket or another mark that ends a token: quoted, after a key, or with backslashes."""
        if not self.terms.has_unusual_names:
            return
        for match in idioms.UNUSUAL.finditer(text):
            path = re.sub(r"\\(.)", r"\1", match[match.lastindex or 0].strip())
            if self.terms.in_line(path) and not idioms.TOKEN.fullmatch(path):
                yield from self._resolve(path, self.kind)

    def _bare(self, text: str) -> Iterator[_Candidate]:
        """The names without a slash that name a file or folder near this file."""
        if self.terms.is_near:
            for name in bare_names(self.path, text):
                yield from self._relative(name, self.kind)

    def _with_plain_slashes(self, line: str) -> str:
        """The line with `/` for other separators, without escaped line ends, and with UNKNOWN for `%s` and the like."""
        if self.has_labels:
            line = idioms.LABEL.sub(_label_paths, line)
        if "\\" in line:
            if self.path.endswith(_BACKSLASHES) or any("\\" in text and text in line for text in self.terms.line_texts):
                line = re.sub(r"\\{1,2}(?=[\w.])", "/", line)
            line = re.sub(r"\\[nrt]", " ", line.replace("\\/", "/"))
        line = line.replace("file://", " ")  # Chart.yaml: file://../global
        return re.sub(r"%(?:\[\d\])?[sv]\b", UNKNOWN, line) if "%" in line else line  # %s, %v, %[1]s

    def _folder_alone(self, text: str, folder: str) -> Iterator[_Candidate]:
        """The folder without a path below it: entered, an argument of a command, or a word that may be the folder."""
        word = re.escape(folder)
        uses = rf"""(?:{idioms.ENTER}|{idioms.ARGUMENT})["']?([^\s"'`;&|]*/)?{word}/?(?=["'\s;&|)\],}}]|$)"""
        for use in re.finditer(uses, text):
            before = (use[1] or "").strip("./")
            if not any(before.endswith(submodule) for submodule in self.terms.submodules):
                yield _Candidate(folder, self.kind, before in {"", ROOT})
        if re.search(rf"""(?:["'`=]|^\s*-\s+|:\s+){word}(?:["'`]|\s*$)""", text):  # DIR=infra, "infra", - infra
            yield _Candidate(f"{folder}/*", self.kind, False)

    def _top_alone(self, text: str) -> Iterator[_Candidate]:
        """A top-level folder by its name alone, where only a folder makes sense: `cd deploy`, but not `name: deploy`."""
        tops = [top for top in self.terms.tops if top in text]
        if not tops:
            return
        for use in idioms.FOLDER_USE.finditer(text):
            if use[1].removeprefix(f"{ROOT}/").removeprefix("./").rstrip("/") in tops:
                yield from self._normalize(use[1], self.kind, True)
        if self.folder and self.is_relative:
            return
        for name in bare_names(self.path, self.variables.expand(text)):
            if name.rstrip("/") in tops and not re.search(rf"\w:{re.escape(name)}", text):  # not `build:dev`, a script
                yield from self._normalize(name, self.kind, False)

    def _python_module(self, path: str) -> Iterator[_Candidate]:
        """A module, which is a folder or a file, or a name in one."""
        if not self.terms.in_line(f"{path}/"):
            return
        parent = posixpath.dirname(path)
        for place in (path, f"{path}.py", parent, f"{parent}.py"):
            yield from self._normalize(place, self.kind, place != parent or "/" in place)

    def _composed_paths(self, text: str) -> Iterator[_Candidate]:
        for call in idioms.METHOD.finditer(text):
            literal, name, method = call[1], call[2], call[3]
            is_path = method != "join" or name in self.variables.values  # another object may have a method `join`
            base = literal or (name if is_path else "")
            if base:
                any_depth = ['"**"'] if method == "rglob" else []
                yield from self._compose([base, *any_depth, *_operands(call[4])], "/")
        for call in idioms.JOIN.finditer(text):
            yield from self._compose(_operands(call[1]), "/")
        for chain in idioms.CHAIN.finditer(text):
            yield from self._compose(_operands(chain.group()), separator_of(chain.group()))

    def _compose(self, operands: list[str], separator: str) -> Iterator[_Candidate]:
        if not any(operand[-1:] in "\"'`" for operand in operands):
            return  # names alone: an arithmetic expression
        first, *rest = [self.variables.operand(operand) for operand in operands]
        path = separator.join([first, *(part.strip("/") if separator else part for part in rest)])
        if any(self.terms.in_line(part) for part in (path, first, *rest)):
            yield from self._resolve(path, ReferenceKind.COMPOSED)

    def _below_entered(self, token: str) -> Iterator[_Candidate]:
        """A path relative to a folder that the file enters."""
        name, slash, _ = token.removeprefix("./").partition("/")
        for folder, names in self._below.items():
            if name in names and (slash or not names[name]):
                yield from self._normalize(f"{folder}/{token}", self.kind, False)

    def _resolve(self, token: str, kind: ReferenceKind) -> Iterator[_Candidate]:
        """The paths from the root that the token may mean."""
        token = _without_punctuation(_glob_of_regex(token))
        first, _, rest = token.partition("/")
        if not first:
            yield from self._absolute(token, kind)
        elif first == ROOT or (first == "." and self.kind is ReferenceKind.PACKAGE_JSON):
            yield from self._normalize(rest, kind, True)
        elif first == HERE:
            yield from self._normalize(posixpath.join(self.folder, rest), kind, True)
        elif UNKNOWN in first and rest:
            yield from self._normalize(rest, kind, True)
            if self.terms.is_near or rest.startswith("../"):
                yield from self._near(rest, kind)
            for parent in self.terms.parents:
                yield from self._normalize(f"{parent}/{rest}", kind, "/" in rest)
        elif UNKNOWN not in first:
            yield from self._relative(token, kind)

    def _relative(self, token: str, kind: ReferenceKind) -> Iterator[_Candidate]:
        """A relative path: from the file's folder, or from the root, where most commands run."""
        yield from self._normalize(posixpath.join(self.folder, token), kind, True)
        from_root = token
        while from_root.startswith(("../", "./")):
            from_root = from_root.split("/", 1)[1]
        if self.folder or from_root != token:
            yield from self._normalize(from_root, kind, True)
        if self.terms.is_near:
            yield from self._near(token, kind)
        yield from self._import(token, kind, is_relative=from_root != token)

    def _near(self, token: str, kind: ReferenceKind) -> Iterator[_Candidate]:
        """A path from a folder above the file's, such as a chart or the context of a Docker build."""
        yield from self._normalize(posixpath.join(self.folder, token), kind, True)
        if "/" in token.strip("/") or self.kind is ReferenceKind.DOCKERFILE or "/templates/" in self.path:
            for folder in ancestors(self.folder):
                yield from self._normalize(posixpath.join(folder, token.removeprefix("./")), kind, False)

    def _import(self, token: str, kind: ReferenceKind, *, is_relative: bool) -> Iterator[_Candidate]:
        """What an import means that omits the extension or begins with the name of a module."""
        place = posixpath.join(self.folder, token)
        if is_relative and self.path.endswith(SCRIPTS):
            if "." not in posixpath.basename(token):
                yield from self._normalize(f"{place}.*", kind, True)
            for file in script_endings(place):
                yield from self._normalize(file, kind, True)
        elif is_relative and self.kind is ReferenceKind.JSON:  # tsconfig.json: "extends": "./base"
            yield from self._normalize(f"{place}.json", kind, True)
        elif self.path.endswith(".go") and "." in token.partition("/")[0]:  # "host/owner/name/folder"
            yield from self._below_checkout(token, kind)

    def _absolute(self, token: str, kind: ReferenceKind) -> Iterator[_Candidate]:
        """An absolute path: from the root in a file of patterns; else the repository may be checked out above it."""
        if not token or token.startswith("//"):  # what follows the scheme of a URL
            return
        if not self.has_patterns and (not self.terms.in_line(token) or token.count("/") < 2):
            return
        token = token.lstrip("/")
        yield from self._normalize(token, kind, True)
        if token.rpartition("/")[2] not in self.terms.tops:  # `/etc/deploy` is not deploy/ of a checkout in `/etc`
            yield from self._below_checkout(token, kind)

    def _below_checkout(self, token: str, kind: ReferenceKind) -> Iterator[_Candidate]:
        parts = token.split("/")
        folders = tuple(area.rstrip("/") + "/" for area in self.terms.areas if "*" not in area)
        for depth in range(1, min(_MAX_CHECKOUT_DEPTH + 1, len(parts))):
            checkout, rest = "/".join(parts[:depth]), "/".join(parts[depth:])
            if any(checkout.endswith(submodule) for submodule in self.terms.submodules):
                return
            if f"{rest}/".startswith(folders):
                yield from self._normalize(rest, kind, False)

    def _normalize(self, path: str, kind: ReferenceKind, sure: bool) -> Iterator[_Candidate]:
        """The candidate, unless the path is outside the repository or says nothing."""
        if UNKNOWN in path:
            kind = ReferenceKind.COMPOSED
        path = path.replace(UNKNOWN, "*").replace(ROOT, "").replace(HERE, self.folder)
        pattern = posixpath.normpath(path).lstrip("/") if path else ""
        is_inside = pattern not in {"", "."} and not pattern.startswith("..")
        if is_inside and pattern.strip("*/"):
            yield _Candidate(pattern, kind, sure)


def _label_paths(label: re.Match[str]) -> str:
    """What a label of Bazel or of Gradle means: //a/b:c is the package a/b and perhaps the file a/b/c; :a:b is a/b."""
    quote, package, name, project = label.groups()
    if package is None:
        return f"{quote}{ROOT}/{project.strip(':').replace(':', '/')}{quote} {label.group()}"
    return f"{quote}{ROOT}/{package}{quote} {quote}{ROOT}/{package}/{name or ''}{quote}"


def _operands(text: str) -> list[str]:
    return [match.group() for match in idioms.OPERANDS.finditer(text)]


def _expand_braces(text: str) -> str:
    for _ in range(_MAX_BRACES):
        braces = idioms.BRACES.search(text)
        if braces is None:
            break
        before, options, after = braces.groups()
        expanded = " ".join(before + option + after for option in options.split(","))
        text = text[: braces.start()] + expanded + text[braces.end() :]
    return text


def _glob_of_regex(token: str) -> str:
    """A regular expression as a glob: ^infra/.*\\.sh$ is infra/**.sh."""
    if not any(mark in token for mark in ("\\.", ".*", ".+")):
        return token
    return token.replace("\\.", ".").replace(".*", "**").replace(".+", "**").strip("^$")


def _without_punctuation(token: str) -> str:
    if token.startswith("."):
        return token.rstrip(".,!?\\")
    stripped = token.strip(".,!@?*+^~\\%")
    return token.rstrip(".,!@?*+^~\\%") if token.startswith("*.") else stripped  # *.sql
