"""The helper as a kubeconfig starts it, with a plugin whose calls are counted and with az's files."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tasks.tools import credential_helper
from tests.made import settings

PLUGIN = """#!/bin/sh
echo "$$" >> {folder}/calls
[ -e {folder}/delay ] && sleep "$(cat {folder}/delay)"
while [ -e {folder}/hold ]; do sleep 0.05; done
[ -e {folder}/stderr ] && cat {folder}/stderr >&2
[ -e {folder}/exit ] && exit "$(cat {folder}/exit)"
[ -e {folder}/during ] && . {folder}/during
cat {folder}/answer
"""
ARGS = ("get-token", "--login", "azurecli", "--server-id", "6dae42f8-4368-4678-94ff-3960e28e3630")
CLIENT = {
    "KUBERNETES_EXEC_INFO": '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","spec":{"interactive":false}}'
}


@dataclass
class World:
    """A workstation with the helper installed."""

    folder: Path
    command: Path

    @property
    def azure(self) -> Path:
        """The folder of az's files."""
        return Path(os.environ["HOME"]) / ".azure"

    @property
    def entries(self) -> Path:
        return self.command.parent / "credentials"

    @property
    def entry(self) -> Path:
        """The file of the only kept credential."""
        return next(path for path in self.entries.iterdir() if len(path.name) == 64)

    @property
    def calls(self) -> int:
        """How often the plugin was asked."""
        file = self.folder / "calls"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def says(self, token: str, lives: float = 3600) -> None:
        """Let the plugin give this token from now on. lives: seconds."""
        expires = datetime.fromtimestamp(time.time() + lives, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        (self.folder / "answer").write_text(
            '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","spec":{"interactive":false},'
            f'"status": {{"expirationTimestamp":"{expires}", "token":"{token}"}}, "odd": "kept"}}\n'
        )

    def logged_in(self, *accounts: str) -> None:
        """Write az's files as a login of these accounts does: in place."""
        self.azure.mkdir(exist_ok=True)
        (self.azure / "azureProfile.json").write_text(json.dumps({"subscriptions": [{"user": accounts[-1]}]}))
        (self.azure / "clouds.config").write_text("[AzureCloud]\n")
        self.renews(*accounts)

    def renews(self, *accounts: str) -> None:
        """Write az's token cache as a renewed token does: in place, the same accounts."""
        cache = {
            "Account": {f"{a}-login": {"home_account_id": a} for a in accounts},
            "RefreshToken": {f"{a}-rt": {"home_account_id": a, "secret": f"rt {time.time()}"} for a in accounts},
            "AccessToken": {"one": {"secret": "s" * 40, "at": time.time()}},
        }
        (self.azure / "msal_token_cache.json").write_text(json.dumps(cache))

    def start(self, *words: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start the helper. words: the plugin and its arguments."""
        argv = [str(self.command), *(words or ("kubelogin", *ARGS))]
        return subprocess.Popen(
            argv,
            env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def ask(self, *words: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run the helper to its end."""
        process = self.start(*words, env=env)
        out, err = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def token(self, *words: str, env: Mapping[str, str] | None = None) -> str:
        """Return the token that the helper gives."""
        done = self.ask(*words, env=env)
        assert done.returncode == 0, done.stderr
        return str(json.loads(done.stdout)["status"]["token"])


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    folder = tmp_path / "programs"
    folder.mkdir()
    for name, text in (("kubelogin", PLUGIN.format(folder=folder)), ("az", "#!/bin/sh\n")):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin:/bin")
    s = settings()
    credential_helper.install(s)
    made = World(folder, credential_helper.command(s))
    made.logged_in("anna")
    made.says("first")
    return made
