"""Phase 2: the dev container needs no local cluster; it installs, logs in and connects through the suite."""

from __future__ import annotations

import json
import re
from typing import Any

from migration import carried_suite
from migration.edit.dockerfile import lacks_tools, with_tools
from migration.edit.jsonc import Jsonc, plain
from migration.git.objects import Entry
from migration.mapping import DevContainer
from migration.model import Reason
from migration.phases.phase4 import gone
from migration.phases.post_create import simplify_post_create, simplify_start_scripts
from migration.simulation import Draft
from migration.step import MigrationStep
from tasks.core.errors import Trouble

_IGNORED = (".remote-dev/", "config/settings.local.yaml", ".env")


def suite_stands(draft: Draft) -> None:
    """The suite stands in core: task files, settings, the starter with its lock, what the Tiltfile loads."""
    simulation = draft.simulation
    if not simulation.suite:
        return
    differ = {
        path: (mode, data)
        for path, (mode, data) in simulation.suite.items()
        if simulation.core.tree.get(path) != Entry(mode, simulation.core.blobs.plan(data, simulation.core.width))
    }
    there = [p for p in differ if p in simulation.core.tree]
    ours = _written_by_us(draft, there)
    for path, (mode, data) in differ.items():
        old = simulation.core.tree.get(path)
        if old is not None and path.startswith("config/"):
            continue  # the team's own values
        if old is not None and (path, old) not in ours and not simulation.accepted(path):
            draft.block(
                path,
                Reason.CUSTOM,
                f"core:{path}",
                f"a file of yours stands here; move it, or let it be replaced: --accept {path}",
            )
            continue
        lost = path if old is not None and (path, old) not in ours else ""
        draft.write("core", path, data, "a file of the suite", mode=mode, destroys=lost)
    _ignores(draft)


def _written_by_us(draft: Draft, paths: list[str]) -> set[tuple[str, Entry]]:
    """What earlier runs of this step wrote: it may be replaced."""
    facts = draft.simulation.core.facts
    if not paths:
        return set()
    commits = facts.git.read("log", "--format=%H", f"--grep=^Remote-First: {draft.key}$", facts.at).decode().split()
    trees = [facts.tree_of(c) for c in commits]
    return {(p, e) for tree in trees for p in paths if (e := tree.get(p)) is not None}


def _ignores(draft: Draft) -> None:
    old = draft.simulation.core.text(".gitignore") or b""
    lines = old.decode("utf-8", "surrogateescape").splitlines()
    missing = [p for p in _IGNORED if p not in lines]
    if missing:
        end = b"\r\n" if b"\r\n" in old else b"\n"
        head = old if not old or old.endswith(b"\n") else old + end
        draft.write(
            "core", ".gitignore", head + b"".join(p.encode() + end for p in missing), "files of this workstation"
        )


def container(draft: Draft) -> None:
    """devcontainer.json asks for no local cluster, and for what the tunnel needs."""
    simulation, rules = draft.simulation, draft.simulation.mapping.dev_container
    path = f"{rules.folder}/devcontainer.json"
    old = simulation.core.text(path)
    if old is None:
        for other in (p for p in simulation.core.tree.under(".devcontainer") if p.endswith("devcontainer.json")):
            fix = "name its folder there (dev_container.folder)"
            draft.block(other, Reason.CUSTOM, "config/migration.yaml", f"no {path} is here, but this one; {fix}")
        return
    text = old.decode("utf-8", "surrogateescape")
    template = carried_suite.template(".devcontainer/devcontainer.json")
    try:
        now = plain(text, path)
        edits = _edits(now, plain(template.decode(), "the suite's devcontainer.json") if template else {}, rules)
        script = simulation.mapping.post_create.path
        if script not in json.dumps(now.get("postCreateCommand", script)):
            draft.note(f"postCreateCommand does not call {script}: nothing runs inv setup when the container is made")
        if not edits:
            return
        found = Jsonc(text, path)
        for how, keys, value in edits:
            if how == "remove":
                found.remove(*keys)
            elif how == "drop":
                found.drop(keys, value)
                if "target=" in str(value):
                    draft.note(f"the shared volume `{value}` is replaced by one of this workspace")
            elif how == "append":
                found.append(keys, value)
            else:
                found.set(keys, value)
    except Trouble as why:
        draft.block(path, Reason.CUSTOM, f"core:{path}", f"{why.what}; {why.fix}")
        return
    new = found.whole().encode("utf-8", "surrogateescape")
    draft.write("core", path, new, "no local cluster; the tunnel's device and rights, volumes of this workspace")


_Edit = tuple[str, tuple[str, ...], Any]
_KINDS: dict[str, type] = {
    "features": dict, "containerEnv": dict, "portsAttributes": dict, "runArgs": list, "capAdd": list, "mounts": list, "forwardPorts": list,
}  # fmt: skip


