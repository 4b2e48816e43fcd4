"""Who uses a folder, and for what: the product (images, releases, code, generation, tests) or a deployment."""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from migration.scan.kinds import is_elsewhere
from migration.scan.reading import Hit, Sources


class Role(StrEnum):
    """What a place uses the folder for."""

    EMBED = "compiled into a program"
    IMAGE = "copied into an image"
    RELEASE = "released as it is"
    GENERATED = "made or read by the build"
    CODE = "read by the code"
    TEST = "read by tests"
    DEPLOY = "deployed by a command"
    LOCAL = "used by the development loop"
    MENTION = "mentioned"


PRODUCT = frozenset((Role.EMBED, Role.IMAGE, Role.RELEASE, Role.GENERATED, Role.CODE))


class Consumer(NamedTuple):
    """A place that uses a path. path: as far as the line names it, below the folder or the folder itself."""

    path: str
    role: Role
    hit: Hit


_NOT_SEARCHED: tuple[str, ...] = (
    "**/*.md",
    "**/*.mdx",
    "**/*.rst",
    "**/*.adoc",
    "**/*.svg",
    "**/*.lock",
    "**/go.sum",
    "**/go.work.sum",
)
_NOT_SEARCHED += ("**/pnpm-lock.yaml", "**/package-lock.json", "**/vendor/**", "**/node_modules/**", "**/*.txt")
_NOT_SEARCHED += ("**/*.json", "**/CODEOWNERS", "**/.gitignore")
_BUILD = re.compile(
    r"(?:^|/)(?:GNUm|M|m)akefile[^/]*$|\.(?:mk|mak|just|sh|bash|ps1)$|(?:^|/)\.?[Jj]ustfile$|[Tt]askfile[^/]*\.ya?ml$"
    r"|^\.github/|\.gitlab-ci|^\.circleci/|azure-pipelines|Jenkinsfile|cloudbuild[^/]*\.ya?ml$|Earthfile$|package\.json$"
    r"|magefile|\.goreleaser|(?:^|/)ct\.ya?ml$|noxfile|(?:^|/)tasks\.py$"
)
_CODE = re.compile(r"\.(?:go|py|ts|tsx|js|mjs|cjs|rs|java|kt|cs|rb|php|swift|ex|exs|scala|c|cc|cpp)$")
_TILT = re.compile(r"[Tt]iltfile|\.tilt$|skaffold[^/]*\.ya?ml$|devspace[^/]*\.ya?ml$|compose[^/]*\.ya?ml$")
_DOCKERFILE = re.compile(r"(?:^|/)(?:[\w.-]*\.)?(?:Docker|Container)file(?:\.[\w.-]+)?$")
_TEST = re.compile(r"(?:^|/)(?:[\w.-]*_test\.\w+|test_[\w.-]+|[\w.-]*\.(?:test|spec)\.\w+|conftest\.py)$")
_RELEASE = re.compile(
    r"\bhelm(?:\)|\})?\s+(?:package|push|repo\s+index)\b|chart-releaser|\bcr\s+(?:package|upload)|charts_dir|charts-dir"
    r"|\boras\s+push|gh\s+release|\bzip\s|\btar\s+-?\w*c|crane\s+append|upload-artifact|helm-gh-pages|\.goreleaser"
    r"|c[rt]_configfile|(?:>|\bcp\b.*)\s*\S*(?:RELEASE|release|DIST|dist|ARTIFACT|artifact|BUNDLE|bundle|OUT(?:PUT)?_DIR)"
)
_CHECK = re.compile(
    r"\bhelm(?:\)|\})?\s+(?:lint|template|unittest|dep|dependency|schema|show|plugin)\b|\bct\s+(?:lint|install)|kubeconform"
    r"|kubeval|kube-linter|conftest|\bgo\s+test|pytest|chainsaw|kuttl|ginkgo|bats\b|helm-docs|yamllint|envtest"
)
_WRITES = re.compile(
    r"controller-gen|CONTROLLER_GEN|output:[\w:]*=|go\s+generate|go\s+run|\bcodegen|protoc\b|sed\s+-\S*i|\byq\b.*\s-i|kustomize\)?\s+edit"
    r"|KUSTOMIZE\)\s+edit|helmify|gen-crd|crd:"
)
_DEPLOYS = re.compile(
    r"kubectl|KUBECTL|\bhelm(?:\)|\})?\s+(?:\S+\s+)*?(?:upgrade|install|uninstall|diff)\b|helmfile|terraform|\btofu\b|terragrunt|pulumi|ansible"
    r"|argocd|kustomize\)?\s+build|KUSTOMIZE\)\s+build|skaffold|\baz\s|\bflux\b|\bkapp\b|gcloud|\baws\s"
)
_RELEASES = re.compile(r"(?:^|[/_.-])(?:pre-?)?(?:releas(?:e|es|ing)|publish\w*)(?:[/_.-]|$)")
_WATCHES = re.compile(r"^\s*-\s*[\"']?!?[\w./*-]+[\"']?\s*$")
_VARIABLE = re.compile(r"^\s*(?:export\s+|-\s*|local\s+|readonly\s+)?([A-Za-z_]\w*)\s*(?::=|\?=|::=|\+=|=|:)\s*\S")
_EMBED = re.compile(r"^//go:embed\s+(.+)$")
_COPY = re.compile(r"^\s*(?:COPY|ADD)\s+(.+)$", re.IGNORECASE)


