"""Template functions: Go's, the common ones of sprig, and Helm's."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import random
import re
import string
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sandbox.standins.go.template import Functions
from sandbox.standins.go.template_run import Raised, printed, truth
from sandbox.standins.helm.yaml_text import from_yaml, to_yaml


def functions() -> Functions:
    """All functions except `include` and `tpl`, which need the chart."""
    return {**_LOGIC, **_TEXT, **_LISTS, **_MAPS, **_NUMBERS, **_CODING, **_HELM}


def _default(otherwise: Any, value: Any = None) -> Any:
    return value if truth(value) else otherwise


def _required(text: str, value: Any) -> Any:
    if value is None or value == "":
        raise Raised(text)
    return value


def _fail(text: str) -> Any:
    raise Raised(text)


def _quote(*values: Any) -> str:
    return " ".join(json.dumps(printed(v), ensure_ascii=False) for v in values if v is not None)


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key)
        elif value is None:
            raise ValueError("index of untyped nil")
        else:
            value = value[key]
    return value


def _indent(count: int, text: str) -> str:
    return "\n".join(" " * count + line for line in text.split("\n"))


def _printf(form: str, *values: Any) -> str:
    left = list(values)

    def formatted(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        value = left.pop(0) if left else "%!" + match[0][-1] + "(MISSING)"
        if match[0][-1] == "q":
            return json.dumps(printed(value), ensure_ascii=False)
        if match[0][-1] in "df" and isinstance(value, int | float):
            return match[0] % value
        return (match[0][:-1] + "s") % printed(value)

    return re.sub(r"%%|%[-+ 0#]*\d*(?:\.\d+)?[svdfqtx]", formatted, form)


def _trunc(count: int, text: str) -> str:
    return text[:count] if count >= 0 else text[count:]


def _split(glue: str, text: str) -> dict[str, str]:
    return {f"_{n}": part for n, part in enumerate(text.split(glue))}


def _merged(target: dict[str, Any], *sources: dict[str, Any], over: bool) -> dict[str, Any]:
    for source in sources:
        for key, value in source.items():
            if isinstance(value, dict) and isinstance(target.get(key), dict):
                _merged(target[key], value, over=over)
            elif over or not truth(target.get(key)):
                target[key] = value
    return target


def _dict(*pairs: Any) -> dict[str, Any]:
    return {printed(pairs[n]): pairs[n + 1] if n + 1 < len(pairs) else "" for n in range(0, len(pairs), 2)}


def _set(target: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    target[key] = value
    return target


def _unset(target: dict[str, Any], key: str) -> dict[str, Any]:
    target.pop(key, None)
    return target


def _dig(*words: Any) -> Any:
    *path, otherwise, value = words
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return otherwise
        value = value[key]
    return value


def _number(value: Any) -> int:
    try:
        return int(float(printed(value) or 0))
    except ValueError:
        return 0


def _kind(value: Any) -> str:
    names = {bool: "bool", int: "float64", float: "float64", str: "string", list: "slice", dict: "map"}
    return names.get(type(value), "invalid")


def _semver(constraint: str, version: str) -> bool:
    def parts(text: str) -> tuple[int, ...]:
        version_match = re.search(r"\d+(?:\.\d+)*", text)
        return tuple([*(int(n) for n in version_match[0].split(".")), 0, 0, 0][:3]) if version_match else (0, 0, 0)

    have = parts(version)
    for comparison in re.split(r"\s*,\s*|\s+(?=[<>=^~])", constraint.strip()):
        sign, wanted = re.match(r"([<>=^~!]*)", comparison)[1], parts(comparison)  # type: ignore[index]
        compare: dict[str, bool] = {
            ">=": have >= wanted,
            "<=": have <= wanted,
            ">": have > wanted,
            "<": have < wanted,
            "!=": have != wanted,
            "^": have >= wanted and have[0] == wanted[0],
            "~": have >= wanted and have[:2] == wanted[:2],
        }
        if not compare.get(sign, have == wanted):
            return False
    return True


def _reverse(function: Callable[[str, str], Any]) -> Callable[[str, str], Any]:
    """Swap the arguments: sprig takes the subject last, for pipelines."""
    return lambda what, text: function(text, what)


_LOGIC: Functions = {
    "not": lambda v: not truth(v),
    "eq": lambda a, *others: any(a == b and isinstance(a, bool) == isinstance(b, bool) for b in others),
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "default": _default,
    "empty": lambda v: not truth(v),
    "coalesce": lambda *values: next((v for v in values if truth(v)), None),
    "ternary": lambda yes, no, condition: yes if condition else no,
    "all": lambda *values: all(truth(v) for v in values),
    "any": lambda *values: any(truth(v) for v in values),
    "kindIs": lambda name, v: _kind(v) == name,
    "kindOf": _kind,
    "typeOf": _kind,
    "typeIs": lambda name, v: _kind(v) == name,
    "len": len,
    "index": _index,
    "print": lambda *values: "".join(printed(v) for v in values),
    "println": lambda *values: " ".join(printed(v) for v in values) + "\n",
    "printf": _printf,
}
_TEXT: Functions = {
    "quote": _quote,
    "squote": lambda *values: " ".join(f"'{printed(v)}'" for v in values if v is not None),
    "indent": _indent,
    "nindent": lambda count, text: "\n" + _indent(count, text),
    "trunc": _trunc,
    "trim": lambda text: text.strip(),
    "trimSuffix": _reverse(str.removesuffix),
    "trimPrefix": _reverse(str.removeprefix),
    "trimAll": _reverse(str.strip),
    "lower": str.lower,
    "upper": str.upper,
    "title": str.title,
    "replace": lambda old, new, text: text.replace(old, new),
    "contains": lambda what, text: what in text,
    "hasPrefix": _reverse(str.startswith),
    "hasSuffix": _reverse(str.endswith),
    "nospace": lambda text: re.sub(r"\s", "", text),
    "cat": lambda *values: " ".join(printed(v) for v in values),
    "repeat": lambda count, text: text * count,
    "splitList": lambda glue, text: text.split(glue),
    "split": _split,
    "join": lambda glue, values: glue.join(printed(v) for v in values),
    "regexMatch": lambda pattern, text: re.search(pattern, text) is not None,
    "regexReplaceAll": lambda pattern, text, new: re.sub(pattern, re.sub(r"\$\{?(\d+)\}?", r"\\\1", new), text),
    "toString": printed,
    "snakecase": lambda text: re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[-\s]", "_", text).lower(),
    "kebabcase": lambda text: re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_\s]", "-", text).lower(),
    "randAlphaNum": lambda count: "".join(random.choices(string.ascii_letters + string.digits, k=count)),
    "uuidv4": lambda: str(uuid.uuid4()),
    "now": lambda: datetime.now(UTC).isoformat(),
}
_LISTS: Functions = {
    "list": lambda *values: list(values),
    "tuple": lambda *values: list(values),
    "first": lambda values: values[0] if values else None,
    "last": lambda values: values[-1] if values else None,
    "rest": lambda values: list(values[1:]),
    "initial": lambda values: list(values[:-1]),
    "append": lambda values, one: [*(values or []), one],
    "prepend": lambda values, one: [one, *(values or [])],
    "concat": lambda *lists: [one for values in lists for one in values or []],
    "uniq": lambda values: [v for n, v in enumerate(values) if v not in values[:n]],
    "without": lambda values, *drop: [v for v in values if v not in drop],
    "has": lambda one, values: one in (values or []),
    "compact": lambda values: [v for v in values if truth(v)],
    "reverse": lambda values: list(reversed(values)),
    "sortAlpha": lambda values: sorted(printed(v) for v in values),
    "until": lambda count: list(range(count)),
    "untilStep": lambda start, stop, step: list(range(start, stop, step)),
}
_MAPS: Functions = {
    "dict": _dict,
    "get": lambda target, key: target.get(key, ""),
    "set": _set,
    "unset": _unset,
    "hasKey": lambda target, key: key in target,
    "dig": _dig,
    "keys": lambda *maps: sorted(key for one in maps for key in one),
    "values": lambda target: [target[key] for key in sorted(target)],
    "pick": lambda target, *keys: {k: v for k, v in target.items() if k in keys},
    "omit": lambda target, *keys: {k: v for k, v in target.items() if k not in keys},
    "merge": lambda target, *sources: _merged(target, *sources, over=False),
    "mergeOverwrite": lambda target, *sources: _merged(target, *sources, over=True),
    "deepCopy": copy.deepcopy,
}
_NUMBERS: Functions = {
    "int": _number,
    "int64": _number,
    "float64": lambda v: float(printed(v) or 0),
    "add": lambda *values: sum(_number(v) for v in values),
    "add1": lambda v: _number(v) + 1,
    "sub": lambda a, b: _number(a) - _number(b),
    "mul": lambda a, b: _number(a) * _number(b),
    "div": lambda a, b: int(_number(a) / _number(b)),
    "mod": lambda a, b: _number(a) % _number(b),
    "max": lambda *values: max(_number(v) for v in values),
    "min": lambda *values: min(_number(v) for v in values),
}
_CODING: Functions = {
    "toYaml": to_yaml,
    "fromYaml": from_yaml,
    "toJson": lambda v: json.dumps(v, separators=(",", ":"), ensure_ascii=False),
    "toPrettyJson": lambda v: json.dumps(v, indent=2, ensure_ascii=False),
    "fromJson": json.loads,
    "b64enc": lambda text: base64.b64encode(text.encode()).decode(),
    "b64dec": lambda text: base64.b64decode(text).decode(),
    "sha256sum": lambda text: hashlib.sha256(text.encode()).hexdigest(),
    "sha1sum": lambda text: hashlib.sha1(text.encode()).hexdigest(),
}
_HELM: Functions = {
    "required": _required,
    "fail": _fail,
    "lookup": lambda *_: {},
    "semverCompare": _semver,
}
