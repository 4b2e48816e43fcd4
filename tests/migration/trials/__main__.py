"""`python -m tests.migration.trials FOLDER [--only WORD] [--keep DIR]`: run the trials and write docs/migration-trials.md."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from tests.migration.trials.page import page
from tests.migration.trials.trial import ROOT, Outcome, run

REPOSITORIES = Path(__file__).with_name("repositories.yaml")
PAGE = ROOT / "docs" / "migration-trials.md"
RECORD = "trials.json"


def main() -> int:
    """Run the trials; return 1 when one has a fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.migration.trials")
    parser.add_argument("mirrors", type=Path, help="the folder with owner+name/repo")
    parser.add_argument(
        "--only", default="", help="repositories whose name has this word; the page is then not written"
    )
    parser.add_argument("--keep", type=Path, help="work in this folder and keep it")
    asked = parser.parse_args()
    rows = yaml.safe_load(REPOSITORIES.read_text())
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="trials-") as scratch:
        place = asked.keep or Path(scratch)
        for name, row in _chosen(rows, asked.only):
            outcomes.append(_tried(name, row, asked.mirrors, place))
            if not asked.only:
                PAGE.write_text(page(outcomes))
    return int(any(outcome.faults for outcome in outcomes))


def _chosen(rows: dict[str, dict[str, Any]], word: str) -> list[tuple[str, dict[str, Any]]]:
    """The trials: first every repository with the mapping as it is proposed, then the variants."""
    chosen = [(name, row) for name, row in rows.items() if word in name]
    variants = [
        (name, {**row, "expected": {}, **variant}) for name, row in chosen for variant in row.get("variants", [])
    ]
    return chosen + variants


def _tried(name: str, row: dict[str, Any], mirrors: Path, place: Path) -> Outcome:
    variant = str(row.get("name", ""))
    folder = place / "-".join([name.replace("/", "+"), *variant.split()])
    folder.mkdir(parents=True)
    mirror = mirrors / name.replace("/", "+") / "repo"
    outcome = run(f"{name}{f', {variant}' if variant else ''}", row, mirror, folder)
    (folder / RECORD).write_text(json.dumps(asdict(outcome), indent=1))
    sys.stdout.write(
        f"{outcome.name}: {outcome.files} files, {outcome.proposed}, {outcome.plan}, {outcome.deleted} deleted, "
    )
    sys.stdout.write(f"Tiltfile {outcome.tiltfile}, {outcome.seconds}\n")
    sys.stdout.writelines(f"  fault: {fault}\n" for fault in outcome.faults)
    sys.stdout.flush()
    return outcome


if __name__ == "__main__":
    sys.exit(main())
