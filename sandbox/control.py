"""Start, find, query and stop sandboxes. Used by the tasks, the demo, the benchmarks and the tests.

box = control.up()
subprocess.run(["telepresence", "version"], env=box.env)
control.down(box)
"""

from __future__ import annotations

import json
import marshal
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.box import CONFIG_FOLDERS, SERVER, Box, find, known, load, running
from sandbox.box_folder import install_programs, new_folder, search_path
from sandbox.protocol.call import BOX_VARIABLE, DEVELOPER, USER_VARIABLE
from sandbox.world.latency import PROFILES
from tasks.core.errors import Refused, Trouble
from tasks.core.process.processes import started
from tasks.core.repository import config_folder

__all__ = [
    "VERSIONS",
    "Box",
    "as_user",
    "ask",
    "down",
    "fault",
    "find",
    "give_kubeconfig",
    "known",
    "revoke",
    "running",
    "up",
]

VERSIONS = ("2.19.1", "2.25.1", "2.31.0")
_ROOT = Path(__file__).resolve().parents[1]


def up(
    telepresence: str = VERSIONS[-1],
    latency: str = "none",
    repo: str | Path | None = None,
    logged_in: bool = True,
    environ: Mapping[str, str] | None = None,
    ends_with: int = 0,
) -> Box:
    """Start a sandbox with the services of a repository; without `repo`, of the one that contains this file.

    ends_with: pid of a process; when it ends, the sandbox ends too, with every process that was started in it
    """
    if telepresence not in VERSIONS:
        raise Trouble(
            f"there is no stand-in for telepresence {telepresence}", fix=f"--telepresence {'|'.join(VERSIONS)}"
        )
    if latency not in PROFILES:
        raise Trouble(f"'{latency}' is not a latency profile", fix=f"--latency {'|'.join(PROFILES)}")
    root = Path(repo).resolve() if repo else _ROOT
    config = root / config_folder(root)
    if repo and not config.is_dir():
        raise Trouble(f"{repo} has no config/ folder", fix="--repo DIR of a repository with config/services.yaml")
    environ = os.environ if environ is None else environ
    box = new_folder()
    for sub in ("bin", "home", "people", "state"):
        (box / sub).mkdir(mode=0o700)
    install_programs(box)
    options = {
        "config": str(config),
        "telepresence": telepresence,
        "latency": latency,
        "logged_in": logged_in,
        "path": search_path(box, environ.get("PATH") or os.defpath),
        "ends_with": [ends_with, started(ends_with)] if ends_with else [],
        "python_path": os.pathsep.join(filter(None, (str(_ROOT / "sandbox" / "resolver"), environ.get("PYTHONPATH")))),
        "foreign": [name for name in CONFIG_FOLDERS if environ.get(name)],
    }
    (box / "options.json").write_text(json.dumps(options), encoding="utf-8")
    _wait_until_ready(box, _start_server(box, environ))
    return load(box)


def _start_server(box: Path, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    with open(box / "server.log", "wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", SERVER, str(box)],
            cwd=_ROOT,
            env={k: v for k, v in environ.items() if not k.startswith("PYTHON")},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _wait_until_ready(box: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait for the server. Raises Trouble with the end of its log if it does not start."""
    deadline = time.monotonic() + 20
    while not (box / "ready.json").exists():
        if process.poll() is not None or time.monotonic() > deadline:
            log_text = (box / "server.log").read_text(encoding="utf-8", errors="replace")
            process.kill()
            process.wait()
            shutil.rmtree(box, ignore_errors=True)
            name = box.name.rsplit("-", 1)[1]
            raise Trouble(f"the sandbox {name} did not start: {log_text.strip()[-2000:]}", fix="inv sandbox.up")
        time.sleep(0.005)


def as_user(box: Box, user: str) -> dict[str, str]:
    """The environment of another user's workstation in the same sandbox: separate HOME, logins and daemons."""
    home = box.path / "people" / user
    for folder in (home, home / "state"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    changed = {"HOME": str(home), "KUBECONFIG": str(home / ".kube/config"), "REMOTE_DEV_STATE": str(home / "state")}
    own = {k: v.replace(str(box.path / "home"), str(home)) for k, v in box.env.items()}
    return {**own, **changed, USER_VARIABLE: user}


def give_kubeconfig(box: Box, env: Mapping[str, str] | None = None, exec_plugin: bool = False) -> Path:
    """Write the dev cluster's kubeconfig for this environment's user, with a token or with kubelogin as credential plug-in."""
    from sandbox.standins import kubeconfig

    env = box.env if env is None else env
    credentials = ask(box, "credentials", user=env.get(USER_VARIABLE) or DEVELOPER, home=env["HOME"])
    context, name = credentials["context"], f"clusterUser_{credentials['context']}"
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "args": ["get-token", "--login", "azurecli", "--server-id", "6dae42f8-4368-4678-94ff-3960e28e3630"],
        "command": "kubelogin",
        "env": None,
        "provideClusterInfo": False,
    }
    path = Path(env["KUBECONFIG"])
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    kubeconfig.write(
        str(path),
        {
            "clusters": [{"name": context, "cluster": {"server": credentials["server"]}}],
            "users": [{"name": name, "user": {"exec": plugin} if exec_plugin else {"token": credentials["token"]}}],
            "contexts": [
                {"name": context, "context": {"cluster": context, "user": name, "namespace": credentials["namespace"]}}
            ],
            "current-context": context,
        },
    )
    return path


def fault(box: Box, name: str, on: bool = True) -> None:
    """Switch a fault on or off. Raises Trouble for an unknown name."""
    ask(box, "fault", name=name, on=on)


def revoke(box: Box, token: str) -> None:
    """Let the API server answer 401 to this token. Raises Trouble for a token that the sandbox has not issued."""
    ask(box, "revoke", token=token)


def ask(box: Box, verb: str, **arguments: Any) -> Any:
    """Send one request to the state server. VERBS in server/apply_fault.py lists the verbs."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(30)
        try:
            line.connect(str(box.path / "s"))
            data = marshal.dumps(("control", verb, json.dumps(arguments)))
            line.sendall(len(data).to_bytes(4, "big") + data)
            reply = b""
            while more := line.recv(1 << 16):
                reply += more
        except OSError as why:
            raise Trouble(f"the sandbox {box.id} does not answer: {why}", fix="inv sandbox.up") from None
    answer = json.loads(marshal.loads(reply[4:])[1])
    if "error" in answer:
        raise Trouble(str(answer["error"]), fix="inv sandbox.faults lists the names" if verb == "fault" else "")
    return answer["ok"]


def down(box: Box) -> None:
    """Stop the sandbox and remove its processes, ports and files. Does nothing if it has already stopped.

    Raises Refused in the shell that the sandbox ends with.
    """
    from sandbox.server.apply_fault import release

    if box.of_shell and os.environ.get(BOX_VARIABLE) == str(box.path):
        raise Refused("this sandbox ends with its shell", fix="exit")
    try:
        ask(box, "stop")
    except Trouble:
        pass  # the server was killed or has exited; its files are removed below
    deadline = time.monotonic() + 5
    while not _ended(box.pid) and box.lives():
        if time.monotonic() > deadline:
            os.kill(box.pid, signal.SIGKILL)
        time.sleep(0.01)
    _ended(box.pid)  # reap it: it may have become a zombie since the last check
    release(box.path)
    shutil.rmtree(box.path, ignore_errors=True)


def _ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False  # not our child; the caller checks /proc
