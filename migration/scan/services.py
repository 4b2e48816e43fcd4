"""The services of a repository: what Tilt, compose and skaffold build, with what their folders say about them."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from migration.scan.kinds import is_elsewhere
from migration.scan.proposal import Proposal, Row
from migration.scan.reading import Sources

_TILTFILE = re.compile(r"(?:^|/)(?:[\w.-]*\.)?[Tt]iltfile(?:\.\w+)?$")
_BUILD = re.compile(
    r"\b(?:docker_build|docker_build_with_restart|custom_build)\s*\(\s*(?:ref\s*=\s*)?[\"']([^\"'{}$]+)[\"']([^)]*)"
)
_CONTEXT = re.compile(r"^\s*,\s*(?:context\s*=\s*)?[\"']([^\"']+)[\"']")
_DOCKERFILE = re.compile(r"dockerfile\s*=\s*[\"']([^\"']+)[\"']")
_RESOURCE = re.compile(r"\bk8s_resource\s*\(\s*(?:workload\s*=\s*)?[\"']([\w.-]+)[\"']([^)]*)")
_FORWARD = re.compile(r"(?:port_forwards?\s*=\s*|,\s*|port_forward\()\[?[\"']?(\d{2,5})(?::(\d{2,5}))?")
_EXPOSE = re.compile(r"^\s*EXPOSE\s+(\d{2,5})\b", re.MULTILINE | re.IGNORECASE)
_PORT = re.compile(r"(?:[\d.]+:)?(?:\d{2,5}:)?(\d{2,5})(?:/tcp)?$")
_COMPOSE = re.compile(r"^(?:[\w-]+/)?(?:docker-)?compose(?:[.-][\w-]+)?\.ya?ml$")
_ASSIGNMENT = re.compile(r"^([A-Za-z_]\w*)=([^\s#]*)", re.MULTILINE)
_REFERENCE = re.compile(r"\$\{([A-Za-z_]\w*)(?::?-([^}]*))?\}")
_SKAFFOLD = re.compile(r"^(?:[\w-]+/)?skaffold\.ya?ml$")
_LANGUAGES = (("go.mod", "go"), ("package.json", "node"), ("pyproject.toml", "python"), ("requirements.txt", "python"))
_OTHER_LANGUAGES = {
    "pom.xml": "Java",
    "build.gradle": "Java",
    "Cargo.toml": "Rust",
    "Gemfile": "Ruby",
    "mix.exs": "Elixir",
}
_OTHER_LANGUAGES |= {"composer.json": "PHP", "build.gradle.kts": "Kotlin", "CMakeLists.txt": "C++"}
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass
class _Found:
    """A service as one place names it."""

    name: str
    folder: str
    where: str
    dockerfile: str = ""
    ports: list[int] = field(default_factory=list)


def propose(sources: Sources, proposal: Proposal) -> None:
    """Add an entry for each service that is built from a folder of the repository in a language of the catalogue."""
    charts = {
        posixpath.basename(posixpath.dirname(path)): posixpath.dirname(path)
        for path in sources.files
        if path.endswith("/Chart.yaml")
    }
    taken: set[str] = set()
    named = [*_in_tiltfiles(sources), *_in_compose(sources), *_in_skaffold(sources)]
    for found in _merged([*named, *_in_dockerfiles(sources, {one.folder for one in named})]):
        language = _language(sources, found.folder)
        if language not in {"go", "node", "python"}:
            what = f"it is written in {language}" if language else "its language is not known"
            proposal.person.append(f"service {found.name} ({found.where}) is not in services.yaml: {what}")
            continue
        names = {found.name, found.name.replace("-", "_"), posixpath.basename(found.folder)}
        if names & taken:
            proposal.person.append(
                f"service {found.name} ({found.where}) is not in services.yaml: another has its name or its folder"
            )
            continue
        taken |= names
        proposal.services.append(_row(sources, found, language, charts))


def _merged(found: list[_Found]) -> list[_Found]:
    """Each service once, the first place that names it first, with the ports of all places."""
    by_name: dict[str, _Found] = {}
    for one in found:
        if not _NAME.fullmatch(one.name):
            continue
        first = by_name.setdefault(one.name, replace(one, ports=[]))
        first.ports += [port for port in one.ports if port not in first.ports]
    return list(by_name.values())


def _as_name(image: str) -> str:
    return image.rpartition("/")[2].partition(":")[0].partition("@")[0].lower().replace("_", "-").replace(".", "-")


def _folder_of(sources: Sources, start: str, context: str, dockerfile: str = "") -> str:
    """The folder of the service: the context, or the Dockerfile's folder when the context is the root. Empty: none."""
    place = posixpath.normpath(posixpath.join(start, context))
    near = posixpath.dirname(posixpath.normpath(posixpath.join(place, dockerfile))) if dockerfile else ""
    for folder in (place, near):
        if folder not in {"", "."} and not folder.startswith("..") and sources.tree.has_folder(folder):
            return folder
    return "." if place == "." and _language(sources, ".") else ""


