"""`kubectl -o`: json, yaml, name, jsonpath, custom-columns, and the plain table."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from sandbox.standins.kubectl.kinds import Kind, Object


class BadOutput(Exception):
    """An output format or template that kubectl rejects."""


def show(
    objects: list[tuple[Kind, Object]], output: str, *, many: bool, all_namespaces: bool, several: bool, headers: bool
) -> str:
    """Format the objects. many: print a list even for one object; several: more than one kind was requested."""
    data: Object = {
        "apiVersion": "v1",
        "items": [o for _, o in objects],
        "kind": "List",
        "metadata": {"resourceVersion": ""},
    }
    document = data if many else objects[0][1]
    if output == "name":
        return "".join(f"{kind.singular}/{o['metadata']['name']}\n" for kind, o in objects)
    form, equals, template = output.partition("=")
    if form == "custom-columns" and equals:
        return _columns(objects, template, headers)
    if output in ("", "wide"):
        return _table(objects, all_namespaces, several, headers)
    return printed(document, output)


def printed(document: Object, output: str) -> str:
    """Format one document with `-o json`, `yaml` or `jsonpath`."""
    if output == "json":
        return json.dumps(document, indent=4, ensure_ascii=False) + "\n"
    if output == "yaml":
        import yaml

        return str(yaml.safe_dump(document, sort_keys=True, allow_unicode=True))
    form, equals, template = output.partition("=")
    if form in ("jsonpath", "jsonpath-as-json") and equals:
        return jsonpath(document, template, as_json=form.endswith("json"))
    raise BadOutput(
        f'unable to match a printer suitable for the output format "{output}", allowed formats are: custom-columns,'
        "custom-columns-file,go-template,go-template-file,json,jsonpath,jsonpath-as-json,jsonpath-file,kyaml,name,template,"
        "templatefile,wide,yaml"
    )


def jsonpath(data: Any, template: str, as_json: bool = False) -> str:
    """Evaluate a subset of kubectl's jsonpath: keys, ['keys'], [n], [*], ..key, [?(@.a=="b")], {range}...{end}, {"text"}."""
    pieces = re.findall(r"\{[^{}]*\}|[^{}]+", template if "{" in template else f"{{{template}}}")
    results: list[Any] = []
    text = _pieces(data, pieces, results)
    return json.dumps(results, indent=4, ensure_ascii=False) + "\n" if as_json else text


def _pieces(data: Any, pieces: list[str], results: list[Any]) -> str:
    made = []
    place = 0
    while place < len(pieces):
        piece = pieces[place]
        place += 1
        if not piece.startswith("{"):
            made.append(piece)
            continue
        inner = piece[1:-1].strip()
        if inner.startswith("range "):
            depth, end = 1, place
            while end < len(pieces) and depth:
                word = pieces[end][1:-1].strip() if pieces[end].startswith("{") else ""
                depth += word.startswith("range ") - (word == "end")
                end += 1
            made += [_pieces(item, pieces[place : end - 1], results) for item in _values(data, inner[6:].strip())]
            place = end
        elif inner[:1] in ('"', "'"):
            if "\n" in inner:  # kubectl wants it as the two characters \\n
                raise BadOutput(f"{inner[-1]}}}, unterminated quoted string")
            made.append(inner[1:-1].encode().decode("unicode_escape"))
        elif inner != "end":
            values = _values(data, inner)
            results += values
            made.append(" ".join(_text(v) for v in values))
    return "".join(made)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is True or value is False:
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


_STEP = re.compile(
    r"\.\.([\w-]+|\*)|\.((?:\\.|[^.\[\]\\])+)|\[\?\(@\.([\w.-]+)\s*==\s*[\"']([^\"']*)[\"']\)\]|\[['\"]([^'\"]+)['\"]\]|\[(\*|-?\d+|-?\d*:-?\d*)\]"
)


def _values(data: Any, path: str) -> list[Any]:
    path = path.removeprefix("$").removeprefix("@")
    if path and path[0] not in ".[":
        path = "." + path
    values, place = [data], 0
    while place < len(path) and path[place:] != ".":
        match = _STEP.match(path, place)
        if match is None:
            raise BadOutput(f"error parsing jsonpath {{{path}}}, unrecognized character in action: {path[place]!r}")
        place = match.end()
        values = _step(values, *match.groups())
    return values


def _step(values: list[Any], deep: str, key: str, where: str, wanted: str, quoted: str, index: str) -> list[Any]:
    """Apply one step of a path, one of the alternatives of _STEP, to each value."""
    if deep:
        return [v for item in values for v in _deep(item, deep)]
    if key:
        return _children(values, re.sub(r"\\(.)", r"\1", key))
    if quoted:
        return _children(values, quoted)
    if where:
        return _filtered(values, where, wanted)
    return [v for item in values for v in _indexed(item, index)]


def _filtered(values: list[Any], path: str, wanted: str) -> list[Any]:
    """The elements of lists that the filter `[?(@.path=="wanted")]` selects."""
    elements = [element for item in values if isinstance(item, list) for element in item]
    return [e for e in elements if any(_text(value) == wanted for value in _values(e, "." + path))]


