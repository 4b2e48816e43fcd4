"""The suite's own: tests, linters, benchmarks."""

from __future__ import annotations

import os
import sys

from invoke.context import Context
from invoke.tasks import task

from tasks.core.cli.command_line import remainder
from tasks.core.cli.flags import JSON


@task(
    help={
        "lint": "linters, types and layers too, as CI does",
        "contracts": "a folder with real programs to hold the contracts against",
    },
    auto_shortflags=False,
)
def test(c: Context, lint: bool = False, contracts: str = "") -> None:
    """Run the tests; words after -- go to pytest."""
    from tasks.core import ui
    from tasks.core.errors import Trouble
    from tasks.core.repository import must_be_here, repository_root

    must_be_here("tests/test_house.py")  # in a core repository pytest would run that one's own tests
    root = repository_root()
    workers = ["-n", str(min(4, os.cpu_count() or 1)), "--dist", "loadfile"]
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
    for argv in commands:
        ui.talk("$ " + " ".join(argv[2:] if argv[0] == sys.executable else argv))
        code = _run(argv, str(root))
        if code:
            if argv is commands[-1]:
                raise SystemExit(code)
            raise Trouble(
                f"{' '.join(argv[1:3] if argv[0] == sys.executable else argv[:2])} found something",
                fix="mend what stands above",
            )


@task(
    help={"quick": "fewer runs", "only": "a part of the names", "json": JSON},
    auto_shortflags=False,
)
def bench(c: Context, quick: bool = False, only: str = "", json: bool = False) -> None:
    """Measure the suite as ratios in one run; writes docs/benchmarks.md."""
    from tasks.core.repository import must_be_here, repository_root

    must_be_here("benchmarks")
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
    """What CI runs before the tests."""
    from tasks.core.repository import repository_root

    root = repository_root()
    shell = [
        str(p.relative_to(root))
        for p in (
            root / "scripts/inv",
            root / "scripts/completion.bash",
            root / ".ci/run",
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
