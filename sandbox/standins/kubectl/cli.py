"""The stand-in for kubectl 1.34: kubeconfig files, the cluster's objects, a few writes, authorization."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

from sandbox.protocol.call import Answer, Call
from sandbox.standins.api_server import Session
from sandbox.standins.kubectl import write
from sandbox.standins.kubectl.config import config
from sandbox.standins.kubectl.kinds import KINDS, Kind, Object, kind_named
from sandbox.standins.kubectl.objects import objects
from sandbox.standins.kubectl.print import BadOutput, show
from sandbox.standins.kubectl.rights import allowed, forbidden
from sandbox.standins.kubectl.run import Refused, Run, parse
from sandbox.world import platform
from sandbox.world.state import World

CLIENT = {
    "major": "1",
    "minor": "34",
    "gitVersion": "v1.34.4",
    "gitCommit": "sandbox",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "go1.26.8",
    "compiler": "gc",
    "platform": "linux/amd64",
}
_HELP = """kubectl controls the Kubernetes cluster manager.

 Find more information at: https://kubernetes.io/docs/reference/kubectl/

Usage:
  kubectl [flags] [options]
"""


def handle(call: Call, world: World) -> Answer:
    """Answer one call of kubectl."""
    try:
        run = parse(call, world)
        verb = run.words[0] if run.words else ""
        if run.on("help") or not verb:
            return Answer(0, _HELP)
        if verb not in _VERBS:
            raise Refused(f'Error: unknown command "{verb}" for "kubectl"\n')
        return _VERBS[verb](run)
    except Refused as why:
        return Answer(1, stderr=str(why))
    except BadOutput as why:
        return Answer(1, stderr=f"error: {why}\n")


def get(run: Run) -> Answer:
    """Print objects, or the answer of a `--raw` path."""
    if run.given("raw"):
        return _raw(run)
    if run.given("filename"):
        return _of_files(run)
    wanted = _wanted(run)
    session, namespace = run.session()
    everywhere = run.on("all-namespaces")
    matching: list[tuple[Kind, Object]] = []
    failures: list[str] = []
    for kind, name in wanted:
        place = "" if everywhere or not kind.namespaced else namespace
        if not allowed(run.world, session, "get" if name else "list", kind, place, name):
            failures.append(forbidden(session, "get" if name else "list", kind, place, name))
            continue
        things = [
            o for o in objects(run.world, session.cluster, kind) if place in ("", o["metadata"].get("namespace", ""))
        ]
        if name:
            things = [o for o in things if o["metadata"]["name"] == name]
            if not things and not run.on("ignore-not-found"):
                failures.append(f'Error from server (NotFound): {kind.full} "{name}" not found\n')
        matching += [(kind, o) for o in _selected(run, things)]
    names = [n for _, n in wanted]
    many = not (len(wanted) == 1 and names[0])
    output = run.value("output")
    kinds = {k for k, _ in wanted}
    text = ""
    if matching or (many and not failures and output not in ("", "wide", "name")):
        text = show(
            matching,
            output,
            many=many,
            all_namespaces=everywhere,
            several=len(kinds) > 1,
            headers=not run.on("no-headers"),
        )
    elif many and output == "json" and failures:
        text = show([], output, many=True, all_namespaces=everywhere, several=False, headers=True)
    elif not failures and not matching and not any(names) and not run.on("ignore-not-found"):
        where = f"{namespace} namespace" if all(k.namespaced for k in kinds) and not everywhere else ""
        failures_text = f"No resources found in {where}.\n" if where else "No resources found\n"
        return Answer(0, "", failures_text)
    return Answer(1 if failures else 0, text, "".join(failures))


def _of_files(run: Run) -> Answer:
    """`get -f FILE`: print the cluster's version of the objects in a manifest."""
    session, namespace = run.session()
    matching: list[tuple[Kind, Object]] = []
    failures: list[str] = []
    for document in write.documents(run):
        kind, meta = _kind(str(document.get("kind", ""))), document.get("metadata") or {}
        name, place = str(meta.get("name", "")), str(meta.get("namespace") or namespace) if kind.namespaced else ""
        if not allowed(run.world, session, "get", kind, place, name):
            failures.append(forbidden(session, "get", kind, place, name))
            continue
        there = [
            o
            for o in objects(run.world, session.cluster, kind)
            if o["metadata"]["name"] == name and place in ("", o["metadata"].get("namespace", ""))
        ]
        matching += [(kind, o) for o in there]
        failures += [] if there else [f'Error from server (NotFound): {kind.full} "{name}" not found\n']
    text = (
        show(matching, run.value("output"), many=len(matching) > 1, all_namespaces=False, several=True, headers=True)
        if matching
        else ""
    )
    return Answer(1 if failures else 0, text, "".join(failures))


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
        raise Refused(f'error: the server doesn\'t have a resource type "{word}"\n')
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
        return Answer(0, json.dumps(_server(session), indent=2))
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