def _children(found: list[Any], name: str) -> list[Any]:
    if name == "*":
        return [
            v
            for item in found
            for v in (item.values() if isinstance(item, dict) else item if isinstance(item, list) else [])
        ]
    return [item[name] for item in found if isinstance(item, dict) and name in item and item[name] is not None]


def _indexed(item: Any, index: str) -> list[Any]:
    if isinstance(item, dict):
        return list(item.values()) if index == "*" else []
    if not isinstance(item, list):
        return []
    if index == "*":
        return item
    if ":" in index:
        first, _, last = index.partition(":")
        return item[int(first) if first else None : int(last) if last else None]
    return [item[int(index)]] if -len(item) <= int(index) < len(item) else []


def _deep(item: Any, name: str) -> list[Any]:
    below = item.values() if isinstance(item, dict) else item if isinstance(item, list) else []
    own = [item[name]] if isinstance(item, dict) and name in item else []
    return own + [v for child in below for v in _deep(child, name)]


def _columns(found: list[tuple[Kind, Object]], template: str, headers: bool) -> str:
    columns = [c.partition(":") for c in re.split(r",(?=[^,:\[\]]+:)", template)]
    rows = [[name for name, _, _ in columns]] if headers else []
    for _, thing in found:
        rows.append([",".join(_text(v) for v in _values(thing, path)) or "<none>" for _, _, path in columns])
    return aligned(rows)


def _table(found: list[tuple[Kind, Object]], all_namespaces: bool, several: bool, headers: bool) -> str:
    blocks = []
    for kind in dict.fromkeys(k for k, _ in found):
        things = [o for k, o in found if k == kind]
        head, row = _ROWS.get(kind.kind, (["NAME", "AGE"], lambda o: [_name(o), _age(o)]))
        rows = [(["NAMESPACE"] if all_namespaces else []) + head] if headers else []
        for thing in things:
            cells = row(thing)
            if several:
                cells[0] = f"{kind.singular}/{cells[0]}"
            rows.append(([thing["metadata"].get("namespace", "")] if all_namespaces else []) + cells)
        blocks.append(aligned(rows))
    return "\n".join(blocks)


def aligned(rows: list[list[str]]) -> str:
    """Rows as kubectl prints them: three spaces between columns, the last one not padded."""
    widths = [max(len(r[n]) for r in rows) for n in range(len(rows[0]))] if rows else []
    return "".join(
        "   ".join(c.ljust(w) for c, w in zip(r[:-1], widths, strict=False))
        + ("   " if len(r) > 1 else "")
        + r[-1]
        + "\n"
        for r in rows
    )


def _name(thing: Object) -> str:
    return str(thing["metadata"]["name"])


def _age(thing: Object) -> str:
    import calendar

    if "creationTimestamp" not in thing["metadata"]:
        return "<unknown>"
    made = calendar.timegm(time.strptime(thing["metadata"]["creationTimestamp"], "%Y-%m-%dT%H:%M:%SZ"))
    seconds = max(0, int(time.time() - made))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _pod_row(o: Object) -> list[str]:
    states = o["status"]["containerStatuses"]
    phase = "Terminating" if "deletionTimestamp" in o["metadata"] else o["status"]["phase"]
    ready = sum(s["ready"] for s in states)
    return [_name(o), f"{ready}/{len(states)}", phase, "0", _age(o)]


def _controller_row(o: Object) -> list[str]:
    ready, wanted = o["status"].get("readyReplicas", 0), o["spec"]["replicas"]
    return [_name(o), f"{ready}/{wanted}", str(wanted), str(o["status"].get("availableReplicas", 0)), _age(o)]


def _service_row(o: Object) -> list[str]:
    spec = o["spec"]
    ports = ",".join(f"{p['port']}/TCP" for p in spec.get("ports", [])) or "<none>"
    return [_name(o), spec["type"], spec["clusterIP"], "<none>", ports, _age(o)]


_ROWS: dict[str, Any] = {
    "Pod": (["NAME", "READY", "STATUS", "RESTARTS", "AGE"], _pod_row),
    "Deployment": (["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"], _controller_row),
    "StatefulSet": (["NAME", "READY", "AGE"], lambda o: [_controller_row(o)[n] for n in (0, 1, 4)]),
    "Service": (["NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "AGE"], _service_row),
    "Namespace": (["NAME", "STATUS", "AGE"], lambda o: [_name(o), "Active", _age(o)]),
    "Application": (
        ["NAME", "SYNC STATUS", "HEALTH STATUS"],
        lambda o: [_name(o), o["status"]["sync"]["status"], o["status"]["health"]["status"]],
    ),
    "Event": (
        ["LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"],
        lambda o: [
            _age(o),
            o["type"],
            o["reason"],
            f"{o['involvedObject']['kind'].lower()}/{o['involvedObject']['name']}",
            o["message"],
        ],
    ),
}
