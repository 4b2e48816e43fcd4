"""`kubectl config`: real kubeconfig files, edited under client-go's lock."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from sandbox.protocol.call import Answer
from sandbox.standins import kubeconfig
from sandbox.standins.kubeconfig import Kubeconfig
from sandbox.standins.kubectl.print import aligned, jsonpath
from sandbox.standins.kubectl.run import Run


def config(run: Run) -> Answer:
    """Run a subcommand. A broken file is exit code 1 with client-go's error on stderr."""
    words = run.words[1:]
    verb = words[0] if words else ""
    if verb not in _VERBS:
        return Answer(1 if verb else 0, stderr=f'error: unknown command "{verb}"\n' if verb else "")
    try:
        return _VERBS[verb](run, words[1:])
    except kubeconfig.Broken as why:
        return Answer(1, stderr=f"error: {why}\n")


def _load(run: Run) -> Kubeconfig:
    try:
        return kubeconfig.load(run.call, run.value("kubeconfig"))
    except kubeconfig.Broken as why:
        if str(why).startswith("stat "):  # `kubectl config` treats a missing file as empty
            return Kubeconfig(kubeconfig.files(run.call, run.value("kubeconfig")))
        raise


def _current(run: Run, words: list[str]) -> Answer:
    current = _load(run).current
    return Answer(0, f"{current}\n") if current else Answer(1, stderr="error: current-context is not set\n")


def _contexts(run: Run, words: list[str]) -> Answer:
    merged = _load(run)
    names = words or sorted(merged.contexts)
    unknown = next((n for n in names if n not in merged.contexts), "")
    error = f"error: context {unknown} not found\n" if unknown else ""
    if run.value("output") == "name":
        return Answer(1, stderr=error) if error else Answer(0, "".join(f"{n}\n" for n in names))
    rows = [["CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE"]]
    rows += [_context_row(merged, name) for name in names if name in merged.contexts]
    return Answer(1 if error else 0, aligned(rows), error)


def _context_row(merged: Kubeconfig, name: str) -> list[str]:
    context = merged.contexts[name]
    mark = "*" if name == merged.current else ""
    return [mark, name, *(context.get(key) or "" for key in ("cluster", "user", "namespace"))]


def _names(group: str) -> Callable[[Run, list[str]], Answer]:
    def show(run: Run, words: list[str]) -> Answer:
        merged = _load(run)
        names = sorted(merged.clusters if group == "clusters" else merged.users)
        return Answer(0, "NAME\n" + "".join(f"{n}\n" for n in names))

    return show


_REDACTED = {
    "token": "REDACTED",
    "password": "REDACTED",
    "client-key-data": "DATA+OMITTED",
    "client-certificate-data": "DATA+OMITTED",
    "certificate-authority-data": "DATA+OMITTED",
}


def _view(run: Run, words: list[str]) -> Answer:
    merged = _load(run)
    contexts, clusters, users, current = merged.contexts, merged.clusters, merged.users, merged.current
    if run.on("minify"):
        current = run.value("context") or current
        if not current:
            return Answer(1, stderr="error: current-context must exist in order to minify\n")
        if current not in contexts:
            return Answer(1, stderr=f"error: cannot locate context {current}\n")
        context = contexts[current]
        contexts = {current: context}
        clusters = _only(clusters, context.get("cluster"))
        users = _only(users, context.get("user"))
    if not run.on("raw"):
        users, clusters = _redacted(users), _redacted(clusters)
    whole: dict[str, Any] = {
        "kind": "Config",
        "apiVersion": "v1",
        "preferences": {},
        "clusters": _entries("cluster", clusters),
        "users": _entries("user", users),
        "contexts": _entries("context", contexts),
        "current-context": current,
    }
    return Answer(0, _formatted(whole, run.value("output")))


def _only(entries: dict[str, dict[str, Any]], name: Any) -> dict[str, dict[str, Any]]:
    """The entry with this name, if it exists."""
    return {key: entry for key, entry in entries.items() if key == name}


def _entries(key: str, entries: dict[str, dict[str, Any]]) -> list[dict[str, Any]] | None:
    """A list of a kubeconfig file. kubectl writes an empty one as null."""
    return [{"name": name, key: entry} for name, entry in sorted(entries.items())] or None


def _formatted(whole: dict[str, Any], output: str) -> str:
    if output == "json":
        return json.dumps(whole, indent=4, ensure_ascii=False) + "\n"
    if output.startswith("jsonpath="):
        return jsonpath(whole, output.partition("=")[2])
    import yaml

    return str(yaml.safe_dump(whole, sort_keys=True))


