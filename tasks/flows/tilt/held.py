"""Helm for what Tilt starts: `tilt/bin/helm` hands over each call that may write a release.

A team's own Tiltfile deploys as it likes, for example with `helm_resource`. Its releases get what those of the suite
get: the guard, a check of the owner and of the baseline, an entry in the journal, and a label.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from itertools import pairwise

from tasks.checks import guard
from tasks.core import ui
from tasks.core.config.catalogue import catalogue
from tasks.core.config.settings import Settings, settings
from tasks.core.errors import Refused, Trouble
from tasks.core.state import journal
from tasks.flows.tilt import deploy, ownership
from tasks.tools import assessed, base, helm

_LIMIT = 3600.0  # seconds for a call; Tilt's own limit, k8s_upsert_timeout_secs, is shorter
_CONTEXT = "TILT_REMOTE_DEV_CONTEXT"  # set by tilt/held.star: where this Tilt deploys
_VALUES_FROM_STDIN = re.compile(r"(-f|--values)=?-")


def main(argv: Sequence[str]) -> int:
    """Run Helm with these arguments. Returns its exit code, or the Trouble's."""
    s, words = settings(), tuple(argv)
    try:
        _must_be_of_this_tilt(s)
        deploy.prepare(s)
        guard.assess(s)
        return _deploy(s, words) if {"install", "upgrade"} & {*words} else _change(s, words)
    except Trouble as why:
        ui.talk(why.text())
        return int(why.code)


def _must_be_of_this_tilt(s: Settings) -> None:
    """Raise Refused when the settings name another cluster than the Tiltfile read: it does not read `.env`."""
    context = os.environ.get(_CONTEXT, "")
    if context not in ("", s.cluster.context):
        raise Refused(
            f"Tilt deploys to {context}, and the settings name {s.cluster.context}",
            fix="inv tilt.up, which hands the settings over",
        )


def _deploy(s: Settings, argv: tuple[str, ...]) -> int:
    """Install or upgrade a release that is free or ours. A dry run of Helm says which one the call means."""
    given = sys.stdin.buffer.read() if _reads_stdin(argv) else None
    name, namespace, objects = helm.planned(s, argv, given)
    if namespace != s.cluster.namespace:
        raise Refused(f"helm would deploy {name} to {namespace}", fix="write --namespace once, as a word of its own")
    owner = ownership.owner(s)
    ownership.must_be_free_or_mine(s, {r.name: r for r in helm.releases(s, owner)}.get(name))
    known = [service for service in catalogue().services if service.release == name]
    for service in known or catalogue().services:
        baseline = deploy.rendered_baseline(s, service) if known else []
        deploy.must_not_collide(s, service, objects, baseline, release=name)
    ownership.record(s, name, known[0].name if known else name)
    return _call(s, (*argv, "--labels", f"{helm.HOLDER}={owner}"), given)


def _change(s: Settings, argv: tuple[str, ...]) -> int:
    """Uninstall or roll back releases, unless one is somebody else's. Any word of the call may be a release's name."""
    existing = [release for release in helm.releases(s, ownership.owner(s)) if release.name in argv]
    others = [release.name for release in existing if not ownership.is_mine(s, release)]
    if others and "rollback" in argv:
        raise Refused(f"{', '.join(others)} is not yours", fix="inv tilt.status shows whose it is")
    if others:  # `tilt down` goes on with the rest
        ui.talk(f"{', '.join(others)} is not yours; helm is not called")
        return 0
    code = _call(s, argv)
    if code == 0 and "rollback" not in argv:
        for entry in filter(None, (ownership.entry_of(s, word) for word in argv)):
            journal.forget(entry)
    return code


def _reads_stdin(argv: tuple[str, ...]) -> bool:
    """Are values read from standard input, as in `--values -`?"""
    joined = any(_VALUES_FROM_STDIN.fullmatch(word) for word in argv)
    return joined or any(pair in (("-f", "-"), ("--values", "-")) for pair in pairwise(argv))


def _call(s: Settings, argv: tuple[str, ...], given: bytes | None = None) -> int:
    assessed.must_be_current(base.frozen_kubeconfig(s))
    done = helm.tool(s)[argv].call(timeout=_LIMIT, stdin=given, echo=ui.talk)
    ui.data(done.stdout.rstrip("\n"))
    return done.exit if done.exit >= 0 else 128 - done.exit
