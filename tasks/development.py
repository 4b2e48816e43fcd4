"""The suite's own tests, linters and benchmarks. A team's repository does not get them."""

from __future__ import annotations

import os
import sys
import time

from invoke.context import Context
from invoke.tasks import task

from tasks.core.cli.command_line import remainder
from tasks.core.cli.flags import JSON


@task(
    help={
        "lint": "run linters, type checker and import rules too, as CI does",
        "contracts": "also test the contracts against the real programs in this folder",
    },
    auto_shortflags=False,
)
def test(c: Context, lint: bool = False, contracts: str = "") -> None:
    """Run the tests; arguments after -- go to pytest."""
    from tasks.core import ui
    from tasks.core.errors import Trouble
    from tasks.core.repository import repository_root

    root = repository_root()
    workers = ["-n", str(min(4, 1 + (os.cpu_count() or 1))), "--dist", "loadfile"]  # tests wait much
    chosen = remainder(c)
    commands = [
        [
            sys.executable,
            "-m",
            "pytest",
            *(["--contracts", os.path.abspath(contracts)] if contracts else []),
            *(chosen or workers),
        ]
    ]
    if lint:
        commands = [*_linters(), *commands]
    began = time.monotonic()
    for argv in commands:
        ui.talk("$ " + " ".join(argv[2:] if argv[0] == sys.executable else argv))
        code = _run(argv, str(root))
        if code or argv is commands[-1]:
            minutes, seconds = divmod(round(time.monotonic() - began), 60)
            ui.talk(f"took {minutes} min {seconds} s")
        if code:
            if argv is commands[-1]:
                raise SystemExit(code)
            raise Trouble(
                f"{' '.join(argv[1:3] if argv[0] == sys.executable else argv[:2])} reports problems",
                fix="fix what is listed above",
            )


@task(
    help={"quick": "fewer runs", "only": "only benchmarks with this text in their name", "json": JSON},
    auto_shortflags=False,
)
def bench(c: Context, quick: bool = False, only: str = "", json: bool = False) -> None:
    """Measure the suite in one run, as ratios; write docs/benchmarks.md."""
    from tasks.core.repository import repository_root

    argv = [
        sys.executable,
        "-m",
        "benchmarks",
        *(["--quick"] if quick else []),
        *(["--only", only] if only else []),
        *(["--json"] if json else []),
    ]
    raise SystemExit(_run(argv, str(repository_root())))


def _linters() -> list[list[str]]:
    """The commands that CI runs before the tests."""
    from tasks.core.repository import repository_root

    root = repository_root()
    shell = [
        str(p.relative_to(root))
        for p in (
            root / "scripts/inv",
            root / "scripts/completion.bash",
            root / "scripts/readonly-root",
            root / ".ci/run",
            root / ".ci/part",
            *sorted((root / ".devcontainer").glob("*.sh")),
        )
        if p.exists()
    ]
    docker = [str(p.relative_to(root)) for p in (root / ".devcontainer/Dockerfile",) if p.exists()]
    bin = os.path.dirname(sys.executable)
    return [
        [f"{bin}/ruff", "check", "."],
        [f"{bin}/ruff", "format", "--check", "-q", "."],
        [sys.executable, "-m", "mypy"],
        [f"{bin}/lint-imports"],
        [f"{bin}/shellcheck", *shell],
        *([[f"{bin}/hadolint", *docker]] if docker else []),
    ]


def _run(argv: list[str], cwd: str) -> int:
    from pathlib import Path

    from tasks.core.process import foreground

    with foreground.signals() as taken:
        return foreground.run(argv, env=dict(os.environ), cwd=Path(cwd), taken=taken)