def consumers(sources: Sources, folders: Iterable[str]) -> dict[str, list[Consumer]]:
    """Return who uses each of these folders (ending in `/`), without the files below the folder itself."""
    names = [folder.rstrip("/") for folder in folders]
    found: dict[str, list[Consumer]] = defaultdict(list)
    spelled = {name: _spelled(name) for name in names}
    hits = [hit for hit in sources.lines_with(_words(names), _NOT_SEARCHED) if not _is_copy(hit)]
    files = _BuildFiles(sources, {hit.path for hit in hits if _BUILD.search(hit.path)})
    for hit in hits:
        for name, named in _names_in(hit, spelled):
            role, path = _role(hit, named, files), _named(sources, name, named)
            if role and not (role in {Role.CODE, Role.TEST} and _is_another(name, named, path)):
                found[f"{name}/"].append(Consumer(path, role, hit))
    for name, consumer in _structured(sources, names):
        found[f"{name}/"].append(consumer)
    return found


def _is_copy(hit: Hit) -> bool:
    """Whether it is a line of a Dockerfile that copies: its paths are relative to the context."""
    return bool(_COPY.match(hit.text) and _DOCKERFILE.search(hit.path))


def _names_in(hit: Hit, spelled: dict[str, re.Pattern[str]]) -> Iterator[tuple[str, re.Match[str]]]:
    """Yield the folders that the line names, with the match; not the folder that the file is in."""
    for name, pattern in spelled.items():
        if posixpath.basename(name) in hit.text and not hit.path.startswith(f"{name}/"):
            named = pattern.search(hit.text)
            if named:
                yield name, named


def _words(names: list[str]) -> list[str]:
    words = []
    for name in names:
        words += [name if "/" in name else f"{name}/", f'"{posixpath.basename(name)}"']
    return list(dict.fromkeys(words))


def _spelled(name: str) -> re.Pattern[str]:
    """How a line names a path from the root: after a boundary, or by the parts that a join of paths gets.

    The name of a folder in the root is a word as any other, unless more of a path is before or behind it.
    """
    parts = [re.escape(part) for part in name.split("/")]
    before = r"(?:^|[\s\"'`=:,(\[{@>|&;!])"
    below = r"(?P<below>(?:/[\w.{}$*-]+)*)/?"
    path = r"(?:(?<![\w.])\.{1,2}/|[})]/|\$\w+/|\b(?:cd|pushd)\s+|(?:directory|chdir|path|context|_dir)[:=]\s*[\"']?)"
    end = r"(?=[\s\"'`):,;|&\]]|$)"
    ways = [path + "/".join(parts) + below + end]
    ways.append(before + "/".join(parts) + (below if "/" in name else below.replace(")*)/?", ")+|/)")) + end)
    ways.append(_joined(parts))
    return re.compile("|".join(way.replace("below", f"below{number}") for number, way in enumerate(ways)))


def _joined(parts: list[str]) -> str:
    """How a call joins the parts: after variables and `..` alone, so that `(home, ".kube", "config")` is another path."""
    quoted = r"\s*,\s*".join(rf"[\"']{part}[\"']" for part in parts)
    return (
        r"(?:join|Join|Path)\w*\((?:[^\"'()]|[\"']\.{1,2}[\"'])*" + quoted + r"(?P<below>(?:\s*,\s*[\"'][\w.-]+[\"'])*)"
    )


def _written(match: re.Match[str]) -> str:
    """What the line has of the path after the folder's name."""
    below = next((text for text in match.groups() if text), "")
    return "".join(f"/{part}" for part in re.findall(r"[\w.-]+", below)) if "," in below else below


def _named(sources: Sources, name: str, match: re.Match[str]) -> str:
    """The path that the line names, as far as it exists."""
    path = posixpath.normpath(f"{name}/{_written(match)}")
    while path != name and path not in sources.tree and not sources.tree.has_folder(path):
        path = posixpath.dirname(path)
    return path if path.startswith(name) else name


def _is_another(name: str, match: re.Match[str], path: str) -> bool:
    """Whether the line names a fixed path that does not exist: code means something else then."""
    written = _written(match)
    return path == name and bool(written.strip("/")) and not re.search(r"[$*{}]", written)


