"""A saved plan: what was asked for, where the repositories were, and every commit the plan makes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from migration.engine import BY_KEY, MigrationPlan
from migration.model import History, MigrationRequest
from tasks.core import regular_file, strict_json
from tasks.core.errors import Refused, Trouble

SCHEMA = 1
_NEW_PLAN = "make a new one: inv migrate.plan --out FILE"


def write(path: Path, plan: MigrationPlan, document: dict[str, Any]) -> None:
    """Write the plan: the document of `--json`, and below `replay` what `migrate.apply` needs."""
    request, repositories = plan.request, plan.simulation.repositories
    replay = {
        "core": str(request.core),
        "gitops": str(request.gitops),
        "keys": list(request.keys),
        "accept": list(request.accept),
        "history": request.history,
        "at": plan.start,
        "idents": {r.name: list(r.ident) for r in repositories.both if r.ident},
        "commits": {r.name: [c.id for c in r.commits] for r in repositories.both},
    }
    text = json.dumps({"schema": SCHEMA, **document, "replay": replay}, indent=2)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_text(text + "\n")
        os.replace(fresh, path)
    except OSError as why:
        raise Trouble(f"cannot write {path}: {why.strerror}", fix="name another file: --out FILE") from None


def read(path: Path) -> tuple[MigrationRequest, dict[str, list[str]]]:
    """Return what the saved plan was asked for, and its commits by repository."""
    document = _load(path)
    try:
        if document["schema"] != SCHEMA:
            raise _other_version(path, f" (schema {document['schema']})")
        replay = document["replay"]
        commits = {name: [str(c) for c in replay["commits"][name]] for name in ("core", "gitops")}
        if replay["history"] not in list(History) or not set(replay["keys"]) <= BY_KEY.keys():
            raise _other_version(path)
        return _request(replay), commits
    except (KeyError, TypeError, AttributeError, IndexError):
        raise Trouble(f"{path} is not a plan of this suite", fix=_NEW_PLAN) from None


def _load(path: Path) -> Any:
    try:
        return strict_json.loads(regular_file.text(path))
    except FileNotFoundError:
        raise Trouble(f"{path} does not exist", fix="make the plan first: inv migrate.plan --out FILE") from None
    except (OSError, ValueError) as why:
        raise Trouble(f"{path} is not a plan: {why}", fix=_NEW_PLAN) from None


def _request(replay: dict[str, Any]) -> MigrationRequest:
    return MigrationRequest(
        core=Path(replay["core"]),
        gitops=Path(replay["gitops"]),
        keys=tuple(map(str, replay["keys"])),
        accept=tuple(map(str, replay["accept"])),
        history=History(replay["history"]),
        at={name: str(replay["at"][name]) for name in ("core", "gitops")},
        idents={str(name): (str(pair[0]), str(pair[1])) for name, pair in replay["idents"].items()},
    )


def _other_version(path: Path, detail: str = "") -> Refused:
    return Refused(f"{path} was made by another version of the suite{detail}", fix=_NEW_PLAN)
