"""A chart on disk: Chart.yaml, values, dependencies, and the values of -f and --set."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.core.yaml.bounded import loader


class HelmError(Exception):
    """An error of helm. The text follows `Error: `."""


@dataclass(frozen=True)
class Chart:
    """One chart. meta: Chart.yaml; templates: text by path inside the chart; parts: its subcharts."""

    path: str
    meta: dict[str, Any]
    defaults: dict[str, Any]
    templates: dict[str, str]
    files: dict[str, str]
    parts: list[Chart] = field(default_factory=list)

    @property
    def name(self) -> str:
        return str(self.meta.get("name", ""))


def load(given: str, cwd: str) -> Chart:
    """Load the chart at a path. Raises HelmError if it is not a chart, or is in a repository or on the network."""
    folder = Path(cwd, given)
    if not folder.exists():
        if not given.startswith((".", "/")) and given.count("/") == 1:
            raise HelmError(f"repo {given.split('/')[0]} not found")
        if "://" in given:
            raise HelmError(f'looks like "{given}" is not a valid chart repository or cannot be reached')
        raise HelmError(f'path "{given}" not found')
    chart = _load(folder, given)
    present = {part.name for part in chart.parts}
    missing = [str(d.get("name")) for d in chart.meta.get("dependencies") or [] if d.get("name") not in present]
    if missing:
        raise HelmError(
            "An error occurred while checking for chart dependencies. You may need to run `helm dependency build` to fetch "
            f"missing dependencies: found in Chart.yaml, but missing in charts/ directory: {', '.join(missing)}"
        )
    return chart


def _load(folder: Path, given: str) -> Chart:
    meta = _meta(folder)
    defaults = folder / "values.yaml"
    inside = {str(f.relative_to(folder)): f for f in sorted(folder.rglob("*")) if f.is_file()}
    own = {k: f for k, f in inside.items() if not k.startswith("charts/")}
    return Chart(
        given,
        meta,
        _yaml(defaults.read_text(), "cannot load values.yaml: ") if defaults.is_file() else {},
        {k: f.read_text() for k, f in own.items() if k.startswith("templates/")},
        {k: f.read_text(errors="replace") for k, f in own.items() if not k.startswith("templates/")},
        [_load(sub, str(sub)) for sub in sorted((folder / "charts").glob("*")) if (sub / "Chart.yaml").is_file()],
    )


def _meta(folder: Path) -> dict[str, Any]:
    """The content of Chart.yaml. Raises HelmError if a required key is missing."""
    file = folder / "Chart.yaml"
    if not file.is_file():
        raise HelmError("Chart.yaml file is missing")
    meta = _yaml(file.read_text(), "cannot load Chart.yaml: ")
    for key in ("name", "version"):
        if not meta.get(key):
            raise HelmError(f"validation: chart.metadata.{key} is required")
    return meta


def values(chart: Chart, files: list[str], sets: list[tuple[str, str]], cwd: str) -> dict[str, Any]:
    """The values of -f and --set; later ones win. sets: (set|set-string|set-json|set-file, text)."""
    merged: dict[str, Any] = {}
    for name in files:
        try:
            text = Path(cwd, name).read_text()
        except OSError as why:
            raise HelmError(f"open {name}: {(why.strerror or '').lower()}") from None
        _over(merged, _yaml(text, f"failed to parse {name}: error converting YAML to JSON: "))
    for kind, text in sets:
        for key, value in _assignments(kind, text, cwd):
            _put(merged, key, value)
    return merged


def coalesced(chart: Chart, given: dict[str, Any]) -> dict[str, Any]:
    """Merge the given values over the chart's. null deletes a default. Subcharts get their values and `global`."""
    merged = copy.deepcopy(chart.defaults)
    for part in chart.parts:
        own = coalesced(part, {})
        mine = merged.get(part.name)
        merged[part.name] = _over(own, mine if isinstance(mine, dict) else {})
    _over(merged, copy.deepcopy(given))
    shared = merged.get("global")
    for part in chart.parts:
        if isinstance(merged.get(part.name), dict):
            merged[part.name].setdefault("global", shared if isinstance(shared, dict) else {})
    return merged


def enabled(chart: Chart, merged: dict[str, Any]) -> list[Chart]:
    """The subcharts whose condition is not false."""
    off = set()
    for dependency in chart.meta.get("dependencies") or []:
        for condition in filter(None, str(dependency.get("condition") or "").split(",")):
            value: Any = merged
            for key in condition.strip().split("."):
                value = value.get(key) if isinstance(value, dict) else None
            if isinstance(value, bool):
                if not value:
                    off.add(str(dependency["name"]))
                break
    return [part for part in chart.parts if part.name not in off]


def _yaml(text: str, before: str) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.load(text, Loader=loader())
    except yaml.MarkedYAMLError as why:
        line = why.problem_mark.line + 1 if why.problem_mark else 1
        raise HelmError(f"{before}yaml: line {line}: {why.problem}") from None
    if content is not None and not isinstance(content, dict):
        raise HelmError(f"{before}json: cannot unmarshal into Go value of type map[string]interface {{}}")
    return content or {}


def _over(target: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
    for key, value in more.items():
        if value is None:
            target.pop(key, None)
        elif isinstance(value, dict) and isinstance(target.get(key), dict):
            _over(target[key], value)
        else:
            target[key] = value
    return target


def _assignments(kind: str, text: str, cwd: str) -> list[tuple[str, Any]]:
    assignments: list[tuple[str, Any]] = []
    parts = [text] if kind == "set-json" else re.split(r"(?<!\\),(?![^{]*\})", text)
    for part in parts:
        key, equals, raw = part.partition("=")
        if not equals:
            raise HelmError(f'failed parsing --{kind} data: key "{key}" has no value')
        raw = raw.replace("\\,", ",")
        if kind == "set-file":
            try:
                assignments.append((key, Path(cwd, raw).read_text()))
            except OSError as why:
                raise HelmError(f"failed parsing --set-file data: open {raw}: {(why.strerror or '').lower()}") from None
        elif kind == "set-json":
            assignments.append((key, _yaml(f"value: {raw}", "failed parsing --set-json data: ").get("value")))
        elif raw.startswith("{") and raw.endswith("}"):
            assignments.append((key, [_typed(element, kind) for element in raw[1:-1].split(",") if element]))
        else:
            assignments.append((key, _typed(raw, kind)))
    return assignments


def _typed(raw: str, kind: str) -> Any:
    if kind == "set-string":
        return raw
    if raw in ("true", "false"):
        return raw == "true"
    if raw == "null":
        return None
    return int(raw) if re.fullmatch(r"-?(?:0|[1-9]\d*)", raw) else raw


def _put(target: dict[str, Any], path: str, value: Any) -> None:
    """Set the value at a path such as `a.b[0].c\\.d`."""
    steps = _steps(path)
    place: Any = target
    for number, step in enumerate(steps):
        last = number == len(steps) - 1
        below: Any = value if last else ([] if isinstance(steps[number + 1], int) else {})
        if isinstance(step, int):
            while len(place) <= step:
                place.append(None)
        existing = place[step] if isinstance(step, int) else place.get(step)
        if last or not isinstance(existing, dict | list):
            place[step] = below
        place = place[step]


def _steps(path: str) -> list[str | int]:
    """The keys and indexes of a path."""
    steps: list[str | int] = []
    for word in re.split(r"(?<!\\)\.", path):
        name, *indexes = re.split(r"\[(\d+)\]", word.replace("\\.", "."))
        steps += [name] if name else []
        steps += [int(n) for n in indexes if n.isdigit()]
    return steps