def _role(hit: Hit, named: re.Match[str], files: _BuildFiles) -> Role | None:
    """What the line uses the path for; None for a comment, an import and a list of paths to watch."""
    text = hit.text.strip()
    if text.startswith(("#", "//", "*", "/*")):
        return None
    if _TILT.search(hit.path):
        return Role.LOCAL
    if _BUILD.search(hit.path):
        return files.role(hit)
    if _CODE.search(hit.path):
        return _role_in_code(hit, named)
    return Role.MENTION


def _role_in_code(hit: Hit, named: re.Match[str]) -> Role | None:
    text = hit.text.strip()
    if text.startswith(("import ", "from ")) or re.match(r'^(?:\w+\s+)?"[\w.-]+\.\w+/', text):
        return None
    is_text = re.search(r"[\"'`]", hit.text[: named.end()])
    is_test = _TEST.search(hit.path) or is_elsewhere(hit.path)
    return None if not is_text else Role.TEST if is_test else Role.CODE


class _BuildFiles:
    """Makefiles, scripts and workflows: a command may be on several lines, or name a path by a variable."""

    def __init__(self, sources: Sources, paths: Iterable[str]) -> None:
        self._lines = {path: _logical(text) for path, text in sources.texts(paths).items()}

    def role(self, hit: Hit) -> Role | None:
        """Return what the command of this line does with the path."""
        lines = self._lines.get(hit.path, {})
        text = lines.get(hit.line, hit.text)
        if hit.path.startswith(".github/") and _WATCHES.match(hit.text):
            return None
        more = _uses(text, lines) + _below(hit.line, text, lines)
        role = min((_role_of_command(line) for line in [text, *more]), key=list(Role).index)
        if role is not Role.MENTION:
            return role
        is_release = ".goreleaser" in hit.path or (_RELEASES.search(hit.path) and "/" in hit.text)
        return Role.RELEASE if is_release else Role.GENERATED if hit.path.endswith(".go") else role


def _below(number: int, text: str, lines: dict[int, str]) -> list[str]:
    """The commands after one that enters the folder."""
    enters = re.search(r"\b(?:cd|pushd)\s", text) or "directory:" in text
    return [lines.get(number + more, "") for more in range(1, 5)] if enters else []


def _uses(text: str, lines: dict[int, str]) -> list[str]:
    """The lines that use the variable which this one sets."""
    variable = _VARIABLE.match(text)
    if variable is None:
        return []
    used = re.compile(rf"\$[({{]?{re.escape(variable[1])}\b")
    return [line for line in lines.values() if used.search(line)]


def _role_of_command(text: str) -> Role:
    rules = ((_RELEASE, Role.RELEASE), (_WRITES, Role.GENERATED), (_CHECK, Role.TEST), (_DEPLOYS, Role.DEPLOY))
    return next((role for pattern, role in rules if pattern.search(text)), Role.MENTION)


def _logical(text: str) -> dict[int, str]:
    """Each line's number with its whole command: lines that end in a backslash belong together."""
    joined: dict[int, str] = {}
    block: list[tuple[int, str]] = []
    for number, line in enumerate(text.split("\n"), 1):
        block.append((number, line))
        if not line.rstrip().endswith("\\"):
            whole = " ".join(part.rstrip().rstrip("\\").strip() for _, part in block)
            joined |= dict.fromkeys((at for at, _ in block), whole)
            block = []
    return joined


def _structured(sources: Sources, names: list[str]) -> Iterator[tuple[str, Consumer]]:
    """Yield what go:embed and Dockerfiles take, whose paths are relative to their own folder too."""
    takes = [(hit, Role.EMBED, _EMBED.match(hit.text)) for hit in sources.lines_with(["//go:embed "], ["**/vendor/**"])]
    for path, text in sources.texts(p for p in sources.files if _DOCKERFILE.search(p) and not is_elsewhere(p)).items():
        lines = enumerate(text.split("\n"), 1)
        takes += [(Hit(path, number, line), Role.IMAGE, _COPY.match(line)) for number, line in lines]
    for hit, role, match in takes:
        for word in _taken(match[1]) if match else ():
            for name, path in _resolved(hit.path, word, names, role):
                yield name, Consumer(path, role, hit)


def _taken(text: str) -> list[str]:
    words = [word.strip("\"',[]").removeprefix("all:") for word in text.split() if not word.startswith("--")]
    return words if "--from=" not in text else []


def _resolved(path: str, word: str, names: list[str], role: Role) -> Iterator[tuple[str, str]]:
    """Yield the folders that the word leads into, with the path. A Dockerfile's context may be the root."""
    starts = [posixpath.dirname(path)] if role is Role.EMBED else [posixpath.dirname(path), ""]
    for start in dict.fromkeys(starts):
        place = posixpath.normpath(posixpath.join(start, word.split("*")[0].rstrip("/") or "."))
        for name in names:
            if place == name or place.startswith(f"{name}/"):
                yield name, place
