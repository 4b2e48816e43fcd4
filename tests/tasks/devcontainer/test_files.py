"""The files of the dev container: linters, pins, and checksums of everything that is installed."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.checks.devcontainer import files
from tasks.core.config.settings import settings
from tasks.core.repository import repository_root

FOLDER = repository_root() / ".devcontainer"
BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "words", [["hadolint", "Dockerfile"], ["shellcheck", "postCreate.sh", "install-tools.sh", "shell.sh"]]
)
def test_linters_report_nothing(words):
    done = subprocess.run([BIN / words[0], *words[1:]], cwd=FOLDER, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_dockerfile_and_settings_have_the_same_versions_and_checksums():
    present = files.arguments(FOLDER / "Dockerfile")
    wanted = files.wanted(settings())
    assert {key: present.get(key) for key in wanted} == wanted
    assert set(present) == set(wanted) | {"AZ_KEY"}
    assert set(wanted) >= {
        f"{tool}_VERSION" for tool in ("TELEPRESENCE", "KUBELOGIN", "KUBECTL", "HELM", "TILT", "AZ", "PNPM")
    }


def test_every_pin_is_exact_and_every_checksum_has_the_right_length():
    for name, pin in settings().tools.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", pin.container), name
        assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for digest in pin.sha256.values()), name


def test_the_image_and_the_features_are_pinned_by_digest():
    assert re.search(r"^FROM \S+@sha256:[0-9a-f]{64}$", (FOLDER / "Dockerfile").read_text(), re.MULTILINE)
    locked = json.loads((FOLDER / "devcontainer-lock.json").read_text())["features"]
    assert set(locked) == set(files.read(FOLDER / "devcontainer.json")["features"])
    for name, feature in locked.items():
        assert feature["resolved"] == f"{name.rpartition(':')[0]}@{feature['integrity']}"


def test_post_create_is_short():
    assert len((FOLDER / "postCreate.sh").read_text().splitlines()) <= 60


# --- install-tools.sh, with a `curl` that serves files and an `apt-get` and `gpg` that do nothing
ASSETS = (
    "kubectl",
    "kubelogin-linux-amd64.zip",
    "telepresence-linux-amd64",
    "helm-v1-linux-amd64.tar.gz",
    "tilt.1.linux.x86_64.tar.gz",
    "pnpm-1.tgz",
)
CURL = """#!{python}
import sys, pathlib
args = sys.argv[1:]
out, url = args[args.index("--output") + 1], args[-1] if args[-1].startswith("http") else next(a for a in args if a.startswith("http"))
assert "--proto" in args and url.startswith("https://")
path = pathlib.Path({served!r}) / url.rsplit("/", 1)[-1]
if not path.exists():
    sys.exit(22)
pathlib.Path(out).write_bytes(path.read_bytes())
"""

# The one filter of install-tools.sh, for machines without jq; the dev container has it.
JQ = """#!{python}
import json, sys
name, path = sys.argv[4], sys.argv[6]
for asset in json.load(open(path))["assets"]:
    if asset["name"] == name:
        print((asset["digest"] or "").removeprefix("sha256:"))
