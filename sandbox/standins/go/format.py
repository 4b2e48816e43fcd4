"""`--format` templates of docker and helm: `{{.A.B}}`, `{{json .}}` and text around them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_ACTION = re.compile(r"\{\{\s*(json\s+)?\.([\w.]*)\s*\}\}")


class BadTemplate(Exception):
    """The template names an unknown field or is not supported."""


def shown(template: str, data: Mapping[str, Any], kind: str) -> str:
    """Fill the template from the data. kind: the Go type in the error for an unknown field."""

    def filled(match: re.Match[str]) -> str:
        value: Any = data
        for name in filter(None, match[2].split(".")):
            if not isinstance(value, Mapping) or name not in value:
                raise BadTemplate(
                    f'template: :1:2: executing "" at <.{match[2]}>: can\'t evaluate field {name} in type {kind}'
                )
            value = value[name]
        if match[1]:
            return json.dumps(value, separators=(",", ":"))
        return (
            {True: "true", False: "false", None: "<no value>"}.get(value, str(value)) if _plain(value) else str(value)
        )

    text = _ACTION.sub(filled, template)
    if "{{" in text:
        raise BadTemplate("failed to parse template: template: :1: unclosed action")
    return text.replace("\\t", "\t").replace("\\n", "\n")


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, bool)
