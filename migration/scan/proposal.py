"""What a scan proposes: rows with their evidence, and what is left to a person."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Row:
    """A proposed value with its evidence. sure: whether the evidence leaves little doubt."""

    value: Any
    sure: bool
    evidence: tuple[str, ...]

    @property
    def degree(self) -> str:
        """`sure` or `maybe`."""
        return "sure" if self.sure else "maybe"

    def as_json(self) -> dict[str, Any]:
        """Return the row of `--json`."""
        return {"value": self.value, "degree": self.degree, "evidence": list(self.evidence)}


Group = dict[str, list[Row] | Row]


@dataclass
class Proposal:
    """The contents of the three files of config/, by key, and what a person has to do.

    mapping, settings: key (with dots for a nested one) -> a row, or the rows of a list
    services: the entries of the catalogue
    """

    files: int = 0
    mapping: Group = field(default_factory=dict)
    services: list[Row] = field(default_factory=list)
    settings: Group = field(default_factory=dict)
    person: list[str] = field(default_factory=list)

    def rows(self, key: str) -> list[Row]:
        """Return the rows of a list of the mapping; none when it is not proposed."""
        value = self.mapping.get(key, [])
        return value if isinstance(value, list) else [value]

    def as_json(self) -> dict[str, Any]:
        """Return the document of `--json`."""
        return {
            "schema": 1,
            "files": self.files,
            "mapping": {key: _rows(value) for key, value in self.mapping.items()},
            "services": _rows(self.services),
            "settings": {key: _rows(value) for key, value in self.settings.items()},
            "person": self.person,
        }


def _rows(value: list[Row] | Row) -> Any:
    return [row.as_json() for row in value] if isinstance(value, list) else value.as_json()
