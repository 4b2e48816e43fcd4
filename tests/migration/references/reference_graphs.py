"""Generated repositories whose files refer to each other in known ways.

`generate` writes the files and keeps the graph: who needs what. The graph is the truth for the tests; nothing of it is
read back from the texts.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

KEPT = ("app", "app/web", "app/web/src", "services/a", "services/b/sub", "scripts", "tools", "")
DOOMED = (
    "deploy/base",
    "deploy/over/dev",
    "deploy/lib",
    "tools/infra",
    "tools/infra/modules/x",
    "services/a/k8s",
    "services/b/k8s/t",
)
AREAS = ("deploy/", "tools/infra/", "services/*/k8s/", "scripts/old.sh", "scripts/helper.py")
ISLAND = "deploy/island"
LINK = "->"  # the first bytes of a symlink's content here

Spelling = Callable[[str], str]


@dataclass
class Graph:
    """The texts by path, and the edges: file -> the files and the folders (ending in `/`) that it needs."""

    texts: dict[str, str] = field(default_factory=dict)
    needs: dict[str, set[str]] = field(default_factory=dict)
    areas: tuple[str, ...] = AREAS

    def closure(self, start: set[str]) -> set[str]:
        """Everything that these files need, directly or through others, and the files themselves."""
        found, todo = set(start), list(start)
        while todo:
            more = self.needed_by(todo.pop()) - found
            found |= more
            todo += more
        return found

    def needed_by(self, path: str) -> set[str]:
        """The files that this file needs directly."""
        targets = self.needs.get(path, set())
        folders = tuple(target for target in targets if target.endswith("/"))
        return {other for other in self.texts if other in targets or other.startswith(folders)} if targets else set()

    @property
    def doomed(self) -> set[str]:
        """The files that the mapping lists for deletion."""
        kept = ("services/a/k8s/", "services/b/k8s/", "deploy/", "tools/infra/")
        return {path for path in self.texts if path.startswith(kept) or path in AREAS}


@dataclass(frozen=True)
class Kind:
    """A kind of file: its name, how it names a file relative to itself, how it names a folder.

    entry: the file that makes a folder one that this kind can name; wants: endings of the files it can name
    """

    name: str
    files: tuple[Spelling, ...] = ()
    folders: tuple[Spelling, ...] = ()
    wants: tuple[str, ...] = ("",)
    entry: str = ""
    head: str = ""
    from_root: bool = False


def _line(template: str) -> Spelling:
    return lambda place: template.replace("@", place).replace("%", posixpath.splitext(place)[0])


def _lines(*templates: str) -> tuple[Spelling, ...]:
    return tuple(_line(template) for template in templates)


def _dotted(place: str) -> str:
    return place if place.startswith("../") else f"./{place}"


def _js(template: str) -> Spelling:
    return lambda place: template.replace("%", _dotted(posixpath.splitext(place)[0])).replace("@", _dotted(place))


KINDS = (
    Kind(
        "kustomization.yaml",
        _lines("resources:\n  - @", "patchesStrategicMerge: [@]", "patches:\n  - path: @", 'components: ["@"]',
               "configMapGenerator:\n  - name: x\n    files: [key=@]", "helmCharts:\n  - valuesFile: @", "openapi:\n  path: '@'"),
        _lines("resources:\n- @", "bases:\n  - @/", "components:\n  - '@'"),
        (".yaml",), "kustomization.yaml",
    ),
    Kind(
        "run.sh",
        _lines('source "$(dirname "$0")/@"', ". ./@", "source @", "bash ./@ --now", ". @",
               'DIR="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"\n"$DIR/@" "$@"', '. "${BASH_SOURCE[0]%/*}/@"',
               'HERE=$(dirname "$0")\ncat "$HERE"/@'),
        _lines("kubectl apply -k @", 'kubectl apply -k "$(dirname "$0")/@"', "helm upgrade --install x @ -f y"),
        head="#!/usr/bin/env bash\n",
    ),
    Kind("common.sh", _lines("source @", 'cat "$(dirname "$0")/@"')),
    Kind("root.sh", _lines("bash @", "cat ./@ | sh", "kubectl apply -f @"), _lines("ls -R @/", "kubectl apply -k ./@"), from_root=True),
    Kind("Chart.yaml", (), _lines("dependencies:\n  - name: x\n    repository: file://@", 'dependencies:\n  - {name: x, repository: "file://@/"}'), entry="Chart.yaml"),
    Kind("main.tf", _lines('x = file("${path.module}/@")', 'x = templatefile("${path.module}/@", {})'), (lambda place: f'module "x" {{\n  source = "{_dotted(place)}"\n}}',)),
    Kind("main.bicep", _lines("module x '@' = {", "var x = loadTextContent('@')", "var y = loadYamlContent('@').z"), wants=(".bicep", ".yaml", ".sh", ".json")),
    Kind("Tiltfile",
         (_js("load('@', 'f')"), *_lines("include('@')", "k8s_yaml('@')", "k8s_yaml(['@'])", "x = read_file('@')")),
         _lines("k8s_yaml(helm('@'))", "k8s_yaml(kustomize('@'))", "docker_build('x', '@')")),
    Kind("helmfile.yaml", _lines("helmfiles:\n  - path: @", "releases:\n  - name: x\n    values:\n      - @", "bases:\n  - @"), (lambda place: f"releases:\n  - name: x\n    chart: {_dotted(place)}",)),
    Kind("compose.yaml",
         _lines("services:\n  x:\n    extends:\n      file: @", "services:\n  x:\n    env_file: @", "services:\n  x:\n    volumes: ['./@:/x']", "include:\n  - @"),
         _lines("services:\n  x:\n    build: @", "services:\n  x:\n    build:\n      context: @")),
    Kind("Dockerfile", _lines("COPY @ /x", 'ADD ["@", "/x"]'), _lines("COPY @ /x", "COPY @/ /x/"), from_root=True),
    Kind("Makefile", _lines("include @", "-include @", "all:\n\tbash @")),
    Kind("skaffold.yaml", _lines("manifests:\n  rawYaml:\n    - @", "requires:\n  - path: @"), _lines("build:\n  artifacts:\n    - image: x\n      context: @")),
    Kind("index.ts", (_js("import x from '%'"), _js("export * from '%';"), _js("const y = require('%')"), _js("import '@'")), wants=(".ts", ".js")),
    Kind("tsconfig.json", (_js('{"extends": "@"}'),), _lines('{"references": [{"path": "@"}]}'), (".json",), "tsconfig.json"),
    Kind("package.json", (), _lines('{"workspaces": ["@"]}', '{"dependencies": {"x": "file:@"}}', '{"dependencies": {"x": "link:@"}}')),
    Kind("go.mod", (), (lambda place: f"module x\n\nreplace y => {_dotted(place)}\n",), entry="go.mod"),
    Kind("go.work", (), (lambda place: f"go 1.22\n\nuse {_dotted(place)}\n", lambda place: f"use (\n\t{_dotted(place)}\n)\n"), entry="go.mod"),
    Kind("Pulumi.yaml", _lines("name: x\nmain: @"), _lines("name: x\nmain: @")),
    Kind("job.yaml", _lines("x: @", "x:\n  - ./@")),
)  # fmt: skip
_PLAIN = ("x.yaml", "values.yaml", "lib.sh", "data.json", "util.ts", "more.js", "part.bicep", "rules.mk", ".env.dev")
_PYTHON = ("import %", "from .% import y", "from . import %", "from % import y, z", "from . import (\n    %,\n)")


def generate(random: Random) -> Graph:
    """A repository with random references."""
    graph = Graph()
    for folder in (*KEPT, *DOOMED):
        _fill(graph, random, folder)
    for path in ("scripts/old.sh", "scripts/helper.py"):
        graph.texts[path] = ":\n" if path.endswith(".sh") else "y = z = 1\n"
    _add_island(graph)
    kinds = {kind.name: kind for kind in KINDS}
    for path in sorted(graph.texts):
        kind = kinds.get(posixpath.basename(path))
        if kind and random.random() < 0.6:
            for _ in range(random.randint(1, 2)):
                _refer(graph, random, path, kind)
    _add_python(graph, random)
    _add_links(graph, random)
    _add_workflow(graph, random)
    return graph


def _fill(graph: Graph, random: Random, folder: str) -> None:
    kinds = random.sample(KINDS, random.randint(1, 4))
    for name in (*(kind.name for kind in kinds), *random.sample(_PLAIN, random.randint(1, 3))):
        path = posixpath.join(folder, name)
        graph.texts[path] = next((kind.head for kind in kinds if kind.name == name), "")


def _add_island(graph: Graph) -> None:
    """Files that need each other, and that nothing else needs."""
    graph.texts[f"{ISLAND}/lonely.sh"] = "source lonely-too.sh\n"
    graph.texts[f"{ISLAND}/lonely-too.sh"] = ":\n"
    graph.texts[f"{ISLAND}/lonely.yaml"] = "a: b\n"


def _is_island(path: str) -> bool:
    return path.startswith(ISLAND)


def _refer(graph: Graph, random: Random, path: str, kind: Kind) -> None:
    """Add a reference of this kind to the file's text, and its edge."""
    spellings = [(spelling, False) for spelling in kind.files] + [(spelling, True) for spelling in kind.folders]
    spelling, is_folder = random.choice(spellings)
    choices = list(_folders(graph, path, kind) if is_folder else _files(graph, path, kind))
    if not choices:
        return
    target = random.choice(choices)
    base = "" if kind.from_root else posixpath.dirname(path)
    graph.texts[path] += spelling(posixpath.relpath(target, base or ".")) + "\n"
    _connect(graph, path, target, is_folder=is_folder)