def _server(session: Session) -> dict[str, str]:
    return {**CLIENT, "gitVersion": session.cluster.kubernetes, "gitCommit": "aks"}


def version(run: Run) -> Answer:
    """Print the client's version, and the server's if it answers."""
    data: dict[str, Any] = {"clientVersion": CLIENT, "kustomizeVersion": "v5.7.1"}
    error = ""
    if not run.on("client"):
        try:
            session, _ = run.session()
            data["serverVersion"] = _server(session)
        except Refused as why:
            error = str(why)
    if run.value("output") == "json":
        text = json.dumps(data, indent=2) + "\n"
    elif run.value("output") in ("", "yaml"):
        text = f"Client Version: {CLIENT['gitVersion']}\nKustomize Version: v5.7.1\n"
        text += f"Server Version: {data['serverVersion']['gitVersion']}\n" if "serverVersion" in data else ""
    else:
        return Answer(1, stderr="error: --output must be 'yaml' or 'json'\n")
    return Answer(1 if error else 0, text, error)


def auth(run: Run) -> Answer:
    """auth can-i and auth whoami."""
    what = run.words[1] if len(run.words) > 1 else ""
    try:
        session, namespace = run.session()
    except Refused as why:
        if (
            what == "can-i" and len(run.words) > 3 and "was refused" in str(why)
        ):  # without a server kubectl knows no kinds
            raise Refused(f"Warning: the server doesn't have a resource type '{run.words[3]}'\n\n{why}") from None
        raise
    if what == "whoami":
        groups = [] if session.role == "none" else ["sandbox-developers"]
        info = {"username": session.name, "uid": session.name, "groups": [*groups, "system:authenticated"]}
        stamp = {"creationTimestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}
        review = {
            "kind": "SelfSubjectReview",
            "apiVersion": "authentication.k8s.io/v1",
            "metadata": stamp,
            "status": {"userInfo": info},
        }
        if run.value("output") == "json":
            return Answer(0, json.dumps(review, indent=4) + "\n")
        return Answer(0, f"ATTRIBUTE   VALUE\nUsername    {session.name}\nGroups      [{' '.join(info['groups'])}]\n")
    if what != "can-i":
        raise Refused(f'error: unknown command "auth {what}" for "kubectl"\n')
    if len(run.words) < 4:
        raise Refused(
            "error: you must specify two arguments: verb resource or verb resource/resourceName.\nSee 'kubectl auth can-i -h' for help and examples.\n"
        )
    verb, thing = run.words[2], run.words[3]
    word, _, name = thing.partition("/")
    kind = kind_named(word)
    warning = ""
    if kind is None:
        warning = f"Warning: the server doesn't have a resource type '{word}'\n\n"
    elif not kind.namespaced:
        warning = (
            f"Warning: resource '{kind.plural}' is not namespace scoped"
            + (f" in group '{kind.group}'" if kind.group else "")
            + "\n\n"
        )
        namespace = ""
    yes = allowed(
        run.world, session, verb, kind, "" if run.on("all-namespaces") else namespace, name, run.value("subresource")
    )
    text = "" if run.on("quiet") else ("yes\n" if yes else "no\n")
    return Answer(0 if yes else 1, text, "" if run.on("quiet") else warning)


_VERBS: dict[str, Callable[[Run], Answer]] = {
    "get": get,
    "version": version,
    "auth": auth,
    "config": config,
    "apply": write.apply,
    "delete": write.delete,
    "scale": write.scale,
}
