"""A plan in a file: what was asked for, where the repositories stood, and every commit it will make."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from migration.engine import BY_KEY, HISTORIES, Plan, Request
from tasks.core.errors import Refused, Trouble

SCHEMA = 1


def write(path: Path, plan: Plan, document: dict[str, Any]) -> None:
    """Write the plan; the same document that `--json` shows, with what `apply` needs beside it."""
    request = plan.request
    idents = {s.name: list(s.ident) for s in (plan.simulation.core, plan.simulation.gitops) if s.ident}
    replay = {
        "core": str(request.core),
        "gitops": str(request.gitops),
        "keys": list(request.keys),
        "accept": list(request.accept),
        "history": request.history,
        "at": plan.start,
        "idents": idents,
        "commits": {s.name: [c.id for c in s.commits] for s in (plan.simulation.core, plan.simulation.gitops)},
    }
    text = json.dumps({"schema": SCHEMA, **document, "replay": replay}, indent=2)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_text(text + "\n")
        os.replace(fresh, path)
    except OSError as why:
        raise Trouble(f"cannot write {path}: {why.strerror}", fix="name another file: --out FILE") from None


def read(path: Path) -> tuple[Request, dict[str, list[str]]]:
    """What the plan in this file was asked for, and its commits by repository."""
    new = "make a new one: inv migrate.plan --out FILE"
    try:
        data = json.loads(path.read_text())
    except FileNotFoundError:
        raise Trouble(f"{path} is not there", fix="make the plan first: inv migrate.plan --out FILE") from None
    except (OSError, ValueError, RecursionError) as why:
        raise Trouble(f"{path} is no plan: {why}", fix=new) from None
    try:
        if data["schema"] != SCHEMA:
            raise Refused(f"{path} is of another version of the suite (schema {data['schema']})", fix=new)
        replay = data["replay"]
        request = Request(
            Path(replay["core"]),
            Path(replay["gitops"]),
            tuple(map(str, replay["keys"])),
            tuple(map(str, replay["accept"])),
            str(replay["history"]),
            {name: str(replay["at"][name]) for name in ("core", "gitops")},
            {str(k): (str(v[0]), str(v[1])) for k, v in replay["idents"].items()},
        )
        commits = {name: [str(c) for c in replay["commits"][name]] for name in ("core", "gitops")}
        if request.history not in HISTORIES or not set(request.keys) <= BY_KEY.keys():
            raise Refused(f"{path} is of another version of the suite", fix=new)
    except (KeyError, TypeError, AttributeError, IndexError):
        raise Trouble(f"{path} is no plan of this suite", fix=new) from None
    return request, commits
