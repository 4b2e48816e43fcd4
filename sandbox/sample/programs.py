"""The programs of a sample repository: `inv` of that repository, and uv and go as far as its dev commands need them."""

from __future__ import annotations

import shlex
from pathlib import Path

# `uv run` without packages to install, and `uvicorn MODULE:app` as the program that the sample has at MODULE.
_UV = """\
#!/bin/sh
[ "${1:-}" = run ] || { echo "uv: the sample has no packages; only 'uv run' works here" >&2; exit 2; }
shift
case "$1" in
  python) shift; exec python3 "$@" ;;
  uvicorn) exec python3 -m "${2%%:*}" ;;
  *) exec "$@" ;;
esac
"""
# `go run FOLDER` as the Python program beside main.go, so that no toolchain is needed.
_GO = """\
#!/bin/sh
[ "${1:-}" = run ] || { echo "go: only 'go run' works in the sample" >&2; exit 2; }
exec python3 "$2/main.py"
"""


def install(folder: Path, core: Path, python: str) -> None:
    """Write the programs into the folder on PATH. python: of the environment that the suite's copy in core runs in."""
    words = shlex.join([python, str(core / "tasks.py")])
    suite = f'#!/bin/sh\n# The suite of this repository, in the environment of the checkout that it was copied from.\nexec {words} "$@"\n'
    (folder / "inv").unlink(missing_ok=True)  # a link to the checkout's own
    for place, text in ((folder / "inv", suite), (folder / "uv", _UV), (folder / "go", _GO)):
        place.write_text(text, encoding="utf-8")
        place.chmod(0o755)
