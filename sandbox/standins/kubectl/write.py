"""kubectl apply, create, delete and scale."""

from __future__ import annotations

import os
import re
import time

from sandbox.protocol.call import Answer
from sandbox.standins.api_server import Session
from sandbox.standins.kubectl.auth import review
from sandbox.standins.kubectl.kinds import Kind, Object, kind_named
from sandbox.standins.kubectl.objects import objects
from sandbox.standins.kubectl.print import printed
from sandbox.standins.kubectl.rights import allowed, forbidden
from sandbox.standins.kubectl.run import Refused, Run, unknown_kind
from sandbox.world import rollout
from sandbox.world.cluster import Namespace, Workload


def documents(run: Run) -> list[Object]:
    """Read the objects in the file of -f, or on stdin for `-f -`."""
    name = run.value("filename")
    if not name:
        raise Refused("error: must specify one of -f and -k\n")
    if name == "-":
        text = run.world.stdin(run.call).decode("utf-8", "replace")
    else:
        try:
            with open(os.path.join(run.call.cwd, name), encoding="utf-8") as file:
                text = file.read()
        except OSError:
            raise Refused(f'error: the path "{name}" does not exist\n') from None
    import yaml

    try:
        content = [d for d in yaml.safe_load_all(text) if d]
    except yaml.YAMLError as why:
        raise Refused(
            f"error: error parsing {name}: error converting YAML to JSON: yaml: {getattr(why, 'problem', why)}\n"
        ) from None
    return [o for d in content for o in (d["items"] if d.get("kind") == "List" else [d])]


def apply(run: Run) -> Answer:
    """Apply manifests."""
    name = run.value("filename")
    given = documents(run)
    session, namespace = run.session()
    lines = []
    for document in given:
        kind = kind_named(str(document.get("kind", "")))
        if kind is None:
            raise Refused(
                f'error: resource mapping not found for name: "" from "{name}": no matches for kind "{document.get("kind")}"\n'
            )
        lines.append(_store(run, session, kind, document, namespace))
    return Answer(0, "".join(lines), writes=run.writes)


def create(run: Run) -> Answer:
    """Send reviews of the login's rights, which create nothing. Other objects are created with `apply` here."""
    given = documents(run)
    session, _ = run.session()
    unknown = next((d.get("kind") for d in given if d.get("kind") != "SelfSubjectAccessReview"), None)
    if unknown is not None:
        raise Refused(f'error: unable to recognize "STDIN": no matches for kind "{unknown}"\n')
    return Answer(0, "".join(printed(review(run, session, document), run.value("output")) for document in given))


def _store(run: Run, session: Session, kind: Kind, document: Object, namespace: str) -> str:
    meta = document.setdefault("metadata", {})
    place = meta.get("namespace") or namespace if kind.namespaced else ""
    _may(run, session, "create", kind, place, "")
    dry = f" ({run.value('dry-run')} dry run)" if run.given("dry-run") and run.value("dry-run") != "none" else ""
    name = meta["name"]
    cluster = session.cluster
    before = next(
        (
            o
            for o in objects(run.world, cluster, kind)
            if (o["metadata"]["name"], o["metadata"].get("namespace", "")) == (name, place)
        ),
        None,
    )
    if not dry:
        run.writes = True
        with run.world.lock:
            if kind.kind == "Namespace":
                cluster.namespaces.setdefault(name, Namespace(name)).labels.update(meta.get("labels") or {})
            else:
                meta.update(
                    {
                        "namespace": place,
                        "uid": meta.get("uid") or f"applied-{name}",
                        "creationTimestamp": _now(),
                        "resourceVersion": "1",
                    }
                )
                cluster.objects[(kind.kind, place, name)] = document
    word = "configured" if before else "created"
    return f"{kind.singular}/{name} {word}{dry}\n"


def delete(run: Run) -> Answer:
    """Delete objects by kind and name."""
    session, namespace = run.session()
    pairs = _pairs(run.words[1:])
    if not pairs:
        raise Refused("error: resource(s) were provided, but no name was specified\n")
    out, err = [], []
    for word, name in pairs:
        kind = kind_named(word)
        if kind is None:
            raise unknown_kind(word)
        place = namespace if kind.namespaced else ""
        _may(run, session, "delete", kind, place, name)
        if not _remove(run, session, kind, place, name):
            if not run.on("ignore-not-found"):
                err.append(f'Error from server (NotFound): {kind.full} "{name}" not found\n')
            continue
        run.writes = True
        tail = f" from {place} namespace" if place else ""
        out.append(f'{kind.singular} "{name}" deleted{tail}\n')
    return Answer(1 if err else 0, "".join(out), "".join(err), writes=run.writes)


def _pairs(words: list[str]) -> list[tuple[str, str]]:
    """Kind and name of each object, from `KIND/NAME ...` or `KIND NAME ...`."""
    pairs = [(kind, name) for kind, slash, name in (w.partition("/") for w in words) if slash]
    return pairs or [(words[0], name) for name in words[1:]]


def _remove(run: Run, session: Session, kind: Kind, place: str, name: str) -> bool:
    world, cluster = run.world, session.cluster
    with world.lock:
        if cluster.objects.pop((kind.kind, place, name), None) is not None:
            cluster.workloads = [
                w for w in cluster.workloads if (w.kind, w.namespace, w.name) != (kind.kind, place, name)
            ]
            return True
        if kind.kind == "Pod":
            for workload in cluster.in_namespace(place):
                for pod in workload.pods:
                    if pod.name == name and pod.gone is None:
                        now = time.monotonic()
                        rollout.replace_pod(world, workload, pod, now + world.profile.gap, gone=now)
                        return True
            return False
        target = cluster.workload(place, name, kind.kind)
        if target is not None:
            cluster.workloads.remove(target)
            return True
        return kind.kind == "Namespace" and cluster.namespaces.pop(name, None) is not None


def scale(run: Run) -> Answer:
    """Set --replicas of a Deployment or StatefulSet."""
    _, kind, workload = _target(run, run.words[1:], "patch")
    if not re.fullmatch(r"\d+", run.value("replicas")):
        raise Refused("error: The --replicas=COUNT flag is required, and COUNT must be greater than or equal to 0\n")
    rollout.scale(run.world, workload, int(run.value("replicas")))
    return Answer(0, f"{kind.singular}/{workload.name} scaled\n", writes=True)


def _target(run: Run, words: list[str], verb: str) -> tuple[Session, Kind, Workload]:
    session, namespace = run.session()
    word, name = words[0].split("/", 1) if words and "/" in words[0] else [*words, "", ""][:2]
    kind = kind_named(word)
    if kind is None or kind.kind not in ("Deployment", "StatefulSet"):
        raise unknown_kind(word)
    _may(run, session, verb, kind, namespace, name)
    workload = session.cluster.workload(namespace, name, kind.kind)
    if workload is None:
        raise Refused(f'Error from server (NotFound): {kind.full} "{name}" not found\n')
    return session, kind, workload


def _may(run: Run, session: Session, verb: str, kind: Kind, place: str, name: str) -> None:
    if not allowed(run.world, session, verb, kind, place, name):
        raise Refused(forbidden(session, verb, kind, place, name))


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
