"""helm version and template, which need no cluster."""

from __future__ import annotations

from pathlib import Path

from sandbox.protocol.call import Answer
from sandbox.standins.go.format import BadTemplate, shown
from sandbox.standins.helm.chart import HelmError, load, values
from sandbox.standins.helm.command import Helm
from sandbox.standins.helm.releases import check_name
from sandbox.standins.helm.template import Release, Rendered, render

_BUILD = {"Version": "v3.22.0", "GitCommit": "", "GitTreeState": "", "GoVersion": "go1.26.10"}


def version(helm: Helm) -> Answer:
    """The client's version. The real program appends +g<commit>."""
    if helm.parsed.on("short"):
        return Answer(stdout="v3.22.0\n")
    template = helm.parsed.value("template")
    if "json" in template:  # `helm version` has no such function
        raise HelmError('template: _:1: function "json" not defined')
    if template:
        try:
            return Answer(stdout=shown(template, _BUILD, "version.BuildInfo"))
        except BadTemplate as why:
            raise HelmError(str(why)) from None
    fields = ", ".join(f'{key}:"{value}"' for key, value in _BUILD.items())
    return Answer(stdout=f"version.BuildInfo{{{fields}}}\n")


def template(helm: Helm) -> Answer:
    """Render a chart and print it."""
    *named, given = helm.parsed.words
    name = named[0] if named else helm.parsed.value("name-template", "release-name")
    chart = load(given, helm.call.cwd)
    given_values = values(chart, _files(helm), helm.sets(), helm.call.cwd)
    check_name(name)
    release = Release(name, helm.namespace, install=not helm.parsed.on("is-upgrade"))
    rendered = render(chart, given_values, release, helm.parsed.value("kube-version", "v1.34.0"))
    only = helm.parsed.values("show-only")
    if only:
        sources = {m.source.split("/", 1)[1] for m in rendered.manifests}
        missing = next((template_path for template_path in only if template_path not in sources), None)
        if missing:
            raise HelmError(f"could not find template {missing} in chart")
        kept = [m for m in rendered.manifests if m.source.split("/", 1)[1] in only]
        rendered = Rendered(kept, "")
    folder = helm.parsed.value("output-dir")
    if not folder:
        return Answer(stdout=rendered.text(hooks=not helm.parsed.on("no-hooks")))
    lines = []
    for manifest in rendered.manifests:
        path = Path(helm.call.cwd, folder, manifest.source)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(f"---\n# Source: {manifest.source}\n{manifest.text}\n")
        lines.append(f"wrote {folder}/{manifest.source}\n")
    return Answer(stdout="".join(lines), writes=True)


def _files(helm: Helm) -> list[str]:
    return [name for text in helm.parsed.values("values") for name in text.split(",")]
