"""config/migration.yaml: what moves where, what is superseded and by what, what is never touched."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import Literal

from msgspec import Struct

from tasks.core.errors import Trouble

Covers = Callable[[str], bool]

Key = str
_KEY = re.compile(r"(INFRA|DC|TILT|CLEAN|DOC|RF)-\d\d")


class _Row(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A row of the mapping."""


class Move(_Row, frozen=True, rename={"source": "from", "target": "to"}):
    """A file or folder (ending in `/`) of core and its place in gitops. `{env}` stands for one name in both."""

    step: Key
    source: str
    target: str


class Superseded(_Row, frozen=True):
    """path: a file, a folder ending in `/`, or a glob, of core; by: what took its place; reason: why it may go."""

    path: str
    by: str
    reason: str


class Cleanup(_Row, frozen=True):
    """What a step takes away, as far as the deletion rules allow. title: the state that then holds."""

    step: Key
    paths: list[str]
    title: str = ""


class Carry(_Row, frozen=True, rename={"source": "from", "target": "to"}):
    """A file of core that moved files need in gitops; core's own stays what it is."""

    source: str
    target: str
    reason: str


class Rewrite(_Row, frozen=True):
    """In these files (globs) of one repository `find` becomes `with`; `pattern` is a regular expression instead.

    An empty replacement of `line: true` takes the whole line away.
    """

    step: Key
    repo: Literal["core", "gitops"]
    files: list[str]
    reason: str
    find: str = ""
    pattern: str = ""
    replacement: str = ""
    line: bool = False


class Twins(_Row, frozen=True):
    """Two folders of core that hold the same thing. Files that differ block, unless named in `decided`."""

    one: str
    other: str
    reason: str
    decided: list[str] = []


class Kept(_Row, frozen=True):
    """A path that looks as if it should go, and why it stays."""

    path: str
    reason: str


class References(_Row, frozen=True):
    """listed: references from here are told, but block nothing; ignored: nothing is looked for here."""

    listed: list[str] = []
    ignored: list[str] = []


class PostCreate(_Row, frozen=True):
    """How the lines of the old start script are judged (regular expressions, searched in each statement).

    obsolete: went with the local cluster; ours: the new script does it; all else is the team's and is kept.
    also: scripts of which only the obsolete statements go
    """

    path: str = ".devcontainer/postCreate.sh"
    kept_in: str = ".devcontainer/postCreate.team.sh"
    also: list[str] = []
    obsolete: list[str] = []
    ours: list[str] = []


class DevContainer(_Row, frozen=True):
    """folder: of the dev container; drop_ports, drop_features, drop_env (patterns): what only the local cluster needed."""

    folder: str = ".devcontainer"
    drop_ports: list[int] = []
    drop_features: list[str] = []
    drop_env: list[str] = []


class TiltRules(_Row, frozen=True):
    """What changes in the Tiltfile.

    local: texts that tell a local registry or cluster; remote_switch: the variable that chose the remote mode
    context_variables: variables that hold the context and now come from the settings
    paths: prefixes of values and charts in core -> in the gitops repository
    releases: regular expression of the releases that must be kept
    """

    path: str = "Tiltfile"
    local: list[str] = []
    remote_switch: str = ""
    context_variables: list[str] = []
    paths: dict[str, str] = {}
    releases: str = r"apps-[a-z0-9-]+-tilt\b"


class Infrastructure(_Row, frozen=True):
    """What counts as infrastructure code in core (criterion 4): globs of paths, and of YAML by its content."""

    paths: list[str] = []
    manifests: list[str] = []
    content: str = ""
    exceptions: list[Kept] = []


