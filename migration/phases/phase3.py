"""Phase 3: edit the Tiltfile for the shared cluster; the rest of it keeps every byte."""

from __future__ import annotations

import re
from collections.abc import Callable

from migration.edit.tiltfile.local import LocalCluster
from migration.mapping import Mapping, any_glob
from migration.model import Reason
from migration.simulation import Draft, Simulation
from migration.step import MigrationStep
from tasks.core.errors import Trouble

_HOST = "REMOTE_FIRST['registry']['host']"
_CONTEXT = "REMOTE_FIRST['cluster']['context']"
_RELEASE = re.compile(r"\b(?:helm_app|helm_resource)\(\s*(?:#[^\n]*\n\s*)*(?:name\s*=\s*)?([^,)]*)")
_RESOURCE = re.compile(r"\b\w+_resource\(\s*(?:name\s*=\s*)?['\"]([^'\"]+)['\"]")
_HEAD = (
    "# The shared cluster: the settings in config/settings.yaml, and the guard that refuses any other cluster.",
    "load('./tilt/catalogue.star', 'services_of')",
    "load('./tilt/guard.star', 'guard')",
    "load('./tilt/held.star', 'hold_releases')",
    "load('./tilt/intercepts.star', 'add_intercepts')",
    "load('./tilt/settings.star', 'read_settings')",
    "REMOTE_FIRST = read_settings(config.main_dir)",
    "hold_releases(REMOTE_FIRST)  # inv tilt.down removes them, and nobody deploys over another's",
)
_FOOT = (
    "# Intercepts of the shared cluster's services as resources: inv tilt.up --intercept NAME, or the button in Tilt's page.",
    "add_intercepts(REMOTE_FIRST, services_of(config.main_dir), config.parse(), selects={selects})",
)


def _edited(edit: Callable[[Simulation, str], str], change: str) -> Callable[[Draft], None]:
    """A step that rewrites the Tiltfile by `edit`; a Tiltfile that cannot be edited blocks with line and reason."""

    def plan(draft: Draft) -> None:
        simulation = draft.simulation
        path = simulation.mapping.tiltfile.path
        data = simulation.core.text(path)
        if data is None:
            return
        text = data.decode("utf-8", "surrogateescape")
        byte_order_mark = "\ufeff" if text.startswith("\ufeff") else ""
        new = _try_edit(draft, edit, text.removeprefix("\ufeff"))
        if new is None:
            return
        draft.write("core", path, (byte_order_mark + new).encode("utf-8", "surrogateescape"), change)
        removed = set(_RESOURCE.findall(text)) - set(_RESOURCE.findall(new))
        if removed:
            draft.note(f"removed resources: {', '.join(sorted(removed))}")

    return plan


def _try_edit(draft: Draft, edit: Callable[[Simulation, str], str], text: str) -> str | None:
    from migration.edit.tiltfile.syntax import UneditableTiltfile

    path = draft.simulation.mapping.tiltfile.path
    try:
        return edit(draft.simulation, text)
    except UneditableTiltfile as error:
        in_tiltfile = error.name in {"Tiltfile", path}
        where = f"{path}:{_committed_line(draft, text, error.line)}" if in_tiltfile else f"{error.name}:{error.line}"
        draft.block(path, Reason.CUSTOM, where, f"{error.reason}; {error.fix}")
    except Trouble as error:
        draft.block(path, Reason.CUSTOM, path, f"{error.what}; {error.fix}")
    return None


def _committed_line(draft: Draft, text: str, line: int) -> int:
    """The line of the committed Tiltfile that is this line of the text, which earlier steps may have moved."""
    core, rows = draft.simulation.core, text.splitlines()
    entry = core.facts.tree.get(draft.simulation.mapping.tiltfile.path)
    committed = core.blobs.get(entry.oid).decode("utf-8", "surrogateescape").splitlines() if entry else []
    if not 0 < line <= len(rows):
        return line
    same = [number for number, row in enumerate(committed, 1) if row == rows[line - 1]]
    before = rows[: line - 1].count(rows[line - 1])
    return same[before] if before < len(same) else line


