"""kubectl get: the objects of the command line, of a manifest, or of a `--raw` path."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from sandbox.protocol.call import Answer
from sandbox.standins.api_server import Session
from sandbox.standins.kubectl import write
from sandbox.standins.kubectl.kinds import KINDS, Kind, Object, kind_named
from sandbox.standins.kubectl.objects import objects
from sandbox.standins.kubectl.print import show
from sandbox.standins.kubectl.rights import allowed, forbidden
from sandbox.standins.kubectl.run import Refused, Run, unknown_kind
from sandbox.standins.kubectl.version import server
from sandbox.world import platform


@dataclass
class _Result:
    """What the API server returned, and its errors."""

    objects: list[tuple[Kind, Object]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def answer(self, text: str) -> Answer:
        """Print the text, and the errors on stderr."""
        return Answer(1 if self.failures else 0, text, "".join(self.failures))


def get(run: Run) -> Answer:
    """Print objects, or the answer of a `--raw` path."""
    if run.given("raw"):
        return _raw(run)
    if run.given("filename"):
        return _of_files(run)
    wanted = _wanted(run)
    session, namespace = run.session()
    result = _Result()
    for kind, name in wanted:
        place = namespace if kind.namespaced and not run.on("all-namespaces") else ""
        _read(run, session, kind, name, place, result)
    return _show(run, wanted, namespace, result)


def _read(run: Run, session: Session, kind: Kind, name: str, place: str, result: _Result) -> None:
    """Read the objects of a kind, or the one with this name. place: the namespace, or "" for all."""
    verb = "get" if name else "list"
    if not allowed(run.world, session, verb, kind, place, name):
        result.failures.append(forbidden(session, verb, kind, place, name))
        return
    things = _objects(run, session, kind, place)
    if name:
        things = [o for o in things if o["metadata"]["name"] == name]
        if not things and not run.on("ignore-not-found"):
            result.failures.append(_not_found(kind, name))
    result.objects += [(kind, o) for o in _selected(run, things)]


def _show(run: Run, wanted: list[tuple[Kind, str]], namespace: str, result: _Result) -> Answer:
    output = run.value("output")
    kinds = {kind for kind, _ in wanted}
    many = not (len(wanted) == 1 and wanted[0][1])
    empty_list = many and (output == "json" or (not result.failures and output not in ("", "wide", "name")))
    if result.objects or empty_list:
        text = show(
            result.objects,
            output,
            many=many,
            all_namespaces=run.on("all-namespaces"),
            several=len(kinds) > 1,
            headers=not run.on("no-headers"),
        )
        return result.answer(text)
    if result.failures or any(name for _, name in wanted) or run.on("ignore-not-found"):
        return result.answer("")
    return Answer(0, "", _no_resources(run, kinds, namespace))


def _no_resources(run: Run, kinds: set[Kind], namespace: str) -> str:
    if run.on("all-namespaces") or not all(kind.namespaced for kind in kinds):
        return "No resources found\n"
    return f"No resources found in {namespace} namespace.\n"


def _of_files(run: Run) -> Answer:
    """`get -f FILE`: print the cluster's version of the objects in a manifest."""
    session, namespace = run.session()
    result = _Result()
    for document in write.documents(run):
        kind, meta = _kind(str(document.get("kind", ""))), document.get("metadata") or {}
        name, place = str(meta.get("name", "")), str(meta.get("namespace") or namespace) if kind.namespaced else ""
        if not allowed(run.world, session, "get", kind, place, name):
            result.failures.append(forbidden(session, "get", kind, place, name))
            continue
        things = [o for o in _objects(run, session, kind, place) if o["metadata"]["name"] == name]
        result.objects += [(kind, o) for o in things]
        if not things:
            result.failures.append(_not_found(kind, name))
    if not result.objects:
        return result.answer("")
    many = len(result.objects) > 1
    return result.answer(
        show(result.objects, run.value("output"), many=many, all_namespaces=False, several=True, headers=True)
    )


def _objects(run: Run, session: Session, kind: Kind, place: str) -> list[Object]:
    """The objects of a kind in a namespace, or in all for ""."""
    everything = objects(run.world, session.cluster, kind)
    return [o for o in everything if place in ("", o["metadata"].get("namespace", ""))]


def _not_found(kind: Kind, name: str) -> str:
    return f'Error from server (NotFound): {kind.full} "{name}" not found\n'


def _wanted(run: Run) -> list[tuple[Kind, str]]:
    """The requested kinds, each with or without a name."""
    words = run.words[1:]
    if not words:
        raise Refused("error: Required resource not specified.\nSee 'kubectl get -h' for help and examples\n")
    wanted: list[tuple[Kind, str]] = []
    if any("/" in w for w in words):
        for word in words:
            kind, _, name = word.partition("/")
            wanted.append((_kind(kind), name))
        return wanted
    kinds = (
        [_kind(w) for w in words[0].split(",") if w]
        if words[0] != "all"
        else [_kind(w) for w in ("pods", "services", "deployments", "replicasets", "statefulsets")]
    )
    names = words[1:] or [""]
    return [(k, n) for k in kinds for n in names]


def _kind(word: str) -> Kind:
    kind = kind_named(word)
    if kind is None:
        raise unknown_kind(word)
    return kind


def _selected(run: Run, things: list[Object]) -> list[Object]:
    for part in [p for p in re.split(r",(?![^()]*\))", run.value("selector")) if p]:
        things = [o for o in things if _fits(part.strip(), o["metadata"].get("labels") or {})]
    for part in [p for p in run.value("field-selector").split(",") if p]:
        path, operator, value = re.match(r"([\w.]+)(!?==?)(.*)", part).groups()  # type: ignore[union-attr]
        things = [o for o in things if (str(_at(o, path)) == value) == ("!" not in operator)]
    return things


def _fits(part: str, labels: dict[str, str]) -> bool:
    sets = re.fullmatch(r"([\w./-]+)\s+(in|notin)\s+\(([^)]*)\)", part)
    if sets:
        inside = labels.get(sets.group(1)) in [v.strip() for v in sets.group(3).split(",")]
        return inside == (sets.group(2) == "in")
    pair = re.fullmatch(r"([\w./-]+)\s*(!?==?)\s*(\S*)", part)
    if pair:
        return (labels.get(pair.group(1)) == pair.group(3)) == ("!" not in pair.group(2))
    return part[1:] not in labels if part.startswith("!") else part in labels


def _at(thing: Any, path: str) -> Any:
    for key in path.split("."):
        thing = thing.get(key, "") if isinstance(thing, dict) else ""
    return thing


def _raw(run: Run) -> Answer:
    session, _ = run.session()
    path = run.value("raw").split("?")[0]
    if path in ("/readyz", "/livez", "/healthz"):
        return Answer(0, "ok")
    if path == "/version":
        return Answer(0, json.dumps(server(session), indent=2))
    if path == "/apis":
        groups = sorted(
            {(k.group, k.version) for k in KINDS if k.group and k.group not in platform.absent_groups(run.world)}
        )
        listed = [
            {
                "name": g,
                "versions": [{"groupVersion": f"{g}/{v}", "version": v}],
                "preferredVersion": {"groupVersion": f"{g}/{v}", "version": v},
            }
            for g, v in groups
        ]
        return Answer(0, json.dumps({"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}) + "\n")
    return Answer(1, stderr="Error from server (NotFound): the server could not find the requested resource\n")
