"""Deploy one release, as Tilt's apply command: `python -m tasks.flows.tilt.deploy SERVICE`.

Tilt reads standard output: the objects as they are in the cluster now, as YAML, and nothing else.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tasks.checks import guard
from tasks.core import ui
from tasks.core.config.catalogue import Service, catalogue
from tasks.core.config.settings import Settings, settings
from tasks.core.errors import Refused, ToolError, Trouble
from tasks.core.plan.change import perform
from tasks.flows.tilt import ownership
from tasks.flows.tilt.collisions import collisions
from tasks.tools import base, helm, kubeconfig

IMAGE = "TILT_IMAGE_0"  # set by Tilt: the image that it built and pushed, with its tag; unset without one


def apply(s: Settings, service: Service, image: str) -> str:
    """Deploy the service's release. Returns the objects as YAML.

    Raises Refused when somebody else owns the release, and when it would touch the baseline.
    """
    prepare(s)
    chart, values = _chart(s, service), _files(s, service.chart.tilt_values)
    sets = image_flags(helm.chart_values(chart, values), image)
    with ThreadPoolExecutor(max_workers=4) as pool:
        guarded = pool.submit(guard.assess, s)
        releases = pool.submit(helm.releases, s, ownership.owner(s))
        objects = pool.submit(rendered, s, service, sets)
        baseline = pool.submit(rendered_baseline, s, service)
        guarded.result()
        ownership.must_be_free_or_mine(s, {r.name: r for r in releases.result()}.get(service.release))
        must_not_collide(s, service, objects.result(), baseline.result())
    ownership.record(s, service.release, service.name)
    perform(helm.upgrade(s, service.release, chart, values, sets, holder=ownership.owner(s)))
    return helm.applied(s, service.release)


def prepare(s: Settings) -> None:
    """Refuse production by its name. Write the session kubeconfig if it is missing: a plain `tilt up` comes here first."""
    guard.check_names(s)
    if not base.frozen_kubeconfig(s).exists():
        change = kubeconfig.freeze(s)
        if change is not None:
            perform(change)


def rendered(s: Settings, service: Service, sets: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Render the chart with Tilt's values."""
    return helm.render(s, service.release, _chart(s, service), _files(s, service.chart.tilt_values), sets)


def rendered_baseline(s: Settings, service: Service) -> list[dict[str, Any]]:
    """Render the chart with the baseline's values; an empty list, with a warning, when that fails.

    Names are not compared then. Helm itself still refuses to take over objects of another owner.
    """
    try:
        return helm.render(s, service.component, _chart(s, service), _files(s, service.chart.values))
    except ToolError as why:
        ui.warn(f"the baseline of {service.name} does not render, so names are not compared: {why.what}")
        return []


def must_not_collide(
    s: Settings, service: Service, objects: list[dict[str, Any]], baseline: list[dict[str, Any]], release: str = ""
) -> None:
    """Raise Refused when the objects would touch the service's baseline. release: default the service's own."""
    found = collisions(s, service, objects, baseline)
    if found:
        values = service.chart.tilt_values[-1] if service.chart.tilt_values else service.chart.path
        raise Refused(
            f"the release {release or service.release} would touch the baseline: {'; '.join(str(c) for c in found[:3])}",
            why=f"{len(found)} collisions, and Argo CD owns the baseline",
            fix=f"set fullnameOverride and the route's host in {s.repositories.gitops}/{values}",
        )


def image_flags(values: dict[str, Any], image: str) -> tuple[str, ...]:
    """Return `key=value` pairs that put the image into the chart's values, under the keys that the chart uses."""
    if not image:
        return ()
    own = values.get("image")
    own = own if isinstance(own, dict) else {}
    repository, _, tag = image.rpartition(":")
    pairs = [f"image.tag={tag}"]
    if own.get("ref"):
        pairs = [f"image.ref={image}"]
    elif own.get("registry"):
        host, _, path = repository.partition("/")
        pairs += [f"image.registry={host}", f"image.repository={path}"]
    else:
        pairs.append(f"image.repository={repository}")
    if own.get("digest"):
        pairs.append("image.digest=")  # a digest would win over the tag
    return tuple(pairs)


def main(argv: list[str]) -> int:
    """Deploy the release of the service. Returns 0, or the Trouble's exit code."""
    if len(argv) != 1:
        ui.talk("usage: python -m tasks.flows.tilt.deploy SERVICE")
        return 1
    try:
        ui.data(apply(settings(), catalogue().named(argv[0], "tilt.up"), os.environ.get(IMAGE, "")))
    except Trouble as why:
        ui.talk(why.text())
        return int(why.code)
    return 0


def _chart(s: Settings, service: Service) -> Path:
    return s.gitops / service.chart.path


def _files(s: Settings, paths: list[str]) -> list[Path]:
    return [s.gitops / path for path in paths]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
