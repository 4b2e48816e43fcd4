"""Phase 3: edit the Tiltfile for the shared cluster; the rest of it keeps every byte."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from migration.edit.tiltfile.local import LocalCluster
from migration.edit.tiltfile.text import TiltText
from migration.mapping import Mapping, any_glob
from migration.model import Reason
from migration.phases.tilt_edits import TiltEdit, TiltEdits
from migration.simulation import Draft, Simulation
from migration.step import MigrationStep
from tasks.core.errors import Trouble

if TYPE_CHECKING:
    from migration.edit.tiltfile.statements import Edited, Removed

_HOST = "REMOTE_FIRST['registry']['host']"
_CONTEXT = "REMOTE_FIRST['cluster']['context']"
_RELEASE = re.compile(r"\b(?:helm_app|helm_resource)\(\s*(?:#[^\n]*\n\s*)*(?:name\s*=\s*)?([^,)]*)")
_OUR_REGISTRY = re.compile(
    r"""default_registry\(\s*REMOTE_FIRST\[|=.*REMOTE_FIRST\[['"]registry['"]\]\[['"]host['"]\]"""
)
_HEAD = (
    "# The shared cluster: the suite's settings, and the guard that refuses any other cluster.",
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


def load_helpers(simulation: Simulation, file: TiltText) -> Edited:
    """Load the helpers of tilt/ and read the settings."""
    from migration.edit.tiltfile import insert, syntax
    from migration.edit.tiltfile.statements import Edited

    if not file.is_main or re.search(r"^load\(['\"](\./|(\.\./)+)tilt/settings\.star", file.text, re.MULTILINE):
        return Edited(file.text)
    syntax.parse(file.text, file.path)
    return Edited(insert.insert_before_code(file.text, _from_folder(file.path, _HEAD)))


def _from_folder(path: str, lines: Iterable[str]) -> list[str]:
    """The lines as a Tiltfile in a folder needs them: the helpers and the settings are at the root of the repository."""
    up = "../" * path.count("/")
    if not up:
        return list(lines)
    root = f"os.path.join(config.main_dir, '{up.rstrip('/')}')"
    return [line.replace("'./tilt/", f"'{up}tilt/").replace("config.main_dir", root) for line in lines]


def guard_context(simulation: Simulation, file: TiltText) -> Edited:
    """Allow only the cluster of the settings, and keep the remote mode alone."""
    from migration.edit.tiltfile import insert, registry, switch
    from migration.edit.tiltfile.statements import Edited, in_earlier

    tiltfile = simulation.mapping.tiltfile
    text = file.text
    removed: tuple[Removed, ...] = ()
    if tiltfile.remote_switch and re.search(rf"\b{tiltfile.remote_switch}\b", text):
        text, removed = switch.resolve_switch(text, tiltfile.remote_switch, file.path)
    for name in tiltfile.context_variables if file.is_main else ():
        if re.search(rf"^{name}\s*=(?!.*REMOTE_FIRST)", text, re.MULTILINE):
            text = insert.set_variable(text, name, _CONTEXT)
    if "allow_k8s_contexts" in text:
        resolved = text
        text, calls = registry.remove_calls(text, "allow_k8s_contexts", file.path)
        removed = (*removed, *in_earlier(calls, file.text, resolved))
    if file.is_main and not re.search(r"^guard\(", text, re.MULTILINE):
        text = _with_guard(text)
    return Edited(text, removed)


def _with_guard(text: str) -> str:
    settings = re.search(r"^REMOTE_FIRST = .*$", text, re.MULTILINE)
    if settings is None:
        raise Trouble("the Tiltfile does not read the settings yet", fix="run TILT-16 first")
    return _with_line_after(text, settings, "guard(REMOTE_FIRST)  # before anything that could reach a cluster")


def _with_line_after(text: str, line: re.Match[str], new: str) -> str:
    """The text with a line behind this one, which `$` ends before the newline but behind a carriage return."""
    is_crlf = line.group().endswith("\r")
    place = line.end() - (1 if is_crlf else 0)
    return text[:place] + ("\r\n" if is_crlf else "\n") + new + text[place:]


def use_registry(simulation: Simulation, file: TiltText) -> Edited:
    """Push images to the registry of the settings, whatever condition the team's own call has."""
    from migration.edit.tiltfile import insert, registry, syntax
    from migration.edit.tiltfile.statements import Edited

    text = file.text
    removed: tuple[Removed, ...] = ()
    if _OUR_REGISTRY.search(text) or not (file.is_main or "default_registry" in text):
        return Edited(text)
    if syntax.calls(text, "default_registry"):
        if file.is_main and not registry.conditional_calls(text, "default_registry", file.path):
            return Edited(insert.set_registry(text, _HOST))
        text, removed = registry.remove_calls(text, "default_registry", file.path)
    return Edited(_with_registry(simulation, text) if file.is_main else text, removed)


def _with_registry(simulation: Simulation, text: str) -> str:
    guard = re.search(r"^guard\(REMOTE_FIRST\).*$", text, re.MULTILINE)
    if guard is None:
        raise Trouble("the Tiltfile has no guard yet", fix="run TILT-11 first")
    host = simulation.settings.registry.host
    new = f"default_registry({_HOST})  # registry.host of {simulation.config}/settings.yaml ({host} at the time of the migration)"
    return _with_line_after(text, guard, new)


def use_new_paths(simulation: Simulation, file: TiltText) -> Edited:
    """Make the paths of what moved and of values lead into the gitops submodule."""
    from migration.edit.tiltfile import insert
    from migration.edit.tiltfile.statements import Edited

    change = _with_new_paths(simulation)
    return Edited(file.text if change(file.text) == file.text else insert.change_strings(file.text, change))


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


def remove_local(simulation: Simulation, file: TiltText) -> Edited:
    """Remove what belongs to the local cluster and its registries, and what calls a path that is deleted."""
    from migration.edit.tiltfile import images, remove
    from migration.edit.tiltfile.statements import Edited
    from migration.phases import tilt_data

    local = local_cluster(simulation.mapping)
    if file.is_main:
        tilt_data.refuse_local_data(simulation, file, local)
    if not local.is_named_in(file.text):
        return Edited(file.text)
    tilt_data.refuse_fixed_manifests(simulation, file, local)
    text = images.repoint_images(file.text, local, _HOST if file.is_main else "").text
    return remove.remove_local(text, local, _declares_release(simulation.mapping.tiltfile.releases), file.path)


def remove_local_cluster(draft: Draft) -> None:
    """TILT-14: edit the Tiltfile, and give the images in manifests the names that they have in it."""
    from migration.phases import tilt_data

    files = EDITS.texts(draft.simulation)
    EDITS.step("TILT-14")(draft)
    if draft.changes:
        tilt_data.repoint_manifests(draft, files, local_cluster(draft.simulation.mapping))


def _declares_release(releases: str) -> Callable[[str], bool]:
    def declares_release(code: str) -> bool:
        """Does it declare a release, by a name that the pattern matches or by one that is computed?"""
        if code.lstrip().startswith("def "):
            return False  # its call declares the release
        names = [match[1].strip() for match in _RELEASE.finditer(code)]
        return any(re.search(releases, name) or not re.fullmatch(r"'[^']*'|\"[^\"]*\"", name) for name in names)

    return declares_release


def local_cluster(mapping: Mapping) -> LocalCluster:
    """How a text of the Tiltfile shows that it belongs to the local cluster."""
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
    _note_objects(draft, path, text.decode("utf-8", "replace"))
    old = simulation.core.blobs.get(committed.oid).decode("utf-8", "replace")
    before = {match.group(): old.count("\n", 0, match.start()) + 1 for match in re.finditer(pattern, old)}
    after = {match.group() for match in re.finditer(pattern, text.decode("utf-8", "replace"))}
    for name in sorted(before.keys() - after):
        fix = f"the release {name} would be lost; remove the local cluster from it by hand"
        draft.block(path, Reason.CUSTOM, f"{path}:{before[name]}", fix)


def _note_objects(draft: Draft, path: str, text: str) -> None:
    """Say what was harmless in a cluster of one developer, and is not in a shared one."""
    calls = [line.strip() for line in text.splitlines() if re.match(r"[^#]*\bk8s_yaml\(", line)]
    if calls:
        draft.note(
            f"{path}: nothing records whose the objects of k8s_yaml are ({len(calls)} lines, such as `{calls[0][:60]}`): "
            "developers overwrite and delete each other's; helm_resource refuses that"
        )


def add_intercepts(simulation: Simulation, file: TiltText) -> Edited:
    """Declare intercepts as resources of Tilt, and the settings by which `inv tilt.up` names them."""
    from migration.edit.tiltfile import arguments, insert
    from migration.edit.tiltfile.statements import Edited

    text = file.text
    if not file.is_main or "intercept_resource(" in text or re.search(r"^add_intercepts\(", text, re.MULTILINE):
        return Edited(text)
    found = arguments.read(file.path, text, simulation.core.text)
    lines = [line.format(selects=not found.selects) for line in _FOOT]
    with_settings = insert.insert_first(text, found.definitions())
    return Edited(insert.append_lines(with_settings, _from_folder(file.path, lines)))


def _alike(simulation: Simulation, name: str) -> str:
    """A declared name without what the edits change in it: the host of the registry, and paths that moved."""
    from migration.edit.tiltfile.images import without_host

    host = simulation.settings.registry.host
    return without_host(_with_new_paths(simulation)(name), local_cluster(simulation.mapping)).removeprefix(f"{host}/")


EDITS = TiltEdits(
    (
        TiltEdit("TILT-16", load_helpers, "load the helpers of tilt/"),
        TiltEdit("TILT-11", guard_context, "add the guard of the context, keep only the remote mode"),
        TiltEdit("TILT-10", use_registry, "take default_registry from the settings"),
        TiltEdit("TILT-15", use_new_paths, "use paths in the gitops submodule"),
        TiltEdit("TILT-14", remove_local, "remove the local cluster and its registry"),
        TiltEdit("TILT-13", add_intercepts, "add the intercepts as resources"),
    ),
    alike=_alike,
    local=lambda simulation: local_cluster(simulation.mapping),
)

# The first edit needs what any of them needs: a phase that cannot finish leaves the Tiltfile as it was.
_NEEDS = ("RF-20", "RF-12", "INFRA-10")
STEPS = (
    MigrationStep("TILT-16", 3, "the Tiltfile loads the helpers of tilt/", EDITS.step("TILT-16"), needs=_NEEDS),
    MigrationStep("TILT-11", 3, "only the cluster from the settings is allowed", EDITS.step("TILT-11"), needs=("TILT-16",)),
    MigrationStep("TILT-10", 3, "images go to the registry from the settings", EDITS.step("TILT-10"), needs=("TILT-11",)),
    MigrationStep("TILT-15", 3, "paths of values and scripts lead into the gitops submodule", EDITS.step("TILT-15"), needs=("INFRA-10", "RF-12")),
    MigrationStep("TILT-14", 3, "the Tiltfile has no local cluster or local registry", remove_local_cluster, needs=("TILT-11", "TILT-15")),
    MigrationStep("TILT-12", 3, "every Tilt release is kept", check_releases),
    MigrationStep("TILT-13", 3, "intercepts are Tilt resources", EDITS.step("TILT-13"), needs=("TILT-16",)),
)  # fmt: skip
