"""Which folders of infrastructure move to gitops, and which stay because the product needs them."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from migration.scan.consumers import PRODUCT, Consumer, Role, consumers
from migration.scan.folders import Folder, Folders
from migration.scan.kinds import Kind
from migration.scan.proposal import Proposal, Row
from migration.scan.reading import Sources

_NEEDING = PRODUCT | {Role.TEST}
_DEEPEST = 4  # levels at which a folder is still divided
_RELATIVE = re.compile(r"(?<![\w.$}])(?:file://)?(\.\.?/[\w./-]+)")
_PUBLISHED = re.compile(r"^(?:icon:.*|\s+artifacthub\.io/.*|home:.*\n(?:.*\n)*?maintainers:)", re.MULTILINE)
_SHOWN = 3  # pieces of evidence in a comment


@dataclass(frozen=True)
class Placement:
    """Where a folder belongs. stays: the product needs it"""

    folder: Folder
    stays: bool
    sure: bool
    evidence: tuple[str, ...]


def propose(sources: Sources, folders: Folders, proposal: Proposal) -> list[Placement]:
    """Add the folders that move and those that stay."""
    candidates = [folder for folder in folders.highest() if not _is_local(folder)]
    users = consumers(sources, [folder.path for folder in candidates])
    divider = _Divider(sources, folders)
    parts = [place for folder in candidates for place in divider.place(folder, users.get(folder.path, []))]
    placed = _with_published(sources, [place for place in parts if place.folder.infrastructure])
    proposal.mapping["moves"] = [_move(place) for place in placed if not place.stays]
    proposal.mapping["kept"] = [_kept(place) for place in placed if place.stays]
    return placed


def _with_published(sources: Sources, placed: list[Placement]) -> list[Placement]:
    published = _published(sources, [place.folder.path for place in placed if not place.stays])
    return [_as_published(place, published) for place in placed]


def _is_local(folder: Folder) -> bool:
    """Whether all that is infrastructure in it describes local clusters."""
    return folder.counts[Kind.CLUSTER] == folder.infrastructure


def _published(sources: Sources, folders: list[str]) -> dict[str, str]:
    """The charts below these folders that describe themselves to strangers, each with the line that does."""
    charts = [path for folder in folders for path in sources.tree.under(folder) if path.endswith("/Chart.yaml")]
    texts = sources.texts(charts)
    found = {path: _PUBLISHED.search(text) for path, text in texts.items()}
    return {
        path: f"{path}:{_line(texts[path], match)} `{match[0].splitlines()[0].strip()[:80]}`"
        for path, match in found.items()
        if match
    }


def _line(text: str, match: re.Match[str]) -> int:
    return text.count("\n", 0, match.start()) + 1


def _as_published(place: Placement, published: dict[str, str]) -> Placement:
    """The folder as one that stays, perhaps, if it has a chart that strangers may install."""
    told = next((text for path, text in published.items() if path.startswith(place.folder.path)), "")
    if place.stays or not told:
        return place
    return Placement(place.folder, True, False, (f"a chart that may be published: {told}", *place.evidence))


def _move(place: Placement) -> Row:
    return Row({"from": place.folder.path, "to": place.folder.path}, place.sure, place.evidence)


def _kept(place: Placement) -> Row:
    value = {"path": place.folder.path, "reason": place.evidence[0].partition(" `")[0]}
    return Row(value, place.sure, place.evidence)


class _Divider:
    """Divides a folder of which the product needs a part, where the parts do not refer to each other."""

    def __init__(self, sources: Sources, folders: Folders) -> None:
        self._sources, self._folders = sources, folders

    def place(self, folder: Folder, users: list[Consumer], level: int = 0) -> Iterator[Placement]:
        """Yield the folder as a whole, or its parts."""
        needing = [user for user in users if user.role in _NEEDING]
        if not needing:
            yield Placement(folder, False, _is_sure(folder, users), (folder.evidence, *_told(users)))
            return
        children = self._folders.children(folder.path) if level < _DEEPEST else []
        needed = self._needed(folder, children, {user.path for user in needing})
        free = self._free(children, needed)
        if not free:
            sure = not PRODUCT.isdisjoint(user.role for user in needing)
            yield Placement(folder, True, sure, (*_told(needing), folder.evidence))
            return
        for child in filter(lambda child: child.path in needed, children):
            yield from self._part(child, users, needing, level)
        for child in free:
            yield Placement(child, False, False, (child.evidence, f"nothing outside {child.path} needs it"))

    def _part(self, child: Folder, users: list[Consumer], needing: list[Consumer], level: int) -> Iterator[Placement]:
        """Yield a needed child: divided by those that use it, or whole where only its siblings need it."""
        inside = [user for user in users if f"{user.path}/".startswith(child.path)]
        yield from self.place(child, inside or needing, level + 1 if inside else _DEEPEST)

    def _free(self, children: list[Folder], needed: set[str]) -> list[Folder]:
        """The children that may move; none where all of the folder is needed."""
        others = [child for child in children if child.path not in needed] if needed else []
        return [child for child in others if child.is_infrastructure and not _is_local(child)]

    def _needed(self, folder: Folder, children: list[Folder], paths: set[str]) -> set[str]:
        """The children that are needed, with those that refer to them or to which they refer. Empty: all of the folder."""
        names = [child.path for child in children]
        needed = {name for name in names for path in paths if f"{path}/".startswith(name)}
        if any(not f"{path}/".startswith(tuple(names)) for path in paths):
            return set()  # the folder itself, or a file directly in it
        links = self._links(folder.path, names)
        size = 0
        while size != len(needed):
            size = len(needed)
            for one, other in links:
                if one in needed or other in needed:
                    needed |= {one, other}
        return needed - {folder.path}

    def _links(self, folder: str, children: list[str]) -> set[tuple[str, str]]:
        """The children of which one refers to the other by a relative path."""
        paths = [path for path in self._sources.tree.under(folder) if _may_refer(path)]
        links: set[tuple[str, str]] = set()
        for path, text in self._sources.texts(paths).items():
            own = _child_of(path, children)
            for relative in _RELATIVE.findall(text):
                place = posixpath.normpath(posixpath.join(posixpath.dirname(path), relative))
                other = _child_of(f"{place}/", children)
                if own and other and own != other:
                    links.add((own, other))
        return links


def _may_refer(path: str) -> bool:
    return path.endswith((".yaml", ".yml", ".tf", ".hcl", ".sh", ".bicep", ".tpl", "Makefile"))


def _child_of(path: str, children: Iterable[str]) -> str:
    return next((child for child in children if path.startswith(child)), "")


def _is_sure(folder: Folder, users: list[Consumer]) -> bool:
    return folder.sure and all(user.role in {Role.DEPLOY, Role.LOCAL} for user in users)


def _told(users: list[Consumer]) -> list[str]:
    """The most telling uses, and how many more there are of each."""
    counts = Counter(user.role for user in users)
    shown: list[str] = []
    for role in sorted(counts, key=list(Role).index):
        first = next(user for user in users if user.role is role)
        more = f" and {counts[role] - 1} more" if counts[role] > 1 else ""
        shown.append(f"{role}: {first.hit.where} `{' '.join(first.hit.text.split())[:80]}`{more}")
    return shown[:_SHOWN]
