"""What makes a cluster on a workstation or in CI: workflows, scripts, targets, pins of tools and description files.

Only what is run or read by a tool counts. The words in code, tests, comments and documents do not.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from migration.git.objects import GITLINK, SYMLINK, Blobs, Entry, is_binary
from migration.mapping import any_glob

_MAX_BYTES = 1_000_000


class Use(StrEnum):
    """How a local cluster is used at a place."""

    ACTION = "workflow step"
    COMMAND = "command"
    INSTALL = "installation"
    PIN = "pinned tool"
    CLUSTER = "cluster file"
    LOOP = "development loop"


class Place(NamedTuple):
    """A place that makes a local cluster or feeds it. line: 0 when the whole file is meant."""

    path: str
    line: int
    use: Use
    text: str

    @property
    def where(self) -> str:
        """Return `file:line`."""
        return f"{self.path}:{self.line}" if self.line else self.path


_TOOLS = "kind|k3d|minikube|ctlptl|microk8s|k0s|kwokctl"
_WORKFLOWS: tuple[str, ...] = (
    ".github/workflows/*.y*ml",
    ".github/actions/**/*.y*ml",
    "**/action.y*ml",
    ".gitlab-ci.yml",
)
_WORKFLOWS += (".circleci/*.yml", "**/azure-pipelines*.yml", ".azure-pipelines/**", "**/Jenkinsfile*", ".travis.yml")
_SCRIPTS: tuple[str, ...] = ("**/Makefile", "**/GNUmakefile", "**/makefile", "**/Makefile.*", "**/*.mk", "**/*.mak")
_SCRIPTS += ("**/justfile", "**/Justfile", "**/.justfile", "**/*.just", "**/Taskfile*.y*ml", "**/taskfile*.y*ml")
_SCRIPTS += ("**/*.sh", "**/*.bash", "**/*.zsh", "**/*.ps1", "**/package.json", "**/Earthfile", "**/Vagrantfile")
_TILTFILES: tuple[str, ...] = (
    "**/Tiltfile",
    "**/Tiltfile.*",
    "**/*.tiltfile",
    "**/*.Tiltfile",
    "**/*.tilt",
    "tilt/**/*.star",
)
_PINS: tuple[str, ...] = (
    "**/.tool-versions",
    "**/mise.toml",
    "**/.mise.toml",
    "**/mise/config.toml",
    "**/devbox.json",
    "**/flake.nix",
)
_PINS += ("**/Brewfile", "**/devcontainer.json", "**/aqua.yaml")
_LOOPS = ("**/skaffold*.y*ml", "**/devspace*.y*ml", "**/*garden.y*ml", "**/okteto.y*ml")
_CLUSTERS = ("**/*k3d*.y*ml", "**/*kind*.y*ml", "**/*ctlptl*.y*ml", "**/*minikube*.y*ml", "**/*cluster*.y*ml")
_OTHERS = ("**/node_modules/**", "**/vendor/**", "**/third_party/**", "**/testdata/**", "docs/**", "gitops/**")
_ELSEWHERE = any_glob(_OTHERS).match

_ACTION = re.compile(
    r"uses:\s*['\"]?([\w./-]*(?:kind-action|setup-kind|k3d-action|setup-k3d|setup-minikube|minikube|ctlptl)[\w./-]*)",
    re.IGNORECASE,
)
_VERBS = {
    "kind": r"(?:create|delete|load|export|get|build)\s+(?:-\S+\s+)*(?:clusters?|docker-image|image-archive|kubeconfig|nodes?|node-image|logs)",
    "k3d": r"(?:clusters?|images?|registry|node|kubeconfig|config)\s+(?:create|delete|import|get|list|start|stop|merge|edit|write|i|rm)",
    "minikube": r"(?:start|stop|delete|image|cache|addons|tunnel|profile|docker-env|ssh|service|mount|ip)\b",
    "ctlptl": r"(?:apply|create|delete|get)\b",
    "kwokctl": r"(?:create|delete|get)\b",
    "microk8s": r"(?:install|start|enable|kubectl|config|ctr)\b",
}
_RUNS = "|".join(
    rf"(?:\b{tool}|\$[({{]?{tool.upper()}(?:_BIN)?[)}}]?)[\"']?\s+(?:-\S+[ =]\S+\s+)?{verbs}"
    for tool, verbs in _VERBS.items()
)
_COMMAND = re.compile(rf"(?<![\w.-])(?:[\w./${{}}()-]*/)?(?:{_RUNS})")
_INSTALL = re.compile(
    rf"sigs\.k8s\.io/kind(?:@|\s)|get\.k3s\.io|kind\.sigs\.k8s\.io/dl|k3d-io/k3d\b|github\.com/kubernetes/minikube|tilt-dev/ctlptl"
    rf"|\b(?:brew|asdf|mise|apk|apt-get|choco|arkade)\s+(?:\w+\s+)*(?:-\S+\s+)*(?:{_TOOLS})\b"
)
_PIN = re.compile(rf"^\s*(?:brew\s+)?[\"']?(?:[\w.:/-]+/)?({_TOOLS})[\"']?(?:[:@]\S*|\s*=|\s+[\"'\d]|\s*$)")
_CLUSTER = re.compile(rb"^apiVersion:\s*[\"']?(kind\.x-k8s\.io|k3d\.io|ctlptl\.dev)/", re.MULTILINE)
_SAYS = re.compile(r"^\s*(?:@|-\s*)?(?:echo|printf|say|log\w*|info|warn|die|error|description:|desc:|name:|- name:)\b")
_WORDS = re.compile(rf"\b(?:{_TOOLS})\b|KIND|K3D|MINIKUBE|CTLPTL|k3s|k3d-|kind-|kind\.|setup-minikube".encode())


def _in_workflow(line: str) -> Iterator[tuple[Use, str]]:
    action = _ACTION.search(line)
    if action:
        yield Use.ACTION, action[1]
    yield from _in_script(line)


def _in_script(line: str) -> Iterator[tuple[Use, str]]:
    if not _SAYS.match(line):
        for pattern, use in ((_COMMAND, Use.COMMAND), (_INSTALL, Use.INSTALL)):
            if pattern.search(line):
                yield use, line.strip()
                return


def _in_pins(line: str) -> Iterator[tuple[Use, str]]:
    if _PIN.match(line) and not line.rstrip(" ,").endswith('"none"'):  # an option that omits the tool
        yield Use.PIN, line.strip()


_Reader = Callable[[str], Iterator[tuple[Use, str]]]
_READERS: tuple[tuple[Callable[[str], object], _Reader], ...] = (
    (any_glob(_WORKFLOWS).match, _in_workflow),
    (any_glob((*_SCRIPTS, *_TILTFILES)).match, _in_script),
    (any_glob(_PINS).match, _in_pins),
)
_is_loop = any_glob(_LOOPS).match
_is_cluster = any_glob(_CLUSTERS).match
# Cheap tests of a path, before its globs: most paths of a repository pass none of them.
_ENDS: tuple[str, ...] = (
    ".sh",
    ".bash",
    ".zsh",
    ".ps1",
    ".mk",
    ".mak",
    ".tilt",
    ".star",
    "iltfile",
    "akefile",
    "package.json",
)
_ENDS += ("ustfile", ".just", "Earthfile", "Vagrantfile", "Jenkinsfile", "Brewfile", ".tool-versions", "mise.toml")
_ENDS += ("devbox.json", "flake.nix", "devcontainer.json", "config.toml")
_YAML = re.compile(
    r"\.github/|gitlab-ci|\.circleci/|azure-pipelines|\.travis|[Tt]askfile|skaffold|devspace|garden|okteto|/action\."
    r"|k3d|kind|cluster|ctlptl|minikube|aqua"
)


def _is_relevant(path: str) -> bool:
    if path.endswith((".yaml", ".yml")):
        return _YAML.search(path) is not None
    return path.endswith(_ENDS) or "akefile." in path or "Tiltfile." in path


def _reader_of(path: str) -> _Reader | None:
    return next((reader for matches, reader in _READERS if matches(path)), None)


def find(files: dict[str, Entry], blobs: Blobs, skipped: Iterable[str] = ()) -> list[Place]:
    """Return every such place in these files, in the order of the paths."""
    own = set(skipped)
    paths = [path for path in files if _is_relevant(path) and path not in own and not _ELSEWHERE(path)]
    regular = [path for path in paths if files[path].mode not in {GITLINK, SYMLINK}]
    places = {Place(path, 0, Use.LOOP, posixpath.basename(path)) for path in regular if _is_loop(path)}
    by_blob: dict[str, list[str]] = {}
    for path in filter(_is_read, regular):
        by_blob.setdefault(files[path].oid, []).append(path)
    for oid, data in blobs.many(by_blob):
        for path in by_blob[oid]:
            places.update(in_file(path, data))
    return sorted(places)


def _is_read(path: str) -> bool:
    return _reader_of(path) is not None or _is_cluster(path) is not None


def in_file(path: str, data: bytes) -> Iterator[Place]:
    """Yield the places in one file."""
    if len(data) > _MAX_BYTES or not _WORDS.search(data) or is_binary(data):
        return
    described = _CLUSTER.search(data)
    if described and _is_cluster(path):
        yield Place(
            path, data[: described.start()].count(b"\n") + 1, Use.CLUSTER, f"apiVersion of {described[1].decode()}"
        )
        return
    reader = _reader_of(path)
    if reader is None:
        return
    for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
        if line.lstrip().startswith(("#", "//")):
            continue
        for use, text in reader(line):
            yield Place(path, number, use, text[:100])


def summary(places: list[Place], most: int = 12) -> Iterator[str]:
    """Yield one line with the counts, then a line for each file, the busiest first."""
    if not places:
        return
    by_file = Counter(place.path for place in places)
    uses = Counter(place.use for place in places)
    counted = ", ".join(f"{count} x {use}" for use, count in uses.most_common())
    yield f"{len(places)} places in {len(by_file)} files make a local cluster or use one; a person decides on each: {counted}"
    for path, _ in by_file.most_common(most):
        mine = [place for place in places if place.path == path]
        lines = ", ".join(str(place.line) for place in mine if place.line)
        yield f"{path}{':' if lines else ''}{lines}: {mine[0].text}"
    if len(by_file) > most:
        yield f"and {len(by_file) - most} more files: inv migrate.scan lists them"
