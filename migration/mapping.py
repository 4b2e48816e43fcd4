"""The mapping of config/migration.yaml: what moves where, what is superseded and by what, what is never changed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, lru_cache
from typing import Literal

from msgspec import Struct

Covers = Callable[[str], bool]

Key = str

OTHER_MOVES, OTHER_CLEANUP = "RF-12", "RF-43"
"""The steps of the rows that name no step."""

MOVE_STEPS = ("INFRA-10", "INFRA-11", "INFRA-12", "INFRA-13", "INFRA-14", OTHER_MOVES)
CLEANUP_STEPS = (
    *("DC-16", "CLEAN-10", "CLEAN-11", "CLEAN-12", "CLEAN-13", "CLEAN-14", "CLEAN-15", "CLEAN-16", "CLEAN-17"),
    *("RF-41", "RF-42", OTHER_CLEANUP),
)
REWRITE_STEPS = {"gitops": "RF-10", "core": "RF-40"}

LISTED = ("**/*.md", "docs/", "backlog/")
"""References from these files are always reported and never blocking."""


class _Row(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A row of the mapping."""


class Move(_Row, frozen=True, rename={"source": "from", "target": "to"}):
    """A file or folder (ending in `/`) of core and its place in gitops. `{env}` is one folder name, the same in both."""

    source: str
    target: str
    step: Key = OTHER_MOVES


class Superseded(_Row, frozen=True):
    """What core no longer needs.

    path: a file, a folder ending in `/`, or a glob; by: what replaces it; reason: why it may be deleted
    """

    path: str
    by: str
    reason: str


class Cleanup(_Row, frozen=True):
    """What a step deletes, as far as the deletion rules allow. title: the state that then holds."""

    paths: list[str]
    title: str = ""
    step: Key = OTHER_CLEANUP


class Carry(_Row, frozen=True, rename={"source": "from", "target": "to"}):
    """A file of core that moved files also need in gitops. The one in core stays."""

    source: str
    target: str
    reason: str


class Rewrite(_Row, frozen=True):
    """In these files (globs) of one repository `find` becomes `with`; `pattern` is a regular expression instead.

    With `line: true` an empty replacement deletes the whole line.
    """

    repo: Literal["core", "gitops"]
    files: list[str]
    reason: str
    step: Key = ""
    find: str = ""
    pattern: str = ""
    replacement: str = ""
    line: bool = False

    @property
    def key(self) -> Key:
        """The step that does it."""
        return self.step or REWRITE_STEPS[self.repo]


class Twins(_Row, frozen=True):
    """Two folders of core with the same content. Files that differ are blocked, unless `decided` names them."""

    one: str
    other: str
    reason: str
    decided: list[str] = []


class Kept(_Row, frozen=True):
    """A path that looks like one to delete or to move, and why it stays. A more specific row of another kind wins."""

    path: str
    reason: str


class ReferenceRules(_Row, frozen=True):
    """listed: references from these files, too, are reported, not blocking; ignored: these files are not searched."""

    listed: list[str] = []
    ignored: list[str] = []


class PostCreate(_Row, frozen=True):
    """How the statements of the old start script are sorted (regular expressions, searched in each statement).

    obsolete: only the local cluster needed it; ours: the new script does it; everything else is the team's and is kept
    also: scripts of which only the obsolete statements are deleted
    """

    path: str = ".devcontainer/postCreate.sh"
    kept_in: str = ".devcontainer/postCreate.team.sh"
    also: list[str] = []
    obsolete: list[str] = []
    ours: list[str] = []


class DevContainer(_Row, frozen=True):
    """folder: the dev container's; drop_ports, drop_features, drop_env (patterns): what only the local cluster needed."""

    folder: str = ".devcontainer"
    drop_ports: list[int] = []
    drop_features: list[str] = []
    drop_env: list[str] = []


