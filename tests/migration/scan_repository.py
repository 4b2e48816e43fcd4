"""Small repositories for the tests of the scan."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from migration.scan.cli import proposal_for
from migration.scan.proposal import Proposal
from migration.scan.reading import Sources

MANIFEST = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
CHART = "apiVersion: v2\nname: web\nversion: 0.1.0\n"
KUSTOMIZATION = "resources: [x.yaml]\n"
TERRAFORM = 'resource "null_resource" "x" {}\n'


def git(folder: Path, *args: str) -> str:
    """Run git there as a committer whom no configuration names."""
    identity = ("-c", "user.name=A", "-c", "user.email=a@localhost", "-c", "commit.gpgsign=false")
    run = subprocess.run(["git", "-C", str(folder), *identity, *args], check=True, capture_output=True, text=True)
    return run.stdout.strip()


def make(folder: Path, files: Mapping[str, str]) -> Path:
    """Make a repository with these files and one commit."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-q", "-m", "all of it", "--allow-empty")
    return folder


def proposal(folder: Path, files: Mapping[str, str]) -> Proposal:
    """What is proposed for a repository with these files."""
    sources = Sources(make(folder, files))
    try:
        return proposal_for(sources)
    finally:
        sources.close()


def paths(found: Proposal, key: str) -> dict[str, str]:
    """The paths of the rows of a list, with `sure` or `maybe`."""
    return {row.value.get("from") or row.value["path"]: row.degree for row in found.rows(key)}


def values(found: Proposal, key: str) -> list[object]:
    """The values of a list of the mapping."""
    return [row.value for row in found.rows(key)]
