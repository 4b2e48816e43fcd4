"""What only the local cluster needed: words of the Tiltfile, members of the dev container, cluster files and scripts."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from typing import Any

from migration import local_clusters
from migration.local_clusters import Place, Use
from migration.scan.proposal import Proposal, Row
from migration.scan.reading import Hit, Sources
from tasks.core.errors import Trouble

_TILTFILE = re.compile(r"(?:^|/)(?:[\w.-]*\.)?[Tt]iltfile(?:\.\w+)?$|^tilt/.*\.(?:tilt|star)$")
_CALL = re.compile(r"\b(allow_k8s_contexts|default_registry)\s*\(([^)]*)\)")
_STRING = re.compile(r"[\"']([^\"'\n]+)[\"']")
_CONTEXT = re.compile(r"^(?:kind-|k3d-|minikube$|docker-desktop$|rancher-desktop$|microk8s$|colima)")
_REGISTRY = re.compile(
    r"^(?:localhost|127\.0\.0\.1|host\.docker\.internal|k3d-[\w.-]+|kind-registry|registry\.local\w*)(?::\d+)?"
)
_NAME = re.compile(r"^\s*(?:-\s+)?(?:name|cluster|registry):\s*[\"']?([\w.-]+)")
_PORT = re.compile(r"hostPort:\s*[\"']?(\d+)|\bport:\s*[\"']?(\d+):\d+|hostPort:\s*\"?(\d+)")
_CONTAINER = re.compile(r"(?:^|/)\.?devcontainer(?:/[\w.-]+)?/?\.?devcontainer\.json$|^\.devcontainer\.json$")
_FEATURE = re.compile(r"/(k3d|kind|minikube|ctlptl|k3s)(?=:|$)")
_VARIABLE = re.compile(r"^(K3D|KIND|MINIKUBE|CTLPTL)_")
_COMMANDS = ("postCreateCommand", "onCreateCommand", "updateContentCommand", "postStartCommand", "postAttachCommand")
_OBSOLETE = {
    "k3d": r"\bk3d\b",
    "kind": r"\bkind\s+(create|delete|load|get)\b",
    "minikube": r"\bminikube\b",
    "ctlptl": r"\bctlptl\b",
}
_CREATES = re.compile(r"cluster\s+create|create\s+cluster|minikube\s+start|ctlptl\s+(?:apply|create)")
_CI = re.compile(
    r"^\.github/|^\.circleci/|\.gitlab-ci|azure-pipelines|Jenkinsfile|_test\.\w+$|(?:^|/)e2e/|(?:^|/)tests?/"
)


def propose(sources: Sources, proposal: Proposal) -> None:
    """Add what the Tiltfile, the dev container and the scripts have of the local cluster."""
    places = local_clusters.find(sources.tree.files, sources.blobs)
    clusters = sources.texts({place.path for place in places if place.use is Use.CLUSTER})
    _tiltfile(sources, proposal, clusters)
    _dev_container(sources, proposal, clusters)
    _superseded(sources, proposal, places)
    proposal.person.extend(local_clusters.summary(places, most=1000))


def _tiltfile(sources: Sources, proposal: Proposal, clusters: dict[str, str]) -> None:
    paths = sorted((path for path in sources.files if _TILTFILE.search(path)), key=_nearest_first)
    if not paths or not re.search(r"(?:^|/)[Tt]iltfile$", paths[0]):
        return
    proposal.mapping["tiltfile.path"] = Row(paths[0], True, (f"{paths[0]} is the Tiltfile nearest to the root",))
    read = paths[:1] if "/" in paths[0] else paths
    rows = _words(sources, read, {f"{kind}-{name}" for name in _names(clusters) for kind in ("kind", "k3d")})
    if rows:
        proposal.mapping["tiltfile.local"] = rows
    if paths[1:]:
        more = ", ".join(paths[1:6]) + (f" and {len(paths) - 6} more" if len(paths) > 6 else "")
        proposal.person.append(f"Tiltfiles beside {paths[0]}: {more}; look whether they name the local cluster")


def _words(sources: Sources, paths: list[str], names: set[str]) -> list[Row]:
    """The words of these Tiltfiles, each once."""
    rows: dict[str, Row] = {}
    for path, text in sources.texts(paths).items():
        for word, row in _local_words(path, text, names):
            rows.setdefault(word, row)
    return list(rows.values())


def _nearest_first(path: str) -> tuple[bool, int, str]:
    return path != "Tiltfile", path.count("/"), path


def _names(clusters: dict[str, str]) -> set[str]:
    return {match[1] for text in clusters.values() for line in text.splitlines() if (match := _NAME.match(line))}


def _local_words(path: str, text: str, names: set[str]) -> Iterator[tuple[str, Row]]:
    """Yield the contexts and registries of local clusters in a Tiltfile, as they are written in its code."""
    code = "\n".join("" if line.lstrip().startswith("#") else line for line in text.split("\n"))
    for call in _CALL.finditer(code):
        number = code.count("\n", 0, call.start()) + 1
        for word in _STRING.findall(call[2]):
            if _CONTEXT.match(word) or _REGISTRY.match(word):
                yield word, Row(word, True, (f"{path}:{number} {call[1]}",))
    for number, line in enumerate(code.split("\n"), 1):
        registry = "registry" in line.lower()
        for word in _STRING.findall(line):
            if word in names or (registry and _REGISTRY.match(word)):
                yield word, Row(word, word in names, (f"{path}:{number} `{line.strip()[:80]}`",))


def _dev_container(sources: Sources, proposal: Proposal, clusters: dict[str, str]) -> None:
    found = sorted(
        (path for path in sources.files if _CONTAINER.search(path)), key=lambda path: (path.count("/"), path)
    )
    if not found:
        proposal.person.append("there is no dev container: inv devcontainer.check --files says what one needs")
        return
    path = found[0]
    proposal.person.extend(f"another dev container: {other}" for other in found[1:])
    document = _jsonc(sources, path)
    if document is None:
        proposal.person.append(f"{path} cannot be read as JSON with comments; its members are not proposed")
        return
    if posixpath.dirname(path):
        row = Row(posixpath.dirname(path), True, (f"{path} describes the dev container",))
        proposal.mapping["dev_container.folder"] = row
    text = sources.text(path)
    groups = _local_members(path, text.split("\n"), document, _ports(clusters) | {5000, 5001})
    proposal.mapping |= {f"dev_container.{key}": rows for key, rows in groups.items() if rows}
    _start_scripts(sources, proposal, path, document)
    if "kubectl-helm-minikube" in text:
        proposal.person.append(f"{path}: the feature kubectl-helm-minikube also brings kubectl and helm; it stays")


def _local_members(
    path: str, lines: list[str], document: dict[str, Any], ports: set[int]
) -> dict[str, list[Row] | Row]:
    """The features, ports and variables that only a local cluster needs."""
    features = [(name, match[1]) for name in _members(document, "features") if (match := _FEATURE.search(name))]
    forwarded = [port for port in document.get("forwardPorts") or [] if port in ports]
    variables = [name for name in _members(document, "containerEnv") if _VARIABLE.match(name)]
    return {
        "drop_features": [_row(path, lines, rf"/{tool}(:|$)", name) for name, tool in features],
        "drop_ports": [_row(path, lines, port, str(port)) for port in forwarded],
        "drop_env": [_row(path, lines, f"^{name}$", name) for name in variables],
    }


def _members(document: dict[str, Any], key: str) -> list[str]:
    value = document.get(key)
    return list(value) if isinstance(value, dict) else []


def _row(path: str, lines: list[str], value: Any, word: str) -> Row:
    number = next((at for at, line in enumerate(lines, 1) if word in line), 0)
    return Row(value, True, (f"{path}:{number} `{lines[number - 1].strip()[:80]}`",))


def _ports(clusters: dict[str, str]) -> set[int]:
    return {
        int(port) for text in clusters.values() for match in _PORT.finditer(text) for port in match.groups() if port
    }


def _jsonc(sources: Sources, path: str) -> dict[str, Any] | None:
    from migration.edit import jsonc

    try:
        return jsonc.plain(sources.text(path), path)
    except Trouble:
        return None


def _start_scripts(sources: Sources, proposal: Proposal, path: str, document: dict[str, Any]) -> None:
    """Add the scripts that the dev container runs, and what in them belongs to the local cluster."""
    scripts: dict[str, str] = {}
    for command in _COMMANDS:
        for word in re.findall(r"[\w./-]+\.sh\b", str(document.get(command, ""))):
            place = posixpath.normpath(word)
            if place in sources.tree:
                scripts.setdefault(place, command)
    if not scripts:
        return
    first = next(iter(scripts))
    proposal.mapping["post_create.path"] = Row(first, True, (f"{path}: {scripts[first]} runs it",))
    also = [Row(place, True, (f"{path}: {command} runs it",)) for place, command in scripts.items() if place != first]
    texts = sources.texts(scripts)
    obsolete = [
        Row(pattern, True, (hit.where,))
        for pattern in _OBSOLETE.values()
        if (hit := _first(texts, re.compile(pattern)))
    ]
    if also:
        proposal.mapping["post_create.also"] = also
    if obsolete:
        proposal.mapping["post_create.obsolete"] = obsolete


def _first(texts: dict[str, str], pattern: re.Pattern[str]) -> Hit | None:
    for path, text in texts.items():
        for number, line in enumerate(text.split("\n"), 1):
            if not line.lstrip().startswith("#") and pattern.search(line):
                return Hit(path, number, line)
    return None


def _superseded(sources: Sources, proposal: Proposal, places: list[Place]) -> None:
    """Add the files that do nothing but make a local cluster, unless CI or tests need them."""
    making = {p.path for p in places if p.use is Use.CLUSTER or _only_for_local(p)}
    outside = sorted(path for path in making if not _CI.search(path))
    used = _users(sources, outside)
    rows = []
    for path in outside:
        needed = _needed(path, used.get(path, []), proposal)
        if needed:
            proposal.person.append(f"{path} describes or makes a local cluster and stays, because {needed}")
        else:
            rows.append(_superseded_row(next(p for p in places if p.path == path), used.get(path, [])))
    if rows:
        proposal.mapping["superseded"] = rows


def _needed(path: str, users: list[Hit], proposal: Proposal) -> str:
    """Why the file is still needed; empty when it is not."""
    in_ci = next((hit for hit in users if _CI.search(hit.path)), None)
    if in_ci:
        return f"{in_ci.where} uses it"
    kept = tuple(row.value["path"] for row in proposal.rows("kept"))
    return "it is in a folder that stays" if path.startswith(kept) else ""


def _superseded_row(place: Place, users: list[Hit]) -> Row:
    value = {"path": place.path, "by": "inv setup", "reason": "there is no local cluster"}
    told = (f"{place.where} `{place.text[:80]}`", *(f"used by {hit.where}" for hit in users[:2]))
    return Row(value, not users, told)


def _only_for_local(place: Place) -> bool:
    """Whether the place is a command of a script whose name says that a local cluster is what it is for."""
    is_script = place.use is Use.COMMAND and place.path.endswith((".sh", ".bash"))
    name = posixpath.basename(place.path)
    is_named = re.search(r"k3d|kind\b|minikube|ctlptl", name) or ("cluster" in name and _CREATES.search(place.text))
    return bool(is_script and is_named)


def _users(sources: Sources, paths: Iterable[str]) -> dict[str, list[Hit]]:
    """The lines that name each file by its name or path, outside documents."""
    by_name: dict[str, list[str]] = {}
    for path in paths:
        by_name.setdefault(posixpath.basename(path), []).append(path)
    used: dict[str, list[Hit]] = {}
    for hit in sources.lines_with(by_name, ["**/*.md"]):
        for name in by_name:
            if re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", hit.text):
                for path in by_name[name]:
                    used.setdefault(path, []).extend([hit] if hit.path != path else [])
    return used
