"""The independent check of the trials finds what a deletion has left behind."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.migration.trials.left_references import deletion, findings, main


def repository(folder: Path) -> str:
    texts = {
        "deploy/base/kustomization.yaml": "resources: [x.yaml]\n",
        "deploy/base/x.yaml": "kind: A\n",
        "deploy/lib/common.sh": ":\n",
        "app/over/kustomization.yaml": "resources:\n  - ../../deploy/base\n",
        "app/run.sh": "bash deploy/lib/common.sh\n",
        "app/notes.txt": "see common.sh\n",
        "app/plain.py": "base = common\n",
    }
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    (folder / "app/link").symlink_to("../deploy/lib")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "all")
    return git(folder, "rev-parse", "HEAD").strip()


def git(folder: Path, *args: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *args], check=True, capture_output=True, text=True).stdout


def test_what_still_leads_to_a_deleted_path_is_listed(tmp_path: Path):
    base = repository(tmp_path)
    assert main([str(tmp_path), base]) == 0
    git(tmp_path, "rm", "-rq", "deploy")
    found = {(one.kind, one.file, one.line, one.deleted) for one in findings(tmp_path, deletion(tmp_path, base))}
    assert found == {
        ("relative", "app/over/kustomization.yaml", 2, "deploy/base"),
        ("path", "app/run.sh", 1, "deploy/lib/common.sh"),
        ("name", "app/notes.txt", 1, "deploy/lib/common.sh"),
        ("relative", "app/link", 0, "deploy/lib"),
    }
    assert main([str(tmp_path), base]) == 1