def _redacted(entries: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Users or clusters as `config view` shows them without --raw."""
    return {name: {k: _REDACTED.get(k, v) for k, v in entry.items()} for name, entry in entries.items()}


def _edit(run: Run, group: str, name: str, change: Callable[[dict[str, Any]], None]) -> Answer | None:
    """Edit the file that has this entry, else the first existing one, else the last of KUBECONFIG."""
    merged = _load(run)
    existing = [p for p in merged.files if kubeconfig.read(p)]
    path = merged.origin.get((group, name)) or (existing[0] if existing else merged.files[-1])
    run.writes = kubeconfig.change(path, change, disk_full=run.world.fault("disk-full"))
    return None


def _use(run: Run, words: list[str]) -> Answer:
    name = words[0] if words else ""
    merged = _load(run)
    if name not in merged.contexts:
        return Answer(1, stderr=f'error: no context exists with the name: "{name}"\n')
    first = next((p for p in merged.files if kubeconfig.read(p).get("current-context")), None)
    existing = [p for p in merged.files if kubeconfig.read(p)]
    path = first or (existing[0] if existing else merged.files[-1])
    run.writes = kubeconfig.change(
        path, lambda d: d.update({"current-context": name}), disk_full=run.world.fault("disk-full")
    )
    return Answer(0, f'Switched to context "{name}".\n', writes=run.writes)


def _set_context(run: Run, words: list[str]) -> Answer:
    merged = _load(run)
    name = merged.current if run.on("current") else words[0] if words else ""
    if not name:
        return Answer(1, stderr="error: no current context is set\n")
    known = name in merged.contexts

    def change(data: dict[str, Any]) -> None:
        value = dict((kubeconfig.entry(data, "contexts", name) or {}).get("context") or {})
        value.update({k: run.value(k) for k in ("cluster", "user", "namespace") if run.given(k)})
        kubeconfig.put(data, "contexts", name, {"cluster": "", "user": "", **value})

    _edit(run, "contexts", name, change)
    return Answer(0, f'Context "{name}" {"modified" if known else "created"}.\n', writes=run.writes)


def _delete(group: str, word: str) -> Callable[[Run, list[str]], Answer]:
    def delete(run: Run, words: list[str]) -> Answer:
        merged, name = _load(run), words[0] if words else ""
        path = merged.origin.get((group, name))
        if path is None:
            return Answer(1, stderr=f"error: cannot delete {word} {name}, not in {merged.files[0]}\n")
        run.writes = kubeconfig.change(path, lambda d: (kubeconfig.drop(d, group, name), None)[1])
        warning = ""
        if group == "contexts" and merged.current == name:
            warning = 'warning: this removed your active context, use "kubectl config use-context" to select a different one\n'
        return Answer(0, f"deleted {word} {name} from {path}\n", warning, writes=run.writes)

    return delete


def _unset(run: Run, words: list[str]) -> Answer:
    name = words[0] if words else ""

    def change(data: dict[str, Any]) -> None:
        parts = name.split(".")
        if name == "current-context":
            data["current-context"] = ""
        elif len(parts) == 2 and parts[0] in ("users", "clusters", "contexts"):
            kubeconfig.drop(data, parts[0], parts[1])
        elif len(parts) == 3 and (entry := kubeconfig.entry(data, parts[0], parts[1])):
            entry[parts[0][:-1]].pop(parts[2], None)

    _edit(run, "contexts", "", change)
    return Answer(0, f'Property "{name}" unset.\n', writes=run.writes)


def _rename(run: Run, words: list[str]) -> Answer:
    merged = _load(run)
    old, new = [*words, "", ""][:2]
    if old not in merged.contexts:
        return Answer(1, stderr=f'error: cannot rename the context "{old}", it\'s not in {merged.files[0]}\n')

    def change(data: dict[str, Any]) -> None:
        entry = kubeconfig.entry(data, "contexts", old)
        if entry:
            entry["name"] = new
        if data.get("current-context") == old:
            data["current-context"] = new

    _edit(run, "contexts", old, change)
    return Answer(0, f'Context "{old}" renamed to "{new}".\n', writes=run.writes)


_VERBS: dict[str, Callable[[Run, list[str]], Answer]] = {
    "current-context": _current,
    "get-contexts": _contexts,
    "get-clusters": _names("clusters"),
    "get-users": _names("users"),
    "view": _view,
    "use-context": _use,
    "set-context": _set_context,
    "delete-context": _delete("contexts", "context"),
    "delete-cluster": _delete("clusters", "cluster"),
    "delete-user": _delete("users", "user"),
    "unset": _unset,
    "rename-context": _rename,
}