def _edits(now: dict[str, Any], wanted: dict[str, Any], rules: DevContainer) -> list[_Edit]:
    """What is to be changed: remove a key, drop an entry of a list, append entries, set a key. Nothing when all holds."""
    found: list[_Edit] = []
    for key, kind in _KINDS.items():
        if not isinstance(now.get(key, kind()), kind):
            raise Trouble(f"`{key}` is no {'list' if kind is list else 'object'}", fix="mend devcontainer.json")
    for feature in now.get("features", {}):
        if any(re.search(p, feature) for p in rules.drop_features):
            found.append(("remove", ("features", feature), None))
    for port in rules.drop_ports:
        said = (port, str(port), f"localhost:{port}")
        found += [("drop", ("forwardPorts",), v) for v in now.get("forwardPorts", []) if v in said]
        if str(port) in now.get("portsAttributes", {}):
            found.append(("remove", ("portsAttributes", str(port)), None))
    for name in now.get("containerEnv", {}):
        if any(re.search(p, name) for p in rules.drop_env):
            found.append(("remove", ("containerEnv", name), None))
    flags = {str(v).partition("=")[0] for v in now.get("runArgs", [])}
    args = [v for v in wanted.get("runArgs", []) if v not in now.get("runArgs", [])]
    devices = {
        str(v).removeprefix("--device=") for v in now.get("runArgs", [])
    }  # a flag and its value may be two entries
    more = {
        "runArgs": [
            v
            for v in args
            if v.removeprefix("--device=") not in devices and ("device" in v or str(v).partition("=")[0] not in flags)
        ]
    }
    more |= {k: [v for v in wanted.get(k, []) if v not in now.get(k, [])] for k in ("capAdd", "forwardPorts")}
    shared, more["mounts"] = _mounts(now.get("mounts", []), wanted.get("mounts", []))
    found += [("drop", ("mounts",), mount) for mount in shared]
    found += [("append", (key,), values) for key, values in more.items() if values]
    for group in ("containerEnv", "portsAttributes"):
        for key, value in wanted.get(group, {}).items():
            if key not in now.get(group, {}):
                found.append(("set", (group, key), value))
    for key in ("remoteUser", "init", "updateContentCommand", "postCreateCommand"):
        if key in wanted and key not in now:
            found.append(("set", (key,), wanted[key]))
    return found


def _mounts(now: list[Any], wanted: list[Any]) -> tuple[list[Any], list[Any]]:
    """Shared volumes that go, and those of this workspace that come: two containers on one ~/.kube would switch each
    other's cluster."""
    targets = {_target(m): m for m in now}
    shared = [
        targets[_target(m)]
        for m in wanted
        if _target(m) in targets and "devcontainerId" not in str(targets[_target(m)])
    ]
    add = [m for m in wanted if _target(m) not in targets or targets[_target(m)] in shared]
    return shared, add


def _target(mount: object) -> str:
    if isinstance(mount, dict):
        return str(mount.get("target", ""))
    return next((p.partition("=")[2] for p in str(mount).split(",") if p.startswith(("target=", "dst="))), str(mount))


def image(draft: Draft) -> None:
    """The dev container's image has telepresence, kubelogin, iptables and sshfs, pinned and verified."""
    simulation, rules = draft.simulation, draft.simulation.mapping.dev_container
    config = simulation.core.text(f"{rules.folder}/devcontainer.json")
    if config is None:
        return
    try:
        build = plain(config.decode("utf-8", "surrogateescape"), "devcontainer.json").get("build", {})
    except Trouble:
        return  # DC-11 says it
    path = f"{rules.folder}/{build.get('dockerfile', 'Dockerfile')}"
    old = simulation.core.text(path)
    template = carried_suite.template(".devcontainer/Dockerfile")
    if old is None:
        fix = f"build the image from a Dockerfile: {rules.folder}/Dockerfile, named in devcontainer.json"
        draft.block(path, Reason.CUSTOM, f"core:{rules.folder}/devcontainer.json", fix)
        return
    if template is None or not lacks_tools(old.decode("utf-8", "surrogateescape")):
        return
    prefix = "" if str(build.get("context", ".")) in {".", "./"} else f"{rules.folder}/"
    new, copies = with_tools(old.decode("utf-8", "surrogateescape"), template.decode(), prefix)
    draft.write("core", path, new.encode("utf-8", "surrogateescape"), "pinned tools, each verified by its checksum")
    for name in copies:
        data = carried_suite.template(f".devcontainer/{name}")
        if data is not None:
            mode = "100755" if name.endswith(".sh") else "100644"
            draft.write("core", f"{rules.folder}/{name}", data, "what the Dockerfile copies", mode=mode)


STEPS = (
    MigrationStep("RF-20", 2, "the suite stands in core", suite_stands),
    MigrationStep("DC-10", 2, "postCreate.sh creates no local cluster", simplify_post_create),
    MigrationStep("DC-11", 2, "devcontainer.json asks for no local cluster, and for what the tunnel needs", container),
    MigrationStep("DC-12", 2, "postCreate.sh bootstraps no Argo CD", simplify_post_create),
    MigrationStep("DC-13", 2, "AKS credentials come from inv setup", simplify_post_create, needs=("RF-20",)),
    MigrationStep("DC-14", 2, "the tunnel is connected by inv setup", simplify_post_create, needs=("RF-20",)),
    MigrationStep("DC-15", 2, "the image has telepresence, kubelogin, iptables and sshfs, pinned and verified", image),
    MigrationStep("RF-21", 2, "what runs at every start needs no local cluster", simplify_start_scripts),
    MigrationStep("DC-16", 2, "", gone, needs=("DC-10", "RF-21")),
)