def _in_tiltfiles(sources: Sources) -> Iterator[_Found]:
    paths = [path for path in sources.files if _TILTFILE.search(path) and not is_elsewhere(path)]
    for path, text in sources.texts(paths).items():
        ports = {name: _forwards(rest) for name, rest in _RESOURCE.findall(text)}
        for match in _BUILD.finditer(text):
            found = _built(sources, path, match)
            if found.folder:
                found.where = f"{path}:{text.count(chr(10), 0, match.start()) + 1} docker_build"
                found.ports = ports.get(found.name, [])
                yield found


def _built(sources: Sources, path: str, match: re.Match[str]) -> _Found:
    """The service of one call that builds an image."""
    context, dockerfile = _CONTEXT.match(match[2]), _DOCKERFILE.search(match[2])
    name = dockerfile[1] if dockerfile else ""
    folder = _folder_of(sources, posixpath.dirname(path), context[1] if context else ".", name)
    return _Found(_as_name(match[1]), folder, path, name)


def _forwards(rest: str) -> list[int]:
    return [int(remote or local) for local, remote in _FORWARD.findall(rest)]


def _in_compose(sources: Sources) -> Iterator[_Found]:
    variables = dict(_ASSIGNMENT.findall(sources.text(".env")))
    for path, text in sources.texts(path for path in sources.files if _COMPOSE.match(path)).items():
        services = _loaded(_filled_in(text, variables)).get("services")
        for name, body in services.items() if isinstance(services, dict) else ():
            context, dockerfile = _compose_build(body)
            folder = _folder_of(sources, posixpath.dirname(path), context, dockerfile) if context else ""
            if folder:
                yield _Found(_as_name(str(name)), folder, f"{path} services.{name}", dockerfile, _compose_ports(body))


def _compose_build(body: Any) -> tuple[str, str]:
    """The context and the Dockerfile of a service; an empty context when it is not built here, or by a variable."""
    build = body.get("build") if isinstance(body, dict) else None
    rules = build if isinstance(build, dict) else {"context": build or ""}
    context, dockerfile = str(rules.get("context", ".")), str(rules.get("dockerfile", ""))
    is_here = "$" not in context + dockerfile and "://" not in context
    return (context, dockerfile) if is_here else ("", "")


def _filled_in(text: str, variables: dict[str, str]) -> str:
    """The text of a compose file with the variables that .env or a default in the text sets."""
    return _REFERENCE.sub(lambda match: variables.get(match[1]) or match[2] or match[0], text)


def _compose_ports(body: dict[str, Any]) -> list[int]:
    words = [str(port) for port in body.get("ports") or [] if not isinstance(port, dict)]
    return [int(match[1]) for word in words if (match := _PORT.match(word))]


def _in_skaffold(sources: Sources) -> Iterator[_Found]:
    for path, text in sources.texts(path for path in sources.files if _SKAFFOLD.match(path)).items():
        for document in text.split("\n---"):
            build = _loaded(document).get("build")
            artifacts = build.get("artifacts") if isinstance(build, dict) else None
            for artifact in artifacts if isinstance(artifacts, list) else ():
                if isinstance(artifact, dict) and isinstance(artifact.get("image"), str):
                    folder = _folder_of(sources, posixpath.dirname(path), str(artifact.get("context", ".")))
                    if folder:
                        yield _Found(_as_name(artifact["image"]), folder, f"{path} build.artifacts")


def _in_dockerfiles(sources: Sources, known: set[str]) -> Iterator[_Found]:
    """Yield the folders with a Dockerfile and a project of their own that nothing else names."""
    for path in sources.files:
        folder = path.removesuffix("/Dockerfile")
        if folder not in {path, *known} and not is_elsewhere(path) and _language(sources, folder, own=True):
            yield _Found(_as_name(folder), folder, path)