def load_helpers(simulation: Simulation, text: str) -> str:
    """Load the helpers of tilt/ and read the settings."""
    from migration.edit.tiltfile import insert, syntax

    if re.search(r"^load\(['\"]\./tilt/settings\.star", text, re.MULTILINE):
        return text
    syntax.parse(text)
    return insert.insert_after_loads(text, _HEAD)


def guard_context(simulation: Simulation, text: str) -> str:
    """Allow only the cluster of the settings, and keep the remote mode alone."""
    from migration.edit.tiltfile import insert, switch

    tiltfile = simulation.mapping.tiltfile
    if tiltfile.remote_switch and re.search(rf"\b{tiltfile.remote_switch}\b", text):
        text = switch.resolve_switch(text, tiltfile.remote_switch)
    for name in tiltfile.context_variables:
        if re.search(rf"^{name}\s*=(?!.*REMOTE_FIRST)", text, re.MULTILINE):
            text = insert.set_variable(text, name, _CONTEXT)
    return text if re.search(r"^guard\(", text, re.MULTILINE) else _with_guard(text)


def _with_guard(text: str) -> str:
    from migration.edit.tiltfile import remove

    if "allow_k8s_contexts" in text:
        text = remove.remove_calls(text, "allow_k8s_contexts")
    settings = re.search(r"^REMOTE_FIRST = .*$", text, re.MULTILINE)
    if settings is None:
        raise Trouble("the Tiltfile does not read the settings yet", fix="run TILT-16 first")
    return _with_line_after(text, settings, "guard(REMOTE_FIRST)  # before anything that could reach a cluster")


def _with_line_after(text: str, line: re.Match[str], new: str) -> str:
    """The text with a line behind this one, which `$` ends before the newline but behind a carriage return."""
    is_crlf = line.group().endswith("\r")
    place = line.end() - (1 if is_crlf else 0)
    return text[:place] + ("\r\n" if is_crlf else "\n") + new + text[place:]


def use_registry(simulation: Simulation, text: str) -> str:
    """Push images to the registry of the settings."""
    from migration.edit.tiltfile import insert, syntax

    if re.search(r"""\[['"]registry['"]\]\[['"]host['"]\]""", text):
        return text
    if syntax.calls(text, "default_registry"):
        return insert.set_registry(text, _HOST)
    guard = re.search(r"^guard\(REMOTE_FIRST\).*$", text, re.MULTILINE)
    if guard is None:
        raise Trouble("the Tiltfile has no guard yet", fix="run TILT-11 first")
    host = simulation.settings.registry.host
    new = f"default_registry({_HOST})  # registry.host of config/settings.yaml ({host} at the time of the migration)"
    return _with_line_after(text, guard, new)


def use_new_paths(simulation: Simulation, text: str) -> str:
    """Make the paths of what moved and of values lead into the gitops submodule."""
    from migration.edit.tiltfile import insert

    change = _with_new_paths(simulation)
    return text if change(text) == text else insert.change_strings(text, change)


def _with_new_paths(simulation: Simulation) -> Callable[[str], str]:
    """Replace each old path by its new one; the longest old path first."""
    submodule = (simulation.repositories.pin_path or simulation.settings.repositories.gitops.rstrip("/")) + "/"
    moves = [move for move in simulation.mapping.moves if "{" not in move.source]
    rules = [(old, _replace_path(old, submodule + new, "")) for old, new in simulation.mapping.tiltfile.paths.items()]
    for move in sorted(moves, key=lambda move: -len(move.source)):
        end_of_name = "" if move.source.endswith("/") else r"(?![\w.-])"
        rules.append((move.source, _replace_path(move.source, submodule + move.target, end_of_name)))

    def change(text: str) -> str:
        for old, replace in rules:
            if old in text:
                text = replace(text)
        return text

    return change


def _replace_path(old: str, new: str, end: str) -> Callable[[str], str]:
    pattern = re.compile(rf"(?<![\w./-])(\./)?{re.escape(old)}{end}")
    return lambda text: pattern.sub(lambda _: new, text)


