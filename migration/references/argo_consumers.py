"""Argo CD Applications that sync from a path of core: deleting it would delete what they deployed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from migration.model import Consumer
from migration.repositories import Repository
from migration.simulation import Simulation
from tasks.core.errors import Trouble

_KIND = re.compile(rb"kind['\"]?\s*:\s*['\"]?Application(?:Set)?\b")
_URL = re.compile(r"""repoURL['"]?\s*:\s*['"]?([^\s'",}#]+)""")
_PATH = re.compile(r"""(?:^|[\s{,"'-])path['"]?\s*:\s*['"]?([^\s'",}#]+)""")
# A base of Kustomize's or a module of Terraform's: REPOSITORY//FOLDER?ref=...
_BASE = re.compile(r"""((?:[\w+.-]+:)*(?://)?[\w@.-]+[:/][\w./~-]*?[\w-])(?:\.git)?//([\w.*-][\w./*-]*)""")
_MANY = 1000  # from here on git looks which files are worth reading
_ENDINGS = (".yaml", ".yml", ".json", ".tpl", ".tf")
_SOUGHT = ("repoURL", ".git//", "?ref="), tuple(f"*{ending}" for ending in _ENDINGS)


def urls_of_core(simulation: Simulation) -> set[str]:
    """How core may be called in a repoURL, in one spelling."""
    return {plain_url(u) for u in (*simulation.core.facts.remote_urls(), *simulation.mapping.core_urls)} - {""}


def plain_url(url: str) -> str:
    """`host/owner/name` in lower case, whatever the scheme, the user and the ending were."""
    text = url.strip().rstrip("/").lower().removesuffix(".git").removeprefix("git::")
    text = re.sub(r"^[a-z+]+://", "", text)
    text = re.sub(r"^[^/@]+@", "", text)
    return re.sub(r"^([^/:]+):(?:\d+/)?", r"\1/", text) if not text.startswith("/") else text


def look_ahead(simulation: Simulation) -> None:
    """Let git begin to search both repositories for Applications."""
    for side in (simulation.gitops, simulation.core):
        if len(side.tree.files) > _MANY:
            side.facts.search(*_SOUGHT)


def in_tree(side: Repository, paths: Iterable[str], *, bases: bool) -> Iterator[Consumer]:
    """The Applications in these files: every repoURL with every path of its document. bases: also who takes a folder of another
    repository as a base or a module."""
    wanted: dict[str, list[str]] = {}
    some = [p for p in paths if p.endswith(_ENDINGS) and p in side.tree]
    if len(some) > _MANY:
        base, holding = side.facts.tree, side.facts.holding(*_SOUGHT)
        some = [p for p in some if p in holding or base.get(p) != side.tree.get(p)]
    for path in some:
        if path.endswith(_ENDINGS):
            wanted.setdefault(side.tree.files[path].oid, []).append(path)
    for oid, data in side.blobs.many(wanted):
        if bases and (b".git//" in data or b"?ref=" in data):
            for number, row in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
                for found in _BASE.finditer(row.partition("#")[0]):
                    yield from (
                        Consumer(f"{side.name}:{p}:{number}", found[1], found[2].strip("/")) for p in wanted[oid]
                    )
        if b"repoURL" not in data or not _KIND.search(data):
            continue
        line = 1
        for document in re.split(r"(?m)^---", data.decode("utf-8", "replace")):
            if _KIND.search(document.encode()):
                urls = _URL.findall(document)
                for found in _PATH.finditer(document):
                    at = line + document.count("\n", 0, found.start(1))
                    for path in wanted[oid]:
                        for url in dict.fromkeys(urls):
                            yield Consumer(f"{side.name}:{path}:{at}", url, found[1].strip("/"))
            line += document.count("\n")


class Consumers:
    """Who syncs from core: in the gitops tree, in the cluster, and, when that cannot be asked, who may."""

    def __init__(self, simulation: Simulation) -> None:
        urls = urls_of_core(simulation)

        def of_core(found: Iterable[Consumer]) -> list[Consumer]:
            return [c for c in found if plain_url(c.repo_url) in urls]

        self.known = of_core(in_tree(simulation.gitops, simulation.gitops.tree.files, bases=True))
        self.why_unknown = ""
        self.possible: list[Consumer] = []
        try:
            if simulation.live is None:
                raise Trouble("the cluster was not asked")
            self.known += of_core(simulation.live())
        except Trouble as why:
            self.why_unknown = why.what
            # Core's own manifests tell what was once given to a cluster: there, not knowing is a reason to stop.
            self.possible = of_core(in_tree(simulation.core, simulation.core.facts.tree.files, bases=False))

    @staticmethod
    def covers(consumer: Consumer, path: str) -> bool:
        """Does this consumer read this file of core?"""
        base = consumer.path.rstrip("/")
        if base in {"", "."}:
            return True
        if "*" in base or "{{" in base:
            base = re.split(r"\*|\{\{", base)[0].rstrip("/")
            return bool(base) and path.startswith(base)
        return path == base or path.startswith(base + "/")
