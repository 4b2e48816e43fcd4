"""One trial: scan, init, plan, apply, checks, undo."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.migration.trials import checks, left_references, tilt
from tests.migration.trials.repository import IDENTITY, Pair, git

ROOT = Path(__file__).resolve().parents[3]
DEADLINE = 600.0


@dataclass
class Outcome:
    """What came of a trial. faults: what must not happen"""

    name: str
    commit: str
    files: int = 0
    absent: int = 0
    kinds: str = ""
    submodule: bool = False
    proposed: dict[str, int] = field(default_factory=dict)
    edits: list[str] = field(default_factory=list)
    plan: dict[str, Any] = field(default_factory=dict)
    deleted: int = 0
    tiltfile: str = ""
    faults: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass
class Trial:
    """The commands of one trial, run as a person runs them."""

    pair: Pair
    folder: Path
    outcome: Outcome

    said: str = ""
    """The error of the last command."""

    def inv(self, task: str, *args: str, gitops: bool = True, codes: tuple[int, ...] = (0,)) -> str:
        """Run a task and return its stdout. A traceback, an unexpected exit code and a hang are faults."""
        places = ["--core", str(self.pair.core), *(["--gitops", str(self.pair.gitops)] if gitops else [])]
        env = {**os.environ, **IDENTITY, "REMOTE_DEV_STATE": str(self.folder / "state"), "KUBECONFIG": os.devnull}
        start = time.monotonic()
        try:
            run = subprocess.run(
                [str(ROOT / "scripts" / "inv"), task, *args, *places],
                capture_output=True,
                text=True,
                errors="replace",
                env=env,
                timeout=DEADLINE,
                cwd=self.folder,
            )
        except subprocess.TimeoutExpired:
            self.fault(f"{task}: still running after {DEADLINE:.0f} s")
            raise
        self.outcome.seconds[task] = round(time.monotonic() - start, 1)
        last = (run.stderr.strip().splitlines() or [""])[-1][:300]
        self.said = _error(run.stderr)
        if "Traceback" in run.stderr:
            self.fault(f"{task}: traceback: {last}")
        elif run.returncode not in codes:
            self.fault(f"{task}: exit {run.returncode}: {_error(run.stderr) or last}")
        return run.stdout

    def fault(self, what: str) -> None:
        """Note what must not happen."""
        self.outcome.faults.append(what.replace(str(self.folder), "."))


def _error(stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip().startswith(("error:", "why:"))]
    return " ".join(lines)[:300]


def run(name: str, row: dict[str, Any], mirror: Path, folder: Path) -> Outcome:
    """Try the migration on a clone of this mirror, in this empty folder."""
    submodule = bool(row.get("submodule"))
    outcome = Outcome(name, str(row["commit"]), kinds=str(row.get("kinds", "")), submodule=submodule)
    pair = Pair.make(folder, mirror, outcome.commit, submodule=submodule)
    trial = Trial(pair, folder, outcome)
    outcome.absent = pair.absent
    outcome.files = len(git(pair.core, "ls-files", "-z").split("\0")) - 1
    try:
        _configure(trial, row)
        _migrate(trial)
    except (subprocess.TimeoutExpired, KeyError, ValueError, RuntimeError) as why:
        trial.fault(f"the trial ended: {type(why).__name__}: {str(why)[:200]}")
    _compare(trial, row.get("expected", {}))
    outcome.edits = [str(edit.get("why", "")) for edit in row.get("edit", [])]
    return outcome


def _compare(trial: Trial, expected: dict[str, int]) -> None:
    """Note where the outcome is not the expected one."""
    found = {**trial.outcome.proposed, "deleted": trial.outcome.deleted}
    for key, number in expected.items():
        if found.get(key, 0) != number:
            trial.fault(f"{key}: {found.get(key, 0)} instead of the expected {number}")


def _configure(trial: Trial, row: dict[str, Any]) -> None:
    """Scan, write the configuration, edit it as the row says, and commit it, as a person does."""
    core = trial.pair.core
    before = trial.pair.state()
    found = json.loads(trial.inv("migrate.scan", "--json", gitops=False))
    if trial.pair.state() != before:
        trial.fault("migrate.scan: something was written")
    mapping = found["mapping"]
    trial.outcome.proposed = {key: len(mapping.get(key, [])) for key in ("moves", "kept", "superseded")}
    rows = [row for key in ("moves", "kept", "superseded") for row in mapping.get(key, [])]
    trial.outcome.proposed["maybe"] = sum(row["degree"] == "maybe" for row in rows)
    trial.outcome.proposed["services"] = len(found["services"])
    trial.outcome.proposed["person"] = len(found["person"])
    written = json.loads(trial.inv("migrate.init", "--json", gitops=False))
    folder = Path(written["folder"])
    _edit(folder / "migration.yaml", row.get("edit", []))
    git(core, "add", "-f", "--", str(folder))
    git(core, "commit", "-qm", "configuration of the migration")


def _edit(file: Path, edits: list[dict[str, Any]]) -> None:
    """Change the proposal: `set` a key, `drop` the rows with a path, or let all that stays move as well."""
    if not edits:
        return
    mapping = yaml.safe_load(file.read_text())
    for edit in edits:
        for key, value in edit.get("set", {}).items():
            mapping[key] = value
        if edit.get("move_all"):
            kept = [row["path"] for row in mapping.get("kept", [])]
            mapping["moves"] = [*mapping["moves"], *({"from": path, "to": path} for path in kept)]
            mapping |= {"kept": [], "infrastructure": {**mapping["infrastructure"], "exceptions": []}}
        for key, paths in edit.get("drop", {}).items():
            mapping[key] = [row for row in mapping[key] if row.get("from", row.get("path")) not in paths]
    file.write_text(yaml.safe_dump(mapping, sort_keys=False))


def _migrate(trial: Trial) -> None:
    core, outcome = trial.pair.core, trial.outcome
    start, before = git(core, "rev-parse", "HEAD").strip(), trial.pair.state()
    told, old_tilt = core / "Tiltfile", None
    if told.exists():
        old_tilt = _declared(core)
    trial.inv("migrate.plan", codes=(0, 3))
    document = json.loads(trial.inv("migrate.plan", "--json", "--out", str(trial.folder / "plan.json"), codes=(0, 3)))
    if trial.pair.state() != before:
        trial.fault("migrate.plan: something was written")
    outcome.plan = checks.counted(document)
    trial.inv("migrate.apply", str(trial.folder / "plan.json"), "--yes", codes=(0, 3))
    for repo, folder in (("core", core), ("gitops", trial.pair.gitops)):
        tree = git(folder, "rev-parse", "HEAD^{tree}").strip()
        if tree != document[repo]["predicted_tree"]:
            trial.fault(f"migrate.apply: the tree of {repo} is not the predicted one; {trial.said}")
    trial.inv("migrate.status")
    _check(trial, start, old_tilt)
    trial.inv("migrate.undo", "--yes")
    after = trial.pair.state()
    for what in before:
        if after[what] != before[what]:
            trial.fault(f"migrate.undo: {what} differs: {_difference(before[what], after[what])}")


def _difference(before: str, after: str) -> str:
    changed = sorted(set(before.splitlines()) ^ set(after.splitlines()))
    return "; ".join(changed[:3])[:200]


def _check(trial: Trial, start: str, old_tilt: dict[str, tuple[set[str] | None, str]] | None) -> None:
    core, outcome = trial.pair.core, trial.outcome
    gone = checks.deleted(core, start)
    outcome.deleted = len(gone)
    for path in checks.unreadable(core):
        trial.fault(f"{path} is not JSON with comments")
    for reference in _left(core, start, gone):
        trial.fault(f"missed reference: {reference}")
    if old_tilt is not None:
        _check_tiltfile(trial, start, old_tilt)


def _left(core: Path, start: str, gone: list[str]) -> list[str]:
    """What in the files that stay still leads to something deleted; not documents and the suite's own files."""
    if not gone:
        return []
    carried = set(git(core, "diff", "--name-only", "--diff-filter=A", "-z", start, "HEAD").split("\0"))
    found = []
    for one in left_references.findings(core, left_references.deletion(core, start)):
        is_listed = one.is_document or one.file.startswith(("docs/", "backlog/")) or one.file in carried
        is_rewritten = re.search(rf"gitops/(?:[\w.-]+/)?{re.escape(one.deleted)}", one.text)
        is_pattern = one.file.endswith(("ignore", "gitattributes")) and "*" in one.text  # for files that may be there
        is_text = (
            is_pattern or one.text.startswith(("#", "//", "*", "<!--")) or one.file.endswith("config/migration.yaml")
        )
        if one.kind != "name" and not (is_listed or is_rewritten or is_text):
            found.append(f"{one.file}:{one.line} -> {one.deleted}: {one.text[:100]}")
    return found


