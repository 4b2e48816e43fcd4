"""scripts/readonly-root: a command in it can write to the checkout and to a new /tmp, and to nothing else."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TRY = """
for file in "$@"; do (: >"$file") 2>/dev/null && echo "wrote $file"; done
id -u; echo "$HOME"; ls -A /tmp | grep -vxF "$CHECKOUT"; rm -f "$1"
exit 7
"""


def isolated(*argv: str) -> subprocess.CompletedProcess[str]:
    checkout = ROOT.parts[2] if ROOT.parts[1] == "tmp" else "none in /tmp"
    argv = (str(ROOT / "scripts/readonly-root"), *argv)
    env = {**os.environ, "CHECKOUT": checkout}
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=300)


def namespaces_are_allowed() -> bool:
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    probe = ["unshare", *user, "--mount", "--propagation", "private", "true"]
    return subprocess.run(probe, capture_output=True).returncode == 0


def test_only_the_checkout_and_a_new_tmp_can_be_written_to(tmp_path: Path):
    inside, outside = ROOT / ".remote-dev" / f"probe-{os.getpid()}", Path("/var/tmp") / f"probe-{os.getpid()}"
    before = set((ROOT / ".remote-dev").glob("tmp.*"))  # this test may itself run in one
    with tempfile.TemporaryDirectory() as machines:  # in the /tmp of the machine
        places: list[Path | str] = [
            inside,
            "/tmp/new",
            outside,
            Path(machines) / "probe",
            "/dev/shm/probe",
            "/etc/probe",
            "/run/probe",
        ]
        done = isolated("sh", "-c", TRY, "sh", *map(str, places))
        left = [place for place in places[2:] if Path(place).exists()]
    if namespaces_are_allowed():
        said = [
            f"wrote {inside}",
            "wrote /tmp/new",
            "wrote /dev/shm/probe",
            str(os.geteuid()),
            "/tmp/home",
            "home",
            "new",
        ]
        assert (done.returncode, done.stdout.splitlines(), left) == (7, said, [])
    else:
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("error: this machine allows no mount namespace\n  fix: ")
    assert set((ROOT / ".remote-dev").glob("tmp.*")) <= before


def test_without_a_command_it_says_how_to_use_it():
    done = isolated()
    assert (done.returncode, done.stderr.splitlines()) == (
        1,
        ["error: no command", "  fix: scripts/readonly-root ./scripts/inv test"],
    )


def test_scripts_keep_their_line_ends_in_a_checkout_on_windows():
    root = Path(__file__).resolve().parents[2]
    folders = (".ci", ".devcontainer", "scripts")
    files = [p for name in folders if (root / name).is_dir() for p in (root / name).iterdir() if p.is_file()]
    programs = [str(p.relative_to(root)) for p in files if p.read_bytes().startswith(b"#!")]
    argv = ["git", "check-attr", "eol", *programs]
    shown = subprocess.run(argv, cwd=root, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(shown) >= 4
    assert [line for line in shown if not line.endswith(": eol: lf")] == []