class Mapping(_Row, frozen=True, dict=True):
    """The whole file."""

    core_urls: list[str] = []
    moves: list[Move] = []
    superseded: list[Superseded] = []
    cleanup: list[Cleanup] = []
    carries: list[Carry] = []
    rewrites: list[Rewrite] = []
    twins: list[Twins] = []
    kept: list[Kept] = []
    never: list[str] = []
    unasked: list[Kept] = []
    references: References = References()
    post_create: PostCreate = PostCreate()
    dev_container: DevContainer = DevContainer()
    tiltfile: TiltRules = TiltRules()
    infrastructure: Infrastructure = Infrastructure()
    docs: dict[str, str] = {}

    @cached_property
    def _moves(self) -> list[tuple[int, re.Pattern[str], Move]]:
        rows = [(len(m.source), _move_pattern(m.source), m) for m in self.moves]
        return sorted(rows, key=lambda row: -row[0])

    @cached_property
    def _superseded(self) -> list[tuple[Covers, Superseded]]:
        return [(covering(s.path), s) for s in sorted(self.superseded, key=lambda row: -len(row.path))]

    @cached_property
    def places(self) -> re.Pattern[str]:
        """Matches what any move or superseded entry may be about; all else needs no look."""
        return _either([p for _, p, _ in self._moves] + [glob(s.path) for s in self.superseded])

    def move_of(self, path: str) -> tuple[Move, str] | None:
        """The most special move that covers the path, with its destination in gitops."""
        for size, pattern, move in self._moves:
            found = pattern.match(path)
            if found:
                over = self.superseded_by(path)
                if over is not None and len(over.path) > size:
                    return None
                env = found.groupdict().get("env", "")
                target = move.target.replace("{env}", env)
                rest = path[found.end() :] if move.source.endswith("/") else ""
                return move, target + rest
        return None

    def superseded_by(self, path: str) -> Superseded | None:
        """The most special superseded entry that covers the path."""
        return next((row for covers, row in self._superseded if covers(path)), None)

    def cleanup_of(self, key: Key) -> Cleanup | None:
        """What this step takes away."""
        return next((c for c in self.cleanup if c.step == key), None)


def covering(text: str) -> Covers:
    """Does this file name, folder ending in `/` or glob cover a path? Most are no glob and need no pattern."""
    if "*" in text or "?" in text:
        rule = glob(text)
        return lambda path: rule.match(path) is not None
    return (lambda path: path.startswith(text)) if text.endswith("/") else (lambda path: path == text)


def glob(text: str) -> re.Pattern[str]:
    """A pattern of a path: a folder ending in `/` covers all below; `*` and `?` stay in one part, `**` does not."""
    out, place = [], 0
    while place < len(text):
        if text.startswith("**/", place):
            out.append("(?:.*/)?")
            place += 3
        elif text.startswith("**", place):
            out.append(".*")
            place += 2
        else:
            char = text[place]
            out.append({"*": "[^/]*", "?": "[^/]"}.get(char) or re.escape(char))
            place += 1
    return re.compile("".join(out) + ("" if text.endswith("/") else r"\Z"), re.DOTALL)


def any_glob(texts: Iterable[str]) -> re.Pattern[str]:
    """A pattern of the paths that one of these globs covers; without one it matches nothing."""
    return _either(glob(text) for text in texts)


def _either(patterns: Iterable[re.Pattern[str]]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{p.pattern})" for p in patterns) or r"(?!)", re.DOTALL)


def _move_pattern(source: str) -> re.Pattern[str]:
    text = re.escape(source).replace(re.escape("{env}"), "(?P<env>[^/]+)")
    return re.compile(text + ("" if source.endswith("/") else r"\Z"), re.DOTALL)


