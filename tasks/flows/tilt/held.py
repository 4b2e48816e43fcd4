"""Helm for what Tilt starts: `tilt/bin/helm` hands over each call that may write a release.

A team's own Tiltfile deploys as it likes, for example with `helm_resource`. Its releases get what those of the suite
get: the guard, a check of the owner and of the baseline, an entry in the journal, and a label.
"""

from __future__ import annotations

from collections.abc import Sequence

from tasks.checks import guard
from tasks.core import ui
from tasks.core.config.catalogue import catalogue
from tasks.core.config.settings import Settings, settings
from tasks.core.errors import Refused, Trouble
from tasks.core.state import journal
from tasks.flows.tilt import deploy, ownership
from tasks.tools import assessed, base, helm

_LIMIT = 3600.0  # seconds for a call; Tilt's own limit, k8s_upsert_timeout_secs, is shorter


def main(argv: Sequence[str]) -> int:
    """Run Helm with these arguments. Returns its exit code, or the Trouble's."""
    s, words = settings(), tuple(argv)
    try:
        deploy.prepare(s)
        guard.assess(s)
        return _deploy(s, words) if {"install", "upgrade"} & {*words} else _change(s, words)
    except Trouble as why:
        ui.talk(why.text())
        return int(why.code)


def _deploy(s: Settings, argv: tuple[str, ...]) -> int:
    """Install or upgrade a release that is free or ours. A dry run of Helm says which one the call means."""
    name, namespace, objects = helm.planned(s, argv)
    if namespace != s.cluster.namespace:
        raise Refused(f"helm would deploy {name} to {namespace}", fix="write --namespace once, as a word of its own")
    owner = ownership.owner(s)
    ownership.must_be_free_or_mine(s, {r.name: r for r in helm.releases(s, owner)}.get(name))
    known = [service for service in catalogue().services if service.release == name]
    for service in known or catalogue().services:
        baseline = deploy.rendered_baseline(s, service) if known else []
        deploy.must_not_collide(s, service, objects, baseline, release=name)
    ownership.record(s, name, known[0].name if known else name)
    return _call(s, (*argv, "--labels", f"{helm.HOLDER}={owner}"))


def _change(s: Settings, argv: tuple[str, ...]) -> int:
    """Uninstall or roll back releases, unless one is somebody else's. Any word of the call may be a release's name."""
    existing = [release for release in helm.releases(s, ownership.owner(s)) if release.name in argv]
    others = [release.name for release in existing if not ownership.is_mine(s, release)]
    if others:
        ui.talk(f"{', '.join(others)} is not yours; helm is not called")
        return 0
    code = _call(s, argv)
    if code == 0 and "rollback" not in argv:
        for entry in filter(None, (ownership.entry_of(s, word) for word in argv)):
            journal.forget(entry)
    return code


def _call(s: Settings, argv: tuple[str, ...]) -> int:
    assessed.must_be_current(base.frozen_kubeconfig(s))
    done = helm.tool(s)[argv].call(timeout=_LIMIT, echo=ui.talk)
    ui.data(done.stdout.rstrip("\n"))
    return done.exit if done.exit >= 0 else 128 - done.exit
