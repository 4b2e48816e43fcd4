"""telepresence gather-logs, config view, loglevel, list-namespaces, list-contexts."""

from __future__ import annotations

import os
import re
import time
from typing import Any

from sandbox.server.call import Answer
from sandbox.standins import kubeconfig
from sandbox.standins.api_server import Unreachable, reach
from sandbox.standins.telepresence.connect import require
from sandbox.standins.telepresence.run import Failure, Run


def gather_logs(run: Run) -> Answer:
    """A zip of the daemons' logs."""
    import zipfile

    chosen = run.parsed.one("daemons", "all")
    if any(part not in ("all", "root", "user", "kubeauth", "None") for part in chosen.split(",")):
        raise Failure("Options for --daemons are: all, root, user, or None")
    stamp = time.strftime("_%y%m%dT%H%M%S") if not run.old else ""
    path = os.path.join(run.call.cwd, run.parsed.one("output-file") or f"telepresence_logs{stamp}.zip")
    try:
        with zipfile.ZipFile(path, "w") as archive:
            for name in ("cli", "connector", "daemon"):
                log = os.path.join(run.call.home, f".cache/telepresence/logs/{name}.log")
                if os.path.exists(log):
                    archive.write(log, f"{name}.log")
    except OSError as why:
        raise Failure(f"open {path}: {(why.strerror or '').lower()}") from None
    run.writes = True
    return run.text(f"Logs have been exported to {path}\n")


def config_view(run: Run) -> Answer:
    """Where the configuration is; needs a kubeconfig even for the client's part."""
    try:
        config = kubeconfig.load(run.call)
    except kubeconfig.Broken as why:
        raise Failure(str(why)) from None
    home = run.call.home
    text = f"clientConfig: {{}}\nclientFile: {home}/.config/telepresence/config.yml\n"
    data: dict[str, Any] = {"clientConfig": {}, "clientFile": f"{home}/.config/telepresence/config.yml"}
    if run.new:
        text += f"logDirectory: {home}/.cache/telepresence/logs\n"
        data["logDirectory"] = f"{home}/.cache/telepresence/logs"
    if config.empty:
        raise Failure("kubeconfig has no context definition")
    return run.object(data, text, clean=True)


def loglevel(run: Run) -> Answer:
    """Checked before anything is started."""
    level = run.parsed.arguments[0]
    if not re.fullmatch(r"(?i)error|warn|warning|info|debug|trace", level):
        raise Failure(
            f'not a valid logrus Level: "{level}"' if run.old else f'slog: level string "{level}": unknown name'
        )
    require(run)
    return run.answer("")


def list_namespaces(run: Run) -> Answer:
    """All namespaces of the cluster."""
    try:
        config = kubeconfig.load(run.call, run.parsed.one("kubeconfig"))
    except kubeconfig.Broken as why:
        raise Failure(str(why)) from None
    context = run.parsed.one("context") or config.current
    if context not in config.contexts:
        raise Failure("kubeconfig has no context definition")
    try:
        session = reach(run.world, run.call, config, context)
    except Unreachable as why:
        raise Failure(f'Namespaces.List: Get "{config.server(context)}/api/v1/namespaces": {why.text}') from None
    names = sorted(session.cluster.namespaces)
    return run.object(names, "".join(f"{n}\n" for n in names))


def list_contexts(run: Run) -> Answer:
    """All contexts of the kubeconfig."""
    config = kubeconfig.load(run.call, run.parsed.one("kubeconfig"))
    text = "".join(
        f"{'*' if name == config.current else ' '} name: {name}\n  default namespace: {config.namespace(name) or 'default'}\n"
        for name in config.contexts
    )
    return run.object(config.contexts, text)
