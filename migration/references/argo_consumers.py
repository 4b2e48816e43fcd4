"""Find the Argo CD Applications that sync from a path of core: deleting that path would delete what they deployed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from migration.model import Consumer
from migration.repositories import Repository
from migration.simulation import Simulation
from tasks.core.errors import Trouble

# These read YAML, JSON and Helm templates alike: a template is not valid YAML until it is rendered.
_KIND = re.compile(rb"kind['\"]?\s*:\s*['\"]?Application(?:Set)?\b")  # kind: Application, "kind": "ApplicationSet"
_URL = re.compile(r"""repoURL['"]?\s*:\s*['"]?([^\s'",}#]+)""")  # repoURL: https://host/owner/core.git
# path: infra/kubernetes, - path: 'charts/*', {"path": "a"}; not valuesPath: a
_PATH = re.compile(r"""(?:^|[\s{,"'-])path['"]?\s*:\s*['"]?([^\s'",}#]+)""")
# A remote base of Kustomize or a remote module of Terraform is REPOSITORY//FOLDER?ref=REVISION, such as
# https://host/owner/core.git//infra/base?ref=main or git::ssh://git@host/owner/core//modules/dns.
# https://developer.hashicorp.com/terraform/language/modules/sources#modules-in-package-sub-directories
_REMOTE_FOLDER = re.compile(r"""((?:[\w+.-]+:)*(?://)?[\w@.-]+[:/][\w./~-]*?[\w-])(?:\.git)?//([\w.*-][\w./*-]*)""")
_MANY_FILES = 1000  # for more files than this, `git grep` selects those worth reading
_EXTENSIONS = (".yaml", ".yml", ".json", ".tpl", ".tf")
_SEARCH = ("repoURL", ".git//", "?ref="), tuple(f"*{extension}" for extension in _EXTENSIONS)


def urls_of_core(simulation: Simulation) -> set[str]:
    """The normalized URLs under which a repoURL may name core."""
    return {plain_url(url) for url in (*simulation.core.facts.remote_urls(), *simulation.mapping.core_urls)} - {""}


def plain_url(url: str) -> str:
    """Normalize a git URL to `host/owner/name` in lower case, without scheme, user, port and `.git`."""
    text = url.strip().rstrip("/").lower().removesuffix(".git").removeprefix("git::")
    text = re.sub(r"^[a-z+]+://", "", text)
    text = re.sub(r"^[^/@]+@", "", text)
    is_local_path = text.startswith("/")
    return text if is_local_path else re.sub(r"^([^/:]+):(?:\d+/)?", r"\1/", text)  # host:owner, host:22/owner


def start_searches(simulation: Simulation) -> None:
    """Let git start to search both repositories for Applications."""
    for side in (simulation.gitops, simulation.core):
        if len(side.tree.files) > _MANY_FILES:
            side.facts.search(*_SEARCH)


def in_tree(side: Repository, paths: Iterable[str], *, bases: bool) -> Iterator[Consumer]:
    """The Applications in these files: each repoURL with each path of the same YAML document.

    bases: also what uses a folder of another repository as a Kustomize base or a Terraform module
    """
    paths_by_blob: dict[str, list[str]] = {}
    for path in _worth_reading(side, paths):
        paths_by_blob.setdefault(side.tree.files[path].oid, []).append(path)
    for oid, data in side.blobs.many(paths_by_blob):
        if bases and (b".git//" in data or b"?ref=" in data):
            yield from _remote_folders(side, paths_by_blob[oid], data)
        if b"repoURL" in data and _KIND.search(data):
            yield from _applications(side, paths_by_blob[oid], data)


def _worth_reading(side: Repository, paths: Iterable[str]) -> list[str]:
    """The files that may declare an Application."""
    manifests = [path for path in paths if path.endswith(_EXTENSIONS) and path in side.tree]
    if len(manifests) <= _MANY_FILES:
        return manifests
    committed, matching = side.facts.tree, side.facts.holding(*_SEARCH)
    # git searched the commit; what the plan has changed since must be read.
    return [path for path in manifests if path in matching or committed.get(path) != side.tree.get(path)]


def _remote_folders(side: Repository, paths: list[str], data: bytes) -> Iterator[Consumer]:
    for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
        for match in _REMOTE_FOLDER.finditer(line.partition("#")[0]):
            url, folder = match[1], match[2].strip("/")
            yield from (Consumer(f"{side.name}:{path}:{number}", url, folder) for path in paths)


def _applications(side: Repository, paths: list[str], data: bytes) -> Iterator[Consumer]:
    first_line = 1
    for document in re.split(r"(?m)^---", data.decode("utf-8", "replace")):
        if _KIND.search(document.encode()):
            urls = list(dict.fromkeys(_URL.findall(document)))
            for match in _PATH.finditer(document):
                number = first_line + document.count("\n", 0, match.start(1))
                for path in paths:
                    where = f"{side.name}:{path}:{number}"
                    yield from (Consumer(where, url, match[1].strip("/")) for url in urls)
        first_line += document.count("\n")


class Consumers:
    """The Applications that sync from core.

    declared:    those in the gitops tree
    live:        those in the cluster
    why_unknown: why the cluster could not be queried; empty if it was
    possible:    those in core's own files, which may be live if the cluster could not be queried
    """

    def __init__(self, simulation: Simulation) -> None:
        urls = urls_of_core(simulation)

        def of_core(consumers: Iterable[Consumer]) -> list[Consumer]:
            return [consumer for consumer in consumers if plain_url(consumer.repo_url) in urls]

        self.declared = of_core(in_tree(simulation.gitops, simulation.gitops.tree.files, bases=True))
        self.live: list[Consumer] = []
        self.why_unknown = ""
        self.possible: list[Consumer] = []
        try:
            if simulation.live is None:
                raise Trouble("the cluster was not queried")
            self.live = of_core(simulation.live())
        except Trouble as why:
            self.why_unknown = why.what
            # Core's own manifests show what was once applied to a cluster: if it may still be live, do not delete it.
            self.possible = of_core(in_tree(simulation.core, simulation.core.facts.tree.files, bases=False))

    @property
    def known(self) -> list[Consumer]:
        """Those in the gitops tree and those in the cluster."""
        return [*self.declared, *self.live]

    @staticmethod
    def covers(consumer: Consumer, path: str) -> bool:
        """Does the consumer read this file of core?"""
        folder = consumer.path.rstrip("/")
        if folder in {"", "."}:
            return True
        if "*" in folder or "{{" in folder:  # a glob, or a parameter of an ApplicationSet: compare what is before it
            start = re.split(r"\*|\{\{", folder)[0].rstrip("/")
            return bool(start) and path.startswith(start)
        return path == folder or path.startswith(folder + "/")
