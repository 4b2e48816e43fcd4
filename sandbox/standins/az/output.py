"""How az prints a result: -o and --query."""

from __future__ import annotations

import json
from typing import Any

from sandbox.standins.az.parser import AzError

_REFERENCE = "\nhttps://aka.ms/cli_ref\nRead more about the command in reference docs"


def shown(result: Any, output: str | None, query: str | None) -> str:
    """The text on stdout; empty without a result and for `-o none`. JSON keys are sorted, as in az."""
    if query is not None:
        result = _selected(result, query)
    if result is None or output == "none":
        return ""
    match output:
        case "tsv":
            return "".join(f"{line}\n" for line in _tsv(result))
        case "yaml" | "yamlc":
            import yaml

            return str(yaml.safe_dump(result, default_flow_style=False, allow_unicode=True))
        case "table":
            return _table(result)
    return json.dumps(result, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _selected(result: Any, query: str) -> Any:
    """The part of the result that a JMESPath query selects. Raises AzError for an invalid query."""
    import jmespath  # here, so that only calls with --query load it

    try:
        return jmespath.search(query, result)
    except ValueError:  # every error of jmespath is one
        raise AzError(f"argument --query: invalid jmespath_type value: {query!r}\n{_REFERENCE}", 2) from None


def _tsv(result: Any) -> list[str]:
    """knack's rules: null is `None`, a list is its length, a map is empty; a boolean is lower case only if alone in a row."""
    rows = result if isinstance(result, list) else [result]
    return [_row(row) for row in rows]


def _row(row: Any) -> str:
    if isinstance(row, bool):
        return str(row).lower()
    cells = list(row.values()) if isinstance(row, dict) else row if isinstance(row, list) else [row]
    return "\t".join(_cell(cell) for cell in cells)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return str(len(value))
    return "" if isinstance(value, dict) else str(value)


def _table(result: Any) -> str:
    elements = result if isinstance(result, list) else [result]
    rows = [row if isinstance(row, dict) else {"Result": row} for row in elements]
    heads = _heads(rows)
    lines = [[key[:1].upper() + key[1:] for key in heads], *[[_cell(row.get(key)) for key in heads] for row in rows]]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    lines.insert(1, ["-" * width for width in widths])
    return "".join(
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() + "\n" for line in lines
    )


def _heads(rows: list[dict[str, Any]]) -> list[str]:
    """The keys of the columns: those of the first row with a plain value."""
    return [key for key, value in rows[0].items() if not isinstance(value, dict | list)] if rows else []
