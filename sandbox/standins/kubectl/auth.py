"""kubectl auth can-i and auth whoami, and the reviews that `kubectl create` sends for them."""

from __future__ import annotations

import json
import time

from sandbox.protocol.call import Answer
from sandbox.standins.api_server import Session
from sandbox.standins.kubectl.kinds import Kind, Object, kind_named
from sandbox.standins.kubectl.rights import allowed
from sandbox.standins.kubectl.run import Refused, Run


def auth(run: Run) -> Answer:
    """Run a subcommand of `auth`. kubectl connects before it checks the subcommand."""
    what = run.words[1] if len(run.words) > 1 else ""
    session, namespace = _session(run, what)
    if what == "whoami":
        return _who_am_i(run, session)
    if what == "can-i":
        return _can_i(run, session, namespace)
    raise Refused(f'error: unknown command "auth {what}" for "kubectl"\n')


def _session(run: Run, what: str) -> tuple[Session, str]:
    try:
        return run.session()
    except Refused as why:
        # Without a server kubectl does not know the kinds.
        if what == "can-i" and len(run.words) > 3 and "was refused" in str(why):
            raise Refused(f"{_unknown_kind(run.words[3])}{why}") from None
        raise


def _who_am_i(run: Run, session: Session) -> Answer:
    groups = [] if session.role == "none" else ["sandbox-developers"]
    groups.append("system:authenticated")
    if run.value("output") != "json":
        return Answer(0, f"ATTRIBUTE   VALUE\nUsername    {session.name}\nGroups      [{' '.join(groups)}]\n")
    review = {
        "kind": "SelfSubjectReview",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"creationTimestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())},
        "status": {"userInfo": {"username": session.name, "uid": session.name, "groups": groups}},
    }
    return Answer(0, json.dumps(review, indent=4) + "\n")


def _can_i(run: Run, session: Session, namespace: str) -> Answer:
    if len(run.words) < 4:
        raise Refused(
            "error: you must specify two arguments: verb resource or verb resource/resourceName.\nSee 'kubectl auth can-i -h' for help and examples.\n"
        )
    verb = run.words[2]
    word, _, name = run.words[3].partition("/")
    kind = kind_named(word)
    if run.on("all-namespaces") or (kind is not None and not kind.namespaced):
        namespace = ""
    yes = allowed(run.world, session, verb, kind, namespace, name, run.value("subresource"))
    code = 0 if yes else 1
    if run.on("quiet"):
        return Answer(code)
    return Answer(code, "yes\n" if yes else "no\n", _warning(word, kind))


def review(run: Run, session: Session, document: Object) -> Object:
    """Answer a SelfSubjectAccessReview, as the API server does: with the question and the decision."""
    asked = document.get("spec", {}).get("resourceAttributes", {})
    group = asked.get("group", "")
    kind = kind_named(f"{asked.get('resource', '')}{'.' + group if group else ''}")
    namespace = asked.get("namespace", "") if kind is None or kind.namespaced else ""
    yes = allowed(
        run.world, session, asked.get("verb", ""), kind, namespace, asked.get("name", ""), asked.get("subresource", "")
    )
    return {**document, "metadata": {}, "status": {"allowed": yes}}


def _warning(word: str, kind: Kind | None) -> str:
    """The warning about a kind that is unknown or has no namespace."""
    if kind is None:
        return _unknown_kind(word)
    if kind.namespaced:
        return ""
    group = f" in group '{kind.group}'" if kind.group else ""
    return f"Warning: resource '{kind.plural}' is not namespace scoped{group}\n\n"


def _unknown_kind(word: str) -> str:
    plural, _, group = word.partition(".")
    place = f" in group '{group}'" if group else ""
    return f"Warning: the server doesn't have a resource type '{plural}'{place}\n\n"