def remove_local(simulation: Simulation, text: str) -> str:
    """Remove what belongs to the local cluster and its registries, and what calls a path that is deleted."""
    from migration.edit.tiltfile import remove

    local = _local_cluster(simulation.mapping)
    if not local.is_named_in(text):
        return text
    return remove.remove_local(text, local, _declares_release(simulation.mapping.tiltfile.releases))


def _declares_release(releases: str) -> Callable[[str], bool]:
    def declares_release(code: str) -> bool:
        """Does it declare a release, by a name that the pattern matches or by one that is computed?"""
        if code.lstrip().startswith("def "):
            return False  # its call declares the release
        names = [match[1].strip() for match in _RELEASE.finditer(code)]
        return any(re.search(releases, name) or not re.fullmatch(r"'[^']*'|\"[^\"]*\"", name) for name in names)

    return declares_release


def _local_cluster(mapping: Mapping) -> LocalCluster:
    areas = [path for row in mapping.cleanups.values() for path in row.paths]
    pattern = any_glob(areas)
    folders = {path.rstrip("/") for path in areas}

    def is_deleted(path: str) -> bool:
        if pattern.match(path) or path.rstrip("/*") in folders:
            return True
        return "*" in path and any(_covers_little_else(path, area) for area in areas)

    return LocalCluster(tuple(mapping.tiltfile.local), is_deleted)


def _covers_little_else(path: str, area: str) -> bool:
    """Is the path a glob below the top-level folder of the area, such as infra/**/*.md for infra/kubernetes/?"""
    literal_start = re.split(r"[*?]", path)[0]
    if literal_start == path or literal_start.count("/") != 1 or not literal_start.strip("/"):
        return False
    return area.endswith("/") and area.startswith(literal_start)


def check_releases(draft: Draft) -> None:
    """Block when a release of Tilt is no longer declared."""
    simulation = draft.simulation
    path, pattern = simulation.mapping.tiltfile.path, simulation.mapping.tiltfile.releases
    committed = simulation.core.facts.tree.get(path)
    text = simulation.core.text(path)
    if committed is None or text is None or committed == simulation.core.tree.get(path):
        return
    before = set(re.findall(pattern, simulation.core.blobs.get(committed.oid).decode("utf-8", "replace")))
    after = set(re.findall(pattern, text.decode("utf-8", "replace")))
    for name in sorted(before - after):
        fix = f"the release {name} would be lost; remove the local cluster from it by hand"
        draft.block(path, Reason.CUSTOM, f"core:{path}", fix)


def add_intercepts(simulation: Simulation, text: str) -> str:
    """Declare intercepts as resources of Tilt, and the settings by which `inv tilt.up` names them."""
    from migration.edit.tiltfile import arguments, insert

    if "intercept_resource(" in text or re.search(r"^add_intercepts\(", text, re.MULTILINE):
        return text
    found = arguments.read(simulation.mapping.tiltfile.path, text, simulation.core.text)
    return insert.append_lines(
        insert.insert_first(text, found.definitions()), [line.format(selects=not found.selects) for line in _FOOT]
    )


STEPS = (
    MigrationStep("TILT-16", 3, "the Tiltfile loads the helpers of tilt/", _edited(load_helpers, "load the helpers of tilt/"), needs=("RF-20",)),
    MigrationStep("TILT-11", 3, "only the cluster from the settings is allowed", _edited(guard_context, "add the guard of the context, keep only the remote mode"), needs=("TILT-16",)),
    MigrationStep("TILT-10", 3, "images go to the registry from the settings", _edited(use_registry, "take default_registry from the settings"), needs=("TILT-11",)),
    MigrationStep("TILT-15", 3, "paths of values and scripts lead into the gitops submodule", _edited(use_new_paths, "use paths in the gitops submodule"), needs=("INFRA-10",)),
    MigrationStep("TILT-14", 3, "the Tiltfile has no local cluster or local registry", _edited(remove_local, "remove the local cluster and its registry"), needs=("TILT-11", "TILT-15")),
    MigrationStep("TILT-12", 3, "every Tilt release is kept", check_releases),
    MigrationStep("TILT-13", 3, "intercepts are Tilt resources", _edited(add_intercepts, "add the intercepts as resources"), needs=("TILT-16",)),
)  # fmt: skip