def _loaded(text: str) -> dict[str, Any]:
    """The mapping in this YAML; empty for anything else."""
    import yaml

    from tasks.core.yaml.bounded import INVALID, loader

    try:
        data = yaml.load(text, Loader=loader())
    except (yaml.YAMLError, *INVALID):
        return {}
    return data if isinstance(data, dict) else {}


def _language(sources: Sources, folder: str, *, own: bool = False) -> str:
    """The language of what is in the folder: of its own project file, else of most of its files. Empty: not known.

    own: only by a project file
    """
    prefix = "" if folder == "." else f"{folder}/"
    for name, language in (*_LANGUAGES, *_OTHER_LANGUAGES.items()):
        if f"{prefix}{name}" in sources.tree:
            return language
    if own or not prefix:
        return ""
    names = [path.rpartition(".")[2] for path in sources.tree.under(prefix)]
    counts = {"go": names.count("go"), "node": names.count("ts") + names.count("js"), "python": names.count("py")}
    counts |= {"C#": names.count("cs"), "Rust": names.count("rs"), "Java": names.count("java")}
    best = max(counts, key=lambda language: counts[language])
    return best if counts[best] else ""


def _row(sources: Sources, found: _Found, language: str, charts: dict[str, str]) -> Row:
    """The entry of the catalogue. What no source says is guessed, and named in `guessed`."""
    chart = charts.get(found.name, "")
    command, where = _command(sources, found, language)
    ports = found.ports or _exposed(sources, found)
    guessed = ["kind"] + ([] if where else ["dev.command"]) + ([] if chart else ["chart.path"])
    entry: dict[str, Any] = {
        "name": found.name,
        "component": found.name,
        "folder": found.folder,
        "language": language,
        "kind": "http" if ports else "worker",
        "image": found.name,
        "release": f"{found.name[:58].rstrip('-')}-tilt",
    }
    if ports:
        entry["ports"] = [
            {"name": "http" if at == 0 else f"port-{port}", "port": port} for at, port in enumerate(ports[:4])
        ]
    entry |= {"dev": {"command": command}, "chart": {"path": chart or f"charts/{found.name}"}, "guessed": guessed}
    evidence = [
        found.where,
        *([f"command: {where}"] if where else []),
        *([f"chart: {chart}/Chart.yaml"] if chart else []),
    ]
    return Row(entry, not set(guessed) - {"kind"}, tuple(evidence))


def _exposed(sources: Sources, found: _Found) -> list[int]:
    names = [found.dockerfile, f"{found.folder}/{found.dockerfile}", f"{found.folder}/Dockerfile"]
    text = next((text for name in names if name and (text := sources.text(posixpath.normpath(name)))), "")
    return list(dict.fromkeys(int(port) for port in _EXPOSE.findall(text) if int(port) <= 65535))


def _command(sources: Sources, found: _Found, language: str) -> tuple[list[str], str]:
    """The command that runs the service here, and the place that says so; empty when it is guessed."""
    prefix = "" if found.folder == "." else f"{found.folder}/"
    if language == "node":
        return _node_command(sources, prefix)
    return _go_command(sources, prefix, found.name) if language == "go" else _python_command(sources, prefix)


def _first_of(sources: Sources, prefix: str, names: Iterable[str]) -> str:
    return next((name for name in names if f"{prefix}{name}" in sources.tree), "")


def _go_command(sources: Sources, prefix: str, name: str) -> tuple[list[str], str]:
    main = _first_of(sources, prefix, ("main.go", f"cmd/{name}/main.go", "cmd/main.go"))
    package = f"./{posixpath.dirname(main)}".rstrip("/") if main else "."
    return ["go", "run", package], f"{prefix}{main}" if main else ""


def _python_command(sources: Sources, prefix: str) -> tuple[list[str], str]:
    start = _first_of(sources, prefix, ("main.py", "app.py", "server.py", "manage.py"))
    arguments = ["runserver"] if start == "manage.py" else []
    return ["python", start or "main.py", *arguments], f"{prefix}{start}" if start else ""


def _node_command(sources: Sources, prefix: str) -> tuple[list[str], str]:
    try:
        scripts = json.loads(sources.text(f"{prefix}package.json") or "{}").get("scripts", {})
    except (ValueError, AttributeError, RecursionError):
        scripts = {}
    manager = "yarn" if "yarn.lock" in sources.tree else "npm" if "package-lock.json" in sources.tree else "pnpm"
    name = next((name for name in ("dev", "start:dev", "start") if name in scripts), "")
    return [manager, "run", name or "dev"], f"{prefix}package.json scripts.{name}" if name else ""
