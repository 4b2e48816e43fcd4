"""RF-22: what the documents of core still say about the local cluster is replaced by a section, or listed for a person."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from migration.dev_container.choice import chosen
from migration.edit.doc_sections import section_in
from migration.edit.documents import container
from migration.git.objects import GITLINK, SYMLINK, Entry
from migration.mapping import Mapping, any_glob
from migration.simulation import Draft, Simulation

_DOCUMENTS = any_glob(
    ["*.md", "*.mdx", "*.rst", "*.adoc", ".github/*.md", ".devcontainer/**/*.md", "docs/**/*.md", "docs/**/*.mdx"]
)
_HISTORY = re.compile(r"(?:^|/)(?:CHANGELOG|CHANGES|HISTORY|NEWS|RELEASES?)[^/]*$", re.IGNORECASE)
_OUR_SECTION = re.compile(r"<!-- (remote-first:\S+) -->.*?<!-- /\1 -->", re.DOTALL)
_SCRIPT = re.compile(r"\.(?:sh|bash|py)$")
_SUFFIXES = (".md", ".mdx", ".rst", ".adoc")
_PATHSPECS = tuple(f"*{suffix}" for suffix in _SUFFIXES)


def start_search(simulation: Simulation) -> None:
    """Let git search the documents for the words, while other steps are planned."""
    words = _literals(simulation.mapping)
    if words:
        simulation.core.facts.search(words, _PATHSPECS)


def describe_start(draft: Draft) -> None:
    """Write the section about the start into the README of the dev container, and list what else is left."""
    core, choice = draft.simulation.core, chosen(draft.simulation)
    readme = f"{choice.folder}/README.md" if choice.path else ""
    passages = list(_passages(draft))
    old = core.text(readme) if readme else None
    if old is not None:
        text = container(draft.simulation.mapping.post_create.path)
        draft.write("core", readme, section_in(old, draft.key, text), "write the section about the start")
    elif not passages:
        draft.unused = "no document of core describes a local start"
    for path, lines, words in passages:
        draft.note(f"{path}:{', '.join(map(str, lines))} still describes the local start ({', '.join(words)}): edit it")


def local_words(mapping: Mapping) -> re.Pattern[str] | None:
    """The words of the mapping that only the old start has: its scripts, its cluster, its registry and its ports."""
    paths = [*(row.path for row in mapping.superseded), *(row.source for row in mapping.moves)]
    scripts = {_name(path) for path in paths if _SCRIPT.search(path) and not re.search(r"[*?{]", path)}
    rules = mapping.dev_container
    words = [
        *(rf"(?<![\w.-]){re.escape(name)}" for name in sorted(scripts)),
        *(re.escape(word) for word in mapping.tiltfile.local),
        *(rf"\b(?:{word})\b" for word in rules.drop_features),
        *(rf"\blocalhost:{port}\b" for port in rules.drop_ports),
    ]
    return re.compile("|".join(words)) if words else None


def _literals(mapping: Mapping) -> tuple[str, ...]:
    """Texts of which a document that `local_words` matches contains one; empty where a word is a regular expression."""
    features = mapping.dev_container.drop_features
    if not all(re.fullmatch(r"[\w -]+", word) for word in features):
        return ()
    paths = [*(row.path for row in mapping.superseded), *(row.source for row in mapping.moves)]
    scripts = {posixpath.basename(path) for path in paths if _SCRIPT.search(path) and not re.search(r"[*?{]", path)}
    return tuple(dict.fromkeys((*sorted(scripts), *mapping.tiltfile.local, *features, "localhost:")))


def _name(path: str) -> str:
    """A name of the script that means no other: one word also needs its folder, since helm.sh is a site too."""
    name = posixpath.basename(path)
    return name if re.search(r"[-_]", name) else "/".join(path.split("/")[-2:])


def _passages(draft: Draft) -> Iterator[tuple[str, list[int], list[str]]]:
    """Each document with the lines that name the old start, and the words that they use."""
    core, words = draft.simulation.core, local_words(draft.simulation.mapping)
    if words is None:
        return
    candidates = _documents_with_words(draft.simulation)
    contents = dict(core.blobs.many(dict.fromkeys(candidates.values())))
    for path, oid in sorted(candidates.items()):
        text = _OUR_SECTION.sub(lambda match: "\n" * match[0].count("\n"), contents[oid].decode("utf-8", "replace"))
        found = [(number, match[0]) for number, line in enumerate(text.split("\n"), 1) if (match := words.search(line))]
        if found:
            yield path, [number for number, _ in found], list(dict.fromkeys(word for _, word in found))


def _documents_with_words(simulation: Simulation) -> dict[str, str]:
    """The documents that may have one of the words, each with its blob. Git searched those that no step changes."""
    core, words = simulation.core, _literals(simulation.mapping)
    never = tuple(simulation.mapping.never)
    entries = {path: entry for path, entry in core.tree.files.items() if _is_document(path, entry, never)}
    found = core.facts.holding(words, _PATHSPECS) if words else entries.keys()
    before = core.facts.tree.files
    return {path: entry.oid for path, entry in entries.items() if path in found or before.get(path) != entry}


def _is_document(path: str, entry: Entry, never: tuple[str, ...]) -> bool:
    if not path.endswith(_SUFFIXES) or entry.mode in {SYMLINK, GITLINK}:
        return False
    return _DOCUMENTS.match(path) is not None and not path.startswith(never) and not _HISTORY.search(path)