def _files(graph: Graph, path: str, kind: Kind) -> Iterator[str]:
    for other in sorted(graph.texts):
        if other != path and other.endswith(kind.wants) and not _is_island(other):
            yield other


def _folders(graph: Graph, path: str, kind: Kind) -> Iterator[str]:
    for folder in DOOMED:
        has_entry = not kind.entry or f"{folder}/{kind.entry}" in graph.texts
        if has_entry and not path.startswith(f"{folder}/"):
            yield folder


def _connect(graph: Graph, path: str, target: str, *, is_folder: bool) -> None:
    graph.needs.setdefault(path, set()).add(f"{target}/" if is_folder else target)


def _add_python(graph: Graph, random: Random) -> None:
    for folder in ("deploy/lib", "tools/infra", "scripts"):
        module, user = posixpath.join(folder, "helper.py"), posixpath.join(folder, "user.py")
        graph.texts.setdefault(module, "y = z = 1\n")
        graph.texts[user] = random.choice(_PYTHON).replace("%", "helper") + "\n"
        _connect(graph, user, module, is_folder=False)


def _add_links(graph: Graph, random: Random) -> None:
    files = [path for path in sorted(graph.texts) if not _is_island(path)]
    for place in ("app/link", "tools/link", "deploy/base/link"):
        is_folder = random.random() < 0.5
        folders = [folder for folder in DOOMED if not place.startswith(f"{folder}/")]
        target = random.choice(folders if is_folder else files)
        graph.texts[place] = LINK + posixpath.relpath(target, posixpath.dirname(place))
        _connect(graph, place, target, is_folder=is_folder)


def _add_workflow(graph: Graph, random: Random) -> None:
    folder = random.choice(DOOMED)
    graph.texts[f"{folder}/action.yml"] = "runs: {using: composite}\n"
    path = ".github/workflows/ci.yml"
    graph.texts[path] = f"jobs:\n  a:\n    steps:\n      - uses: ./{folder}\n"
    _connect(graph, path, folder, is_folder=True)