"""


@pytest.fixture
def vendors(tmp_path):
    """Return the folder that the vendors serve, and the environment for the script."""
    served, binaries = tmp_path / "served", tmp_path / "bin"
    for folder in (served, binaries):
        folder.mkdir()
    pack = tmp_path / "pack"
    for path in ("bin/linux_amd64/kubelogin", "linux-amd64/helm", "tilt", "package/bin/pnpm.cjs"):
        (pack / path).parent.mkdir(parents=True, exist_ok=True)
        (pack / path).write_text(f"#!/bin/sh\necho {Path(path).name}\n")
    shutil.make_archive(str(served / "kubelogin-linux-amd64"), "zip", pack, "bin")
    for name, inside in (
        ("helm-v1-linux-amd64.tar.gz", "linux-amd64/helm"),
        ("tilt.1.linux.x86_64.tar.gz", "tilt"),
        ("pnpm-1.tgz", "package"),
    ):
        subprocess.run(["tar", "-czf", served / name, "-C", pack, inside], check=True)
    for name in ("kubectl", "telepresence-linux-amd64"):
        (served / name).write_text("#!/bin/sh\n")
    (served / "microsoft.asc").write_text("the key\n")
    scripts = {
        "curl": CURL.format(python=sys.executable, served=str(served)),
        "dpkg": "#!/bin/sh\necho amd64\n",
        "apt-get": f'#!/bin/sh\necho "$@" >>{tmp_path}/apt\n',
        "gpg": "#!/bin/sh\necho fpr:::::::::KEY:\n",
        "unzip": f'#!/bin/sh\nexec {sys.executable} -m zipfile -e "$3" "$5"\n',
    }
    if shutil.which("jq") is None:
        scripts["jq"] = JQ.format(python=sys.executable)
    for name, text in scripts.items():
        (binaries / name).write_text(text)
        (binaries / name).chmod(0o755)
    sums = {tool: hashlib.sha256((served / asset).read_bytes()).hexdigest() for tool, asset in zip(
        ("KUBECTL", "KUBELOGIN", "TELEPRESENCE", "HELM", "TILT", "PNPM"), ASSETS, strict=True)}  # fmt: skip
    env = {"PATH": f"{binaries}:{os.environ['PATH']}", "AZ_KEY": "KEY", "AZ_VERSION": "1", "AZ_KEYRING": str(tmp_path / "keys/ms.asc"),
           "AZ_LIST": str(tmp_path / "az.list")}  # fmt: skip
    for tool, digest in sums.items():
        env |= {f"{tool}_VERSION": "1", f"{tool}_SHA256_AMD64": digest}
    return served, env, tmp_path


def install(env: dict[str, str], to: Path) -> subprocess.CompletedProcess[str]:
    (to / "bin").mkdir(parents=True, exist_ok=True)
    return subprocess.run(["bash", FOLDER / "install-tools.sh", to / "bin"], env=env, capture_output=True, text=True)


def test_every_tool_with_a_correct_checksum_is_installed(vendors):
    _, env, where = vendors
    done = install(env, where / "usr")
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (where / "usr/bin").iterdir()) == [
        "helm",
        "kubectl",
        "kubelogin",
        "pnpm",
        "telepresence",
        "tilt",
    ]
    assert "azure-cli=1-1~" in (where / "apt").read_text()
    assert "signed-by=" in (where / "az.list").read_text()


@pytest.mark.parametrize("asset", ASSETS)
def test_a_wrong_checksum_fails_the_build(vendors, asset):
    served, env, where = vendors
    (served / asset).write_bytes((served / asset).read_bytes() + b"x")
    done = install(env, where / "usr")
    assert done.returncode == 1
    assert "does not match its checksum" in done.stderr
    assert "fix: " in done.stderr


def test_without_a_pinned_checksum_the_published_one_is_required(vendors):
    served, env, where = vendors
    digest = env.pop("TELEPRESENCE_SHA256_AMD64")
    assert install(env, where / "usr").returncode != 0
    (served / "v1").write_text(
        json.dumps({"assets": [{"name": "telepresence-linux-amd64", "digest": f"sha256:{digest}"}]})
    )
    assert install(env, where / "usr").returncode == 0
    (served / "v1").write_text(json.dumps({"assets": [{"name": "telepresence-linux-amd64", "digest": None}]}))
    done = install(env, where / "usr")
    assert done.returncode == 1
    assert "no checksum for telepresence on amd64" in done.stderr


def test_another_signing_key_fails_the_build(vendors):
    _, env, where = vendors
    done = install({**env, "AZ_KEY": "OTHER"}, where / "usr")
    assert done.returncode == 1
    assert "another key" in done.stderr
    assert "install" not in ((where / "apt").read_text() if (where / "apt").exists() else "")