class TiltRules(_Row, frozen=True):
    """What changes in the Tiltfile.

    local: texts that only a local registry or cluster has; remote_switch: the variable that chose the remote mode
    context_variables: variables with the context, which now comes from the settings
    paths: prefixes of values and charts in core -> in gitops
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
    """The whole of config/migration.yaml."""

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
    references: ReferenceRules = ReferenceRules()
    post_create: PostCreate = PostCreate()
    dev_container: DevContainer = DevContainer()
    tiltfile: TiltRules = TiltRules()
    infrastructure: Infrastructure = Infrastructure()
    docs: dict[str, str] = {}
    telepresence_script: str = ""

    @cached_property
    def _moves(self) -> list[tuple[int, re.Pattern[str], Move]]:
        rows = [(len(m.source), _move_pattern(m.source), m) for m in self.moves]
        return sorted(rows, key=lambda row: -row[0])

    @cached_property
    def _superseded(self) -> list[tuple[Covers, Superseded]]:
        return [(covering(s.path), s) for s in sorted(self.superseded, key=lambda row: -len(row.path))]

    @cached_property
    def places(self) -> re.Pattern[str]:
        """Matches every path that a move or a superseded entry may cover."""
        return _either([p for _, p, _ in self._moves] + [glob(s.path) for s in self.superseded])

    def move_of(self, path: str) -> tuple[Move, str] | None:
        """Return the most specific move that covers the path, with its destination in gitops."""
        for size, pattern, move in self._moves:
            match = pattern.match(path)
            if match:
                superseded = self.superseded_by(path)
                if (superseded is not None and len(superseded.path) > size) or self.keeps(path, size):
                    return None
                target = move.target.replace("{env}", match.groupdict().get("env", ""))
                below = path[match.end() :] if move.source.endswith("/") else ""
                return move, target + below
        return None

    def superseded_by(self, path: str) -> Superseded | None:
        """Return the most specific superseded entry that covers the path."""
        return next((row for covers, row in self._superseded if covers(path)), None)

    def keeps(self, path: str, size: int = 0) -> bool:
        """Return whether a `kept` row covers the path. size: the length of the row it must be more specific than."""
        return any(len(row.path) > size and covers(path) for covers, row in self._kept)

    @cached_property
    def _kept(self) -> list[tuple[Covers, Kept]]:
        return [(covering(row.path), row) for row in self.kept]

    @cached_property
    def cleanups(self) -> dict[Key, Cleanup]:
        """What each step deletes. What moves or is superseded and no row lists is deleted by a step of its own."""
        rows = {row.step: row for row in self.cleanup if row.step != OTHER_CLEANUP}
        own = [row for row in self.cleanup if row.step == OTHER_CLEANUP]
        paths = [*(path for row in own for path in row.paths), *self._unlisted]
        title = own[0].title if len(own) == 1 else ""
        return rows | ({OTHER_CLEANUP: Cleanup(paths=paths, title=title)} if paths else {})

    @property
    def _unlisted(self) -> Iterator[str]:
        """What moves or is superseded and no `cleanup` row lists."""
        listed = [area for row in self.cleanup for area in row.paths]
        sources = [move.source.replace("{env}", "*") for move in self.moves] + [row.path for row in self.superseded]
        return (path for path in dict.fromkeys(sources) if not any(covers_area(area, path) for area in listed))

    def cleanup_of(self, key: Key) -> Cleanup | None:
        """Return what this step deletes."""
        return self.cleanups.get(key)


def covering(text: str) -> Covers:
    """Return whether a path is this file, in this folder (ending in `/`), or matched by this glob."""
    if "*" in text or "?" in text:
        rule = glob(text)
        return lambda path: rule.match(path) is not None
    return (lambda path: path.startswith(text)) if text.endswith("/") else (lambda path: path == text)


def covers_area(area: str, text: str) -> bool:
    """Return whether the area covers all that `text` (a file, a folder ending in `/`, a glob) may cover."""
    return area == text or covering(area)(text) or (area.endswith("/") and text.startswith(area))


@lru_cache(maxsize=4096)
def glob(text: str) -> re.Pattern[str]:
    """Return the pattern of a glob. A folder ending in `/` covers all below it; `*` and `?` match no `/`, `**` does."""
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
    """Return a pattern of the paths that any of these globs covers. Without globs it matches nothing."""
    return _either(glob(text) for text in texts)


def _either(patterns: Iterable[re.Pattern[str]]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{p.pattern})" for p in patterns) or r"(?!)", re.DOTALL)


def _move_pattern(source: str) -> re.Pattern[str]:
    text = re.escape(source).replace(re.escape("{env}"), "(?P<env>[^/]+)")
    return re.compile(text + ("" if source.endswith("/") else r"\Z"), re.DOTALL)
