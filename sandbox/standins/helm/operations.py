"""helm upgrade and uninstall."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

from sandbox.protocol.call import Answer
from sandbox.protocol.line import Line
from sandbox.standins.helm.chart import Chart, HelmError, load, values
from sandbox.standins.helm.command import Helm
from sandbox.standins.helm.objects import apply, conflict, needs_namespace, remove
from sandbox.standins.helm.releases import PENDING, Releases, Revision, check_name
from sandbox.standins.helm.template import Manifest, Release, Rendered, render
from sandbox.standins.helm.yaml_text import to_yaml
from sandbox.world.cluster import Cluster

_BUSY = "another operation (install/upgrade/rollback) is in progress"


def upgrade(helm: Helm) -> Answer:
    """Upgrade, or with --install install a release. Needs the cluster even for --dry-run=client."""
    name, given = helm.parsed.words
    cluster = helm.session().cluster
    releases = Releases(cluster)
    known = releases.revisions(helm.namespace, name)
    alive = [r for r in known if r.status != "uninstalled"]
    if helm.parsed.on("install") and not alive:
        intro = f'Release "{name}" does not exist. Installing it now.\n'
        return _install(helm, name, given, "" if helm.parsed.value("output") in ("json", "yaml") else intro)
    try:
        return _upgrade(helm, releases, name, given)
    except HelmError as why:
        raise HelmError(f"UPGRADE FAILED: {why}") from None


def _install(helm: Helm, name: str, given: str, intro: str) -> Answer:
    cluster, namespace = helm.session().cluster, helm.namespace
    chart, given_values = _chart(helm, given)
    check_name(name)
    releases = Releases(cluster)
    if any(r.status != "uninstalled" for r in releases.revisions(namespace, name)):
        raise HelmError("cannot re-use a name that is still in use")
    rendered = render(chart, given_values, Release(name, namespace, 1, True), cluster.kubernetes)
    manifests = [m for m in rendered.manifests if not m.hook]
    revision = _revision(name, namespace, 1, "pending-install", chart, given_values, rendered)
    revision.labels = _labels(helm, {})
    if _dry(helm):
        return _answer(helm, revision, intro, dry=rendered, writes=False)
    needs_namespace(cluster, namespace, helm.parsed.on("create-namespace"))
    _ownership(helm, cluster, manifests, name, "install")
    revision.description = "Initial install underway"
    with helm.world.lock:
        releases.add(revision)
    return _carry_out(helm, releases, revision, manifests, "Install complete", intro)


def _upgrade(helm: Helm, releases: Releases, name: str, given: str) -> Answer:
    namespace, cluster = helm.namespace, helm.session().cluster
    known = releases.revisions(namespace, name)
    if any(r.status in PENDING for r in known[-1:]):
        raise HelmError(_BUSY)
    current = next((r for r in reversed(known) if r.status in ("deployed", "failed", "superseded")), None)
    if current is None:
        raise HelmError(f'"{name}" has no deployed releases')
    chart, given_values = _chart(helm, given)
    parsed = helm.parsed
    if (
        parsed.on("reuse-values")
        or parsed.on("reset-then-reuse-values")
        or (not given_values and not parsed.on("reset-values"))
    ):
        given_values = {**current.values, **given_values}
    number = known[-1].revision + 1
    rendered = render(chart, given_values, Release(name, namespace, number, False), cluster.kubernetes)
    manifests = [m for m in rendered.manifests if not m.hook]
    revision = _revision(name, namespace, number, "pending-upgrade", chart, given_values, rendered)
    revision.labels = _labels(helm, known[-1].labels)
    if _dry(helm):
        return _answer(
            helm, revision, f'Release "{name}" has been upgraded. Happy Helming!\n', dry=rendered, writes=False
        )
    _ownership(helm, cluster, manifests, name, "update")
    revision.description = "Preparing upgrade"
    with helm.world.lock:
        releases.add(revision)
    intro = f'Release "{name}" has been upgraded. Happy Helming!\n'
    return _carry_out(helm, releases, revision, manifests, "Upgrade complete", intro, before=current)


def _carry_out(
    helm: Helm,
    releases: Releases,
    revision: Revision,
    manifests: list[Manifest],
    description: str,
    intro: str,
    before: Revision | None = None,
) -> Answer:
    """Apply the objects. The fault `release-stuck` kills helm here and leaves the release pending."""
    world, cluster = helm.world, helm.session().cluster
    if world.fault("release-stuck"):
        with world.lock:
            world.faults.discard("release-stuck")
        if isinstance(helm.call.line, Line):
            os.kill(helm.call.pid, signal.SIGKILL)
        return Answer(137, writes=True)
    with world.lock:
        revision.keys = apply(world, cluster, manifests, revision.name, revision.namespace)
        gone = [key for key in (before.keys if before else []) if key not in revision.keys]
        remove(world, cluster, gone)
    if helm.parsed.on("wait") or helm.parsed.on("atomic"):
        world.wait(helm.call, world.profile.rollout)
    with world.lock:
        releases.settle(revision, "deployed", description)
    return _answer(helm, revision, intro)


def _ownership(helm: Helm, cluster: Cluster, manifests: list[Manifest], name: str, what: str) -> None:
    if helm.parsed.on("take-ownership"):
        return
    problem = conflict(cluster, manifests, name, helm.namespace)
    if problem:
        raise HelmError(f"Unable to continue with {what}: {problem}")


def uninstall(helm: Helm) -> Answer:
    """Delete releases with their objects."""
    cluster = helm.session().cluster
    releases = Releases(cluster)
    out = ""
    for name in helm.parsed.words:
        known = [r for r in releases.revisions(helm.namespace, name) if r.status != "uninstalled"]
        if not known and not helm.parsed.on("ignore-not-found"):
            raise HelmError(f"uninstall: Release not loaded: {name}: release: not found")
        if known and not _dry(helm):
            with helm.world.lock:
                remove(helm.world, cluster, [key for r in known for key in r.keys])
                if helm.parsed.on("keep-history"):
                    releases.settle(known[-1], "uninstalled", "Uninstallation complete")
                else:
                    releases.forget(helm.namespace, name)
        out += f'release "{name}" uninstalled\n'
    return Answer(stdout=out, writes=bool(out) and not _dry(helm))


def _chart(helm: Helm, given: str) -> tuple[Chart, dict[str, Any]]:
    chart = load(given, helm.call.cwd)
    files = [name for text in helm.parsed.values("values") for name in text.split(",")]
    return chart, values(chart, files, helm.sets(), helm.call.cwd)


def _revision(
    name: str, namespace: str, number: int, status: str, chart: Chart, given_values: dict[str, Any], rendered: Rendered
) -> Revision:
    version = f"{chart.name}-{chart.meta['version']}"
    app = str(chart.meta.get("appVersion") or "")
    return Revision(
        name,
        namespace,
        number,
        status,
        version,
        app,
        given_values,
        rendered.text(hooks=False).rstrip("\n"),
        rendered.notes,
    )


def _labels(helm: Helm, before: dict[str, str]) -> dict[str, str]:
    """The previous labels merged with those of --labels. `null` deletes a label."""
    pairs = [pair.partition("=") for text in helm.parsed.values("labels") for pair in text.split(",")]
    merged = {**before, **{name: value for name, _, value in pairs}}
    return {name: value for name, value in merged.items() if value != "null"}


def _dry(helm: Helm) -> bool:
    return helm.parsed.value("dry-run", "none") not in ("none", "false")


def _answer(helm: Helm, revision: Revision, intro: str, dry: Rendered | None = None, writes: bool = True) -> Answer:
    output = helm.parsed.value("output")
    if output == "json":
        return Answer(stdout=json.dumps(revision.json(), ensure_ascii=False), writes=writes)
    if output == "yaml":
        return Answer(stdout=to_yaml(revision.json()) + "\n", writes=writes)
    text = intro + revision.text()
    if dry is not None:
        text += f"HOOKS:\nMANIFEST:\n{revision.manifest}\n\n"
    return Answer(stdout=text, writes=writes)
