"""The commits that lead to a tree: authors, times and earlier paths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sandbox.legacy.archive import Entry, Tree
from sandbox.legacy.definition import Chapter
from sandbox.legacy.fast_import import Commit


def history(
    chapters: tuple[Chapter, ...], authors: Mapping[str, str], tree: Tree, links: Mapping[str, str] | None = None
) -> Iterator[Commit]:
    """One commit for each chapter. The last one results in exactly `tree` with the submodules of `links`."""
    entering = _entering(chapters, tree)
    for number, chapter in enumerate(chapters):
        later = chapters[number + 1 :]
        files = _files(chapter, entering[number], tree, later)
        if chapter.merges:  # fast-import takes the tree of the first parent only
            for other, paths in zip(chapters[:number], entering, strict=False):
                if other.branch == chapter.merges:
                    files |= {path: tree[path] for path in paths}
        yield Commit(
            authors[chapter.by],
            chapter.when,
            chapter.subject,
            files,
            renames={old: new for new, old in chapter.renamed.items()},
            removed=tuple(chapter.dropped),
            links=dict(links or {}) if not later else {},
            branch=chapter.branch,
            merges=chapter.merges,
        )


def _files(chapter: Chapter, entering: list[str], tree: Tree, later: tuple[Chapter, ...]) -> dict[str, Entry]:
    """The files that a chapter adds or changes, under their names and with their content at that time."""
    changed = [path for path in chapter.was if path in tree]
    files = {_name(path, later): _content(path, tree[path], later) for path in entering}
    for coming in later[:1]:  # the next chapter deletes these
        files |= {path: Entry(text.encode()) for path, text in coming.dropped.items()}
    files |= {_name(path, later): _content(path, tree[path], later) for path in changed}
    return files


def _entering(chapters: tuple[Chapter, ...], tree: Tree) -> list[list[str]]:
    """For each chapter the paths that it adds: the longest matching folder decides."""
    prefixes = sorted(
        ((prefix, number) for number, chapter in enumerate(chapters) for prefix in chapter.takes),
        key=lambda named: -len(named[0]),
    )
    entering: list[list[str]] = [[] for _ in chapters]
    for path in sorted(tree):
        entering[next(number for prefix, number in prefixes if path.startswith(prefix))].append(path)
    return entering


def _name(path: str, later: tuple[Chapter, ...]) -> str:
    """The path before the later renames."""
    for chapter in reversed(later):
        for new, old in chapter.renamed.items():
            if path == new or path.startswith(f"{new}/"):
                path = old + path.removeprefix(new)
    return path


def _content(path: str, entry: Entry, later: tuple[Chapter, ...]) -> Entry:
    """The file before the later edits."""
    for chapter in later:
        if path in chapter.was:
            now, before = chapter.was[path]
            if now.encode() not in entry.data:
                raise ValueError(f"{path} does not hold {now!r}")
            entry = Entry(entry.data.replace(now.encode(), before.encode()), entry.mode)
    return entry