def _check_tiltfile(trial: Trial, start: str, old: dict[str, tuple[set[str] | None, str]]) -> None:
    """Compare what the Tiltfile declares with what it declared before: evaluated where that is possible, else as written."""
    core, outcome = trial.pair.core, trial.outcome
    if not git(core, "diff", "--name-only", start, "HEAD", "--", "Tiltfile"):
        outcome.tiltfile = "unchanged"
        return
    now = _declared(core)
    way = "evaluated" if old["evaluated"][0] is not None else "parsed"
    before, (after, why) = old[way][0], now[way]
    if after is None:
        outcome.tiltfile = f"not {way}: {why}"
        if before is not None:
            trial.fault(f"the Tiltfile was {way} before and is not now: {why}")
        return
    lost = sorted((before or set()) - after)
    named = f": {', '.join(lost[:4])}" if lost else ""
    written = sorted((old["parsed"][0] or set()) - (now["parsed"][0] or set()))
    for build in [call for call in written if "_build" in call.partition("(")[0]]:
        trial.fault(f"the Tiltfile no longer builds {build}")
    outcome.tiltfile = f"{way}: {len(after)} declarations, {len(lost)} of before removed{named}"
    if way == "parsed":
        outcome.tiltfile += f" (not evaluated before either: {old['evaluated'][1]})"


def _declared(core: Path) -> dict[str, tuple[set[str] | None, str]]:
    context = "change-me" if (core / "tilt" / "guard.star").exists() else "kind-kind"
    path = core / "Tiltfile"
    return {"evaluated": tilt.resources(core, context), "parsed": tilt.declarations(path)}