def read(path: Path) -> Mapping:
    """The mapping in this file. Raises Trouble with file, line and what is wrong."""
    from tasks.core.config.sources import convert, known_keys
    from tasks.core.yaml import strict

    document = strict.read(path)
    known_keys(document, Mapping)
    found: Mapping = convert(document.data, Mapping, [document])

    def wrong(keys: tuple[str, ...], what: str, fix: str) -> Trouble:
        return Trouble(f"{document.where(keys)}: {what}", fix=fix)

    def safe(keys: tuple[str, ...], value: str) -> None:
        parts = value.rstrip("/").split("/")
        if value.startswith("/") or ".." in parts or "." in parts or ".git" in parts or "" in parts or "\\" in value:
            raise wrong(
                keys, f"'{value}' is not a path inside the repository", "write it from the root, without .. and /"
            )

    for number, move in enumerate(found.moves):
        at = ("moves", str(number))
        safe((*at, "from"), move.source)
        safe((*at, "to"), move.target)
        if move.source.endswith("/") != move.target.endswith("/"):
            raise wrong(
                at, f"'{move.source}' -> '{move.target}': a folder moves to a folder", "end both in / or neither"
            )
    for number, carry in enumerate(found.carries):
        safe(("carries", str(number), "from"), carry.source)
        safe(("carries", str(number), "to"), carry.target)
    for number, row in enumerate(found.superseded):
        keys = ("superseded", str(number), "path")
        safe(keys, row.path)
        covers = covering(row.path)
        for move in found.moves:
            if covers(move.source):
                what = f"'{row.path}' is too wide: it covers {move.source}, which moves"
                raise wrong(keys, what, "name what is below it")
        if not row.by.strip() or not row.reason.strip():
            raise wrong(keys, f"'{row.path}' has no successor or no reason", "fill in `by` and `reason`")
    for number, step in enumerate(found.cleanup):
        for area in step.paths:
            safe(("cleanup", str(number), "paths"), area)
    steps = [("moves", n, m.step) for n, m in enumerate(found.moves)]
    steps += [("cleanup", n, c.step) for n, c in enumerate(found.cleanup)]
    steps += [("rewrites", n, r.step) for n, r in enumerate(found.rewrites)]
    for name, number, key in steps:
        if not _KEY.fullmatch(key):
            raise wrong((name, str(number), "step"), f"'{key}' is no step's key", "such as INFRA-10 or RF-40")
    for spot, place in _places(found):
        safe(spot, place)
    for number, rewrite in enumerate(found.rewrites):
        if bool(rewrite.find) == bool(rewrite.pattern):
            raise wrong(("rewrites", str(number)), "either `find` or `pattern` is expected", "keep one of them")
    for spot, pattern in _patterns(found):
        try:
            re.compile(pattern)
        except re.error as why:
            raise wrong(spot, f"no regular expression: {why}", "mend it") from None
    for number, rewrite in enumerate(found.rewrites):
        try:
            re.sub(rewrite.pattern, rewrite.replacement if rewrite.pattern else "", "")
        except (re.error, IndexError) as why:
            raise wrong(
                ("rewrites", str(number), "replacement"), f"does not fit the pattern: {why}", "mend it"
            ) from None
    return found


def _places(found: Mapping) -> list[tuple[tuple[str, ...], str]]:
    """Single paths that are written, read or guarded, each with its keys."""
    start, container = found.post_create, found.dev_container
    twins = [
        (("twins", str(n), k), p) for n, t in enumerate(found.twins) for k, p in (("one", t.one), ("other", t.other))
    ]
    return [
        *((("never",), path) for path in found.never if path != ".git/"),
        *((("docs", key), path) for key, path in found.docs.items()),
        *twins,
        *((("post_create", "also"), path) for path in start.also),
        (("post_create", "path"), start.path),
        (("post_create", "kept_in"), start.kept_in),
        (("dev_container", "folder"), container.folder),
        (("tiltfile", "path"), found.tiltfile.path),
    ]


def _patterns(found: Mapping) -> list[tuple[tuple[str, ...], str]]:
    """The regular expressions, each with its keys."""
    start, container = found.post_create, found.dev_container
    return [
        *((("post_create", "obsolete"), pattern) for pattern in start.obsolete),
        *((("post_create", "ours"), pattern) for pattern in start.ours),
        *((("dev_container", "drop_features"), pattern) for pattern in container.drop_features),
        *((("dev_container", "drop_env"), pattern) for pattern in container.drop_env),
        (("tiltfile", "releases"), found.tiltfile.releases),
        (("infrastructure", "content"), found.infrastructure.content),
        *((("rewrites", str(n), "pattern"), r.pattern) for n, r in enumerate(found.rewrites)),
    ]
