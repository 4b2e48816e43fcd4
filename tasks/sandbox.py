"""Sandbox: the cluster, Azure and the tools simulated on this machine, to try and test the suite."""

from __future__ import annotations

from invoke.context import Context
from invoke.tasks import task

from tasks.core.cli.flags import JSON, prints_on_failure

# `eval` fails, and every task refuses to run in that shell: it would work with the real cluster.
STOP = "export REMOTE_DEV_STATE='/dev/null/inv sandbox.env failed'; false\n"
ID = "which sandbox (default: this shell's, or the only one)"
START = {
    "telepresence": "simulated version: 2.19.1, 2.25.1 or 2.31.0 (default)",
    "latency": "none (default), aks: as slow as a distant cluster, or real: as measured on a nearby one",
    "repo": "repository whose config/ names the services (default: this one)",
    "logged_out": "nobody is logged in to az",
}


@task(help={**START, "json": JSON}, auto_shortflags=False)
def up(
    c: Context,
    telepresence: str = "",
    latency: str = "none",
    repo: str = "",
    logged_out: bool = False,
    json: bool = False,
) -> None:
    """Start a sandbox; several can run at once."""
    from sandbox import control
    from tasks.core import ui

    box = control.up(telepresence or control.VERSIONS[-1], latency, repo or None, logged_in=not logged_out)
    if json:
        ui.as_json({"id": box.id, "env": box.env, "ingress": box.ingress, "log": str(box.log)})
        return
    ui.say(f"sandbox {box.id} runs, its ingress is {box.ingress}")
    ui.say(f'enter it:  eval "$(inv sandbox.env --id {box.id})"')
    ui.say(f"end it:    inv sandbox.down --id {box.id}")


@task(
    help={**START, "sample": "in a sample repository in which every line of the documentation runs"},
    auto_shortflags=False,
)
def shell(
    c: Context,
    sample: bool = False,
    telepresence: str = "",
    latency: str = "none",
    repo: str = "",
    logged_out: bool = False,
) -> None:
    """Open a shell in a new sandbox, which ends with it."""
    from sandbox import shell

    shell.enter(sample, telepresence, latency, repo, logged_in=not logged_out)


@task(help={"id": ID, **START, "json": JSON}, auto_shortflags=False)
@prints_on_failure(STOP)
def env(
    c: Context,
    id: str = "",
    telepresence: str = "",
    latency: str = "",
    repo: str = "",
    logged_out: bool = False,
    json: bool = False,
) -> None:
    """Print a sandbox's environment as shell exports; start one if none runs or its properties are given."""
    import shlex

    from sandbox import control
    from tasks.core import ui

    if not id and (telepresence or latency or repo or logged_out or not control.running()):
        box = control.up(
            telepresence or control.VERSIONS[-1], latency or "none", repo or None, logged_in=not logged_out
        )
    else:
        box = control.find(id)
    if json:
        ui.as_json({"id": box.id, "env": box.env, "ingress": box.ingress, "log": str(box.log)})
        return
    for name, value in box.env.items():
        ui.data(f"export {name}={shlex.quote(value)}")


@task(help={"id": ID, "all": "every sandbox of this user"}, auto_shortflags=False)
def down(c: Context, id: str = "", all: bool = False) -> None:
    """End a sandbox with its processes, ports and files."""
    from sandbox import control
    from tasks.core import ui

    boxes = control.known() if all else [control.find(id)] if id or control.running() else []
    for box in boxes:
        control.down(box)
        ui.say(f"sandbox {box.id} has ended")
    if not boxes:
        ui.say("no sandbox is running")


@task(help={"name": "a fault that `inv sandbox.faults` lists", "off": "remove it", "id": ID}, auto_shortflags=False)
def fault(c: Context, name: str, off: bool = False, id: str = "") -> None:
    """Apply a fault to a sandbox."""
    from sandbox import control
    from tasks.core import ui

    control.fault(control.find(id), name, on=not off)
    ui.say(f"{name} is {'removed' if off else 'applied'}")


@task(help={"id": ID, "json": JSON}, auto_shortflags=False)
def faults(c: Context, id: str = "", json: bool = False) -> None:
    """List the faults, and which are applied."""
    from sandbox import control
    from sandbox.faults.catalogue import FAULTS
    from tasks.core import ui

    known = {name: {"help": text, "on": False} for name, text in FAULTS.items()}
    if id or control.running():
        known = control.ask(control.find(id), "faults")
    if json:
        ui.as_json({"faults": known})
        return
    ui.table([("on" if f["on"] else "", name, f["help"]) for name, f in known.items()])


@task(
    positional=["dir"],
    iterable=["with_"],
    help={
        "dir": "an empty folder, or one that does not exist yet",
        "size": "S, M, L or a number of files",
        "with_": "a fault, repeatable; see --list-faults",
        "remotes": "create bare remotes beside them (default)",
        "list_faults": "only list the faults",
        "json": JSON,
    },
    auto_shortflags=False,
)
def legacy(
    c: Context,
    dir: str = "",
    size: str = "S",
    with_: list[str] | None = None,
    remotes: bool = True,
    list_faults: bool = False,
    json: bool = False,
) -> None:
    """Create two git repositories as they were before the migration, to try it on."""
    from sandbox.legacy import cli as making

    if list_faults:
        making.show_faults()
    else:
        making.run_legacy(dir, size, with_ or (), remotes=remotes, json=json)
