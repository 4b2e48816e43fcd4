"""Kubeconfig files as client-go treats them: merged from KUBECONFIG, written under a `.lock` file."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.protocol.call import Call
from tasks.core.yaml.bounded import loader


class Broken(Exception):
    """A kubeconfig that cannot be read or written; the text is client-go's."""


@dataclass
class Kubeconfig:
    """The merged configuration. Names map to the content of `cluster:`, `context:` or `user:`."""

    files: list[str]  # all files in KUBECONFIG or --kubeconfig, whether they exist or not
    clusters: dict[str, dict[str, Any]] = field(default_factory=dict)
    contexts: dict[str, dict[str, Any]] = field(default_factory=dict)
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    current: str = ""
    origin: dict[tuple[str, str], str] = field(default_factory=dict)  # (contexts|clusters|users, name) -> file

    @property
    def empty(self) -> bool:
        """Whether it has no contexts."""
        return not self.contexts

    def server(self, context: str) -> str:
        """The API server's URL of this context; "" if the cluster is missing."""
        cluster = self.clusters.get(self.contexts.get(context, {}).get("cluster") or "", {})
        return str(cluster.get("server") or "")

    def user(self, context: str) -> dict[str, Any]:
        """The user entry of this context; empty if it is missing."""
        return self.users.get(self.contexts.get(context, {}).get("user") or "", {})

    def namespace(self, context: str) -> str:
        """The namespace of this context; "" if it is not set."""
        return str(self.contexts.get(context, {}).get("namespace") or "")


def files(call: Call, flag: str = "") -> list[str]:
    """The kubeconfig files of this call, in client-go's order."""
    if flag:
        return [os.path.join(call.cwd, flag)]
    named = [p for p in call.env.get("KUBECONFIG", "").split(os.pathsep) if p]
    return [os.path.join(call.cwd, p) for p in named] or [os.path.join(call.home, ".kube/config")]


def load(call: Call, flag: str = "") -> Kubeconfig:
    """Merge the files; the first definition of a name wins. Skips missing files, but raises Broken for one given by flag."""
    merged = Kubeconfig(files(call, flag))
    for path in merged.files:
        if not os.path.exists(path):
            if flag:
                raise Broken(f"stat {flag}: no such file or directory")
            continue
        data = read(path)
        for group, section, into in (
            ("clusters", "cluster", merged.clusters),
            ("contexts", "context", merged.contexts),
            ("users", "user", merged.users),
        ):
            for entry in data.get(group) or []:
                if isinstance(entry, dict) and entry.get("name") not in into:
                    into[entry["name"]] = entry.get(section) or {}
                    merged.origin[(group, entry["name"])] = path
        merged.current = merged.current or data.get("current-context") or ""
    return merged


def read(path: str) -> dict[str, Any]:
    """The content of one file; an empty configuration for an empty or missing file."""
    import yaml

    try:
        text = Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as why:
        raise Broken(f'error loading config file "{path}": {why}') from None
    try:
        data = yaml.load(text, Loader=loader())
    except yaml.YAMLError as why:
        mark = getattr(why, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        raise Broken(f'error loading config file "{path}": yaml: {line}{getattr(why, "problem", "") or why}') from None
    if data is not None and not isinstance(data, dict):
        raise Broken(f'error loading config file "{path}": couldn\'t get version/kind; json parse error')
    return data or {}


def change(path: str, edit: Callable[[dict[str, Any]], None], disk_full: bool = False) -> bool:
    """Edit one file under its lock, as client-go does. Returns whether its content changed. Raises Broken."""
    lock = f"{path}.lock"
    try:
        os.makedirs(os.path.dirname(path), mode=0o750, exist_ok=True)
        os.close(os.open(lock, os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise Broken(f"open {lock}: file exists") from None
    except OSError as why:
        raise Broken(f"open {lock}: {(why.strerror or '').lower()}") from None
    try:
        before = read(path)
        data = read(path)
        edit(data)
        if data == before and os.path.exists(path):
            return False
        if disk_full:
            raise Broken(f"write {path}: no space left on device")
        write(path, data)
        return True
    except OSError as why:
        raise Broken(f"open {path}: {(why.strerror or '').lower()}") from None
    finally:
        os.unlink(lock)


def write(path: str, data: dict[str, Any]) -> None:
    """Write the file as client-go does: sorted keys, mode 0600 for a new file, symlinks kept."""
    import yaml

    whole = {
        "apiVersion": "v1",
        "clusters": None,
        "contexts": None,
        "current-context": "",
        "kind": "Config",
        "preferences": {},
        "users": None,
        **data,
    }
    whole = {k: (None if k in ("clusters", "contexts", "users") and not v else v) for k, v in whole.items()}
    text = yaml.dump(
        whole, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=True, default_flow_style=False
    )
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)


def entry(data: dict[str, Any], group: str, name: str) -> dict[str, Any] | None:
    """The named entry of a group in a file."""
    return next((e for e in data.get(group) or [] if e.get("name") == name), None)


def put(data: dict[str, Any], group: str, name: str, value: dict[str, Any]) -> None:
    """Set the named entry of a group (`clusters`, `contexts`, `users`)."""
    existing = entry(data, group, name)
    if existing is None:
        data[group] = sorted(
            [*(data.get(group) or []), {"name": name, group[:-1]: value}], key=lambda e: str(e["name"])
        )
    else:
        existing[group[:-1]] = value


def drop(data: dict[str, Any], group: str, name: str) -> bool:
    """Remove the named entry of a group. Returns False if it does not exist."""
    before = data.get(group) or []
    data[group] = [e for e in before if e.get("name") != name]
    return len(data[group]) != len(before)
