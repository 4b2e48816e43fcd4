"""One release, as Tilt's apply and delete command: `python -m tasks.flows.tilt.deploy apply SERVICE`.

Standard output is for Tilt alone: the objects that stand in the cluster now, as YAML.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tasks.checks import guard
from tasks.core import ui
from tasks.core.config.catalogue import Service, catalogue
from tasks.core.config.settings import Settings, settings
from tasks.core.errors import Refused, ToolError, Trouble
from tasks.core.plan.change import perform
from tasks.core.state import journal
from tasks.flows.tilt import ownership
from tasks.flows.tilt.collisions import collisions
from tasks.tools import base, helm, kubeconfig

IMAGE = "TILT_IMAGE_0"  # the image that Tilt built and pushed, with its tag; not set when there is none


def apply(s: Settings, service: Service, image: str) -> str:
    """Deploy the service's release; the objects as YAML. Raises Refused when it would touch what is somebody else's."""
    guard.names(s)
    _frozen(s)
    sets = image_flags(helm.chart_values(_chart(s, service), _files(s, service.chart.tilt_values)), image)
    with ThreadPoolExecutor(max_workers=4) as pool:
        target = pool.submit(guard.assess, s)
        releases = pool.submit(helm.releases, s, ownership.holder(s))
        ours = pool.submit(rendered, s, service, sets)
        theirs = pool.submit(rendered_baseline, s, service)
        target.result()
        ownership.free_or_mine(s, next((r for r in releases.result() if r.name == service.release), None))
        must_not_collide(s, service, ours.result(), theirs.result())
    ownership.noted(s, service.release, service.name)
    chart, values = _chart(s, service), _files(s, service.chart.tilt_values)
    perform(helm.upgrade(s, service.release, chart, values, sets, holder=ownership.holder(s)))
    return helm.applied(s, service.release)


def delete(s: Settings, service: Service) -> None:
    """Remove the service's release when it is this developer's; another's is left alone with a word."""
    guard.names(s)
    _frozen(s)
    guard.assess(s)
    found = next((r for r in helm.releases(s, ownership.holder(s)) if r.name == service.release), None)
    entry = ownership.entry_of(s, service.release)
    if found is not None and not ownership.is_mine(s, found):
        ui.talk(f"{service.release} is not yours, and stays")
        return
    if found is not None:
        perform(helm.uninstall(s, service.release))
    if entry is not None:
        journal.forget(entry)


def rendered(s: Settings, service: Service, sets: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """What Tilt's values make of the chart."""
    return helm.render(s, service.release, _chart(s, service), _files(s, service.chart.tilt_values), sets)


def rendered_baseline(s: Settings, service: Service) -> list[dict[str, Any]]:
    """What the baseline's values make of it; empty when they do not render here (Helm still refuses Argo's objects)."""
    try:
        return helm.render(s, service.component, _chart(s, service), _files(s, service.chart.values))
    except ToolError as why:
        ui.warn(f"the baseline of {service.name} does not render, so names are not compared: {why.what}")
        return []


def must_not_collide(
    s: Settings, service: Service, objects: list[dict[str, Any]], baseline: list[dict[str, Any]]
) -> None:
    """Raise Refused when the objects would take anything of the baseline."""
    found = collisions(s, service, objects, baseline)
    if found:
        values = service.chart.tilt_values[-1] if service.chart.tilt_values else service.chart.path
        raise Refused(
            f"the release {service.release} would touch the baseline: {'; '.join(found[:3])}",
            why=f"{len(found)} collisions, and Argo CD owns the baseline",
            fix=f"set fullnameOverride and the route's host in {s.repositories.gitops}/{values}",
        )


def image_flags(values: dict[str, Any], image: str) -> tuple[str, ...]:
    """`key=value` pairs that put the image into the chart's values, in the spelling that the chart uses."""
    if not image:
        return ()
    own = values.get("image")
    own = own if isinstance(own, dict) else {}
    repository, _, tag = image.rpartition(":")
    pairs = [f"image.tag={tag}"]
    if own.get("ref"):
        pairs = [f"image.ref={image}"]
    elif own.get("registry"):
        host, _, rest = repository.partition("/")
        pairs += [f"image.registry={host}", f"image.repository={rest}"]
    else:
        pairs.append(f"image.repository={repository}")
    if own.get("digest"):
        pairs.append("image.digest=")  # a digest would win over the tag
    return tuple(pairs)


def main(argv: list[str]) -> int:
    """`apply` or `delete`, and the service. Exit code 0, or the Trouble's."""
    verbs: dict[str, Callable[[Settings, Service], None]] = {"apply": _apply, "delete": delete}
    if len(argv) != 2 or argv[0] not in verbs:
        ui.talk("usage: python -m tasks.flows.tilt.deploy apply|delete SERVICE")
        return 1
    try:
        verbs[argv[0]](settings(), catalogue().named(argv[1], "tilt.up"))
    except Trouble as why:
        ui.talk(why.text())
        return int(why.code)
    return 0


def _apply(s: Settings, service: Service) -> None:
    ui.say(apply(s, service, os.environ.get(IMAGE, "")))


def _frozen(s: Settings) -> None:
    """tilt.up has cut the session's kubeconfig; a plain `tilt up` may be the first."""
    if not base.frozen_kubeconfig(s).exists():
        change = kubeconfig.freeze(s)
        if change is not None:
            perform(change)


def _chart(s: Settings, service: Service) -> Path:
    return s.gitops / service.chart.path


def _files(s: Settings, paths: list[str]) -> list[Path]:
    return [s.gitops / path for path in paths]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
