"""A real API server for a real kubectl, and a session's kubeconfig for it. Entra is not asked: the helper has its token."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks._world import ROOT

TOKEN = "benchmark-token"
CONTEXT = "benchmark"
_STARTS_WITHIN = 90.0  # seconds
_FREEZE = (
    "from tasks.core.config.settings import settings; from tasks.tools import kubeconfig;"
    "change = kubeconfig.freeze(settings()); change and change.run()"
)
_PLUGIN = (
    '#!/bin/sh\nend=$(date -u -d "+1 hour" +%Y-%m-%dT%H:%M:%SZ)\n'
    'printf \'{{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1","spec":{{"interactive":false}},'
    '"status":{{"expirationTimestamp":"%s","token":"{token}"}}}}\\n\' "$end"\n'
)


@contextmanager
def cluster(programs: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """Start etcd and kube-apiserver of this folder. Yields the session's kubeconfig and the environment of kubectl."""
    with tempfile.TemporaryDirectory(prefix="remote-first-bench-") as place, ExitStack() as running:
        folder = Path(place)
        server = _api_server(programs, folder, running)
        env = _workstation(programs, folder, server)
        subprocess.run([sys.executable, "-c", _FREEZE], env=env, cwd=ROOT, stdin=subprocess.DEVNULL, check=True)
        (file,) = folder.glob("state/sessions/*/kubeconfig")
        yield file, env


def _api_server(programs: Path, folder: Path, running: ExitStack) -> str:
    """Return the URL of the API server."""
    client, peer, port = _free_ports(3)
    store = f"http://127.0.0.1:{client}"
    key, tokens = folder / "sa.key", folder / "tokens.csv"
    subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], capture_output=True, check=True)
    tokens.write_text(f'{TOKEN},ada,ada,"system:masters"\n')
    running.enter_context(
        _started(
            folder / "etcd.log",
            str(programs / "etcd"), "--data-dir", str(folder / "etcd"), "--listen-client-urls", store,
            "--advertise-client-urls", store, "--listen-peer-urls", f"http://127.0.0.1:{peer}",
        )
    )  # fmt: skip
    running.enter_context(
        _started(
            folder / "api.log",
            str(programs / "kube-apiserver"), "--etcd-servers", store, "--bind-address", "127.0.0.1",
            "--secure-port", str(port), "--cert-dir", str(folder / "certificates"), "--token-auth-file", str(tokens),
            "--service-account-issuer", "https://benchmark", "--service-account-key-file", str(key),
            "--service-account-signing-key-file", str(key), "--authorization-mode", "RBAC",
            "--service-cluster-ip-range", "10.0.0.0/24",
        )
    )  # fmt: skip
    _wait(f"https://127.0.0.1:{port}/readyz", folder / "api.log")
    return f"https://127.0.0.1:{port}"


@contextmanager
def _started(log: Path, *argv: str) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def _wait(url: str, log: Path) -> None:
    """Wait until the server is ready. Raises RuntimeError with the end of its log when it is not in time."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})
    deadline = time.monotonic() + _STARTS_WITHIN
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(request, timeout=5, context=context):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"the API server did not start:\n{log.read_text()[-2000:]}")


def _free_ports(count: int) -> Sequence[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [s.getsockname()[1] for s in sockets]


def _workstation(programs: Path, folder: Path, server: str) -> dict[str, str]:
    """Write the files of a workstation that is logged in, and return its environment."""
    bin_, home = folder / "bin", folder / "home"
    (home / ".azure").mkdir(parents=True)
    bin_.mkdir()
    (home / ".azure" / "azureProfile.json").write_text(json.dumps({"subscriptions": [{"name": "benchmark"}]}))
    for name, text in (("kubelogin", _PLUGIN.format(token=TOKEN)), ("az", "#!/bin/sh\n")):
        (bin_ / name).write_text(text)
        (bin_ / name).chmod(0o755)
    exec_ = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "kubelogin",
        "args": ["get-token", "--login", "azurecli", "--server-id", "6dae42f8-4368-4678-94ff-3960e28e3630"],
        "interactiveMode": "IfAvailable",
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": {"server": server, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "ada", "user": {"exec": exec_}}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": "ada"}}],
    }
    (folder / "config").write_text(json.dumps(config))
    return {
        "HOME": str(home),
        "PATH": os.pathsep.join((str(bin_), str(programs), os.environ["PATH"])),
        "KUBECONFIG": str(folder / "config"),
        "REMOTE_DEV_STATE": str(folder / "state"),
        "REMOTE_DEV_CLUSTER__CONTEXT": CONTEXT,
    }
