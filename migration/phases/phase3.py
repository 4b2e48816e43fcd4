"""Phase 3: the Tiltfile works against the shared cluster; what is not about that keeps every byte."""

from __future__ import annotations

import re
from collections.abc import Callable

from migration.edit.tiltfile import insert, remove, switch
from migration.edit.tiltfile import names as tiltfile_names
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
    "# The shared cluster: settings of config/settings.yaml, and the guard that stops before anything touches another one.",
    "load('./tilt/catalogue.star', 'services_of')",
    "load('./tilt/guard.star', 'guard')",
    "load('./tilt/intercepts.star', 'intercept_resource')",
    "load('./tilt/settings.star', 'read_settings')",
    "REMOTE_FIRST = read_settings(config.main_dir)",
)
_FOOT = (
    "# Intercepts of the shared cluster's services as resources; each is started by its button (inv tilt.up --intercept NAME).",
    "for intercepted in services_of(config.main_dir):",
    "    if intercepted.get('ports') and os.path.exists(REMOTE_FIRST['core'] + '/' + intercepted['folder']):",
    "        intercept_resource(REMOTE_FIRST, intercepted, False)",
)


def _edited(text_of: Callable[[Simulation, str], str], said: str) -> Callable[[Draft], None]:
    """A step that rewrites the Tiltfile by this function; one that cannot be read blocks, with line and reason."""

    def plan(draft: Draft) -> None:
        simulation = draft.simulation
        path = simulation.mapping.tiltfile.path
        data = simulation.core.text(path)
        if data is None:
            return
        text = data.decode("utf-8", "surrogateescape")
        bom = "\ufeff" if text.startswith("\ufeff") else ""
        try:
            new = text_of(simulation, text.removeprefix("\ufeff"))
        except Trouble as why:
            found = re.match(r"[^:]+:(\d+): (.*)", why.what)
            where, reason = (f"{path}:{found[1]}", found[2]) if found else (path, why.what)
            draft.block(path, Reason.CUSTOM, where, f"{reason}; {why.fix}")
            return
        draft.write("core", path, (bom + new).encode("utf-8", "surrogateescape"), said)
        gone = set(_RESOURCE.findall(text)) - set(_RESOURCE.findall(new))
        if gone:
            draft.note(f"resources that go: {', '.join(sorted(gone))}")

    return plan


def helpers(simulation: Simulation, text: str) -> str:
    """The helpers of tilt/ are loaded, and the settings read."""
    if re.search(r"^load\(['\"]\./tilt/settings\.star", text, re.MULTILINE):
        return text
    tiltfile_names.parsed(text)
    return insert.with_lines(text, _HEAD, after_loads=True)


def context(simulation: Simulation, text: str) -> str:
    """Only the cluster of the settings may be touched; the remote mode is the only one."""
    rules = simulation.mapping.tiltfile
    if rules.remote_switch and re.search(rf"\b{rules.remote_switch}\b", text):
        text = switch.resolved(text, rules.remote_switch)
    for name in rules.context_variables:
        if re.search(rf"^{name}\s*=(?!.*REMOTE_FIRST)", text, re.MULTILINE):
            text = insert.with_value(text, name, _CONTEXT)
    if not re.search(r"^guard\(", text, re.MULTILINE):
        text = remove.without_calls(text, {"allow_k8s_contexts"}) if "allow_k8s_contexts" in text else text
        mark = re.search(r"^REMOTE_FIRST = .*$", text, re.MULTILINE)
        if mark is None:
            raise Trouble("the settings are not read yet", fix="TILT-16 comes first")
        end = "\r\n" if text[mark.end() - 1 : mark.end() + 1] == "\r\n" else "\n"
        stop = mark.end() - (1 if text[mark.end() - 1 : mark.end()] == "\r" else 0)
        text = text[:stop] + f"{end}guard(REMOTE_FIRST)  # before anything that could reach a cluster" + text[stop:]
    return text


def registry(simulation: Simulation, text: str) -> str:
    """Images go to the registry of the settings."""
    if re.search(r"""\[['"]registry['"]\]\[['"]host['"]\]""", text):
        return text
    host = simulation.settings.registry.host
    if not tiltfile_names.calls(text, "default_registry"):
        row = f"default_registry({_HOST})  # registry.host of config/settings.yaml ({host} when this was written)"
        mark = re.search(r"^guard\(REMOTE_FIRST\).*$", text, re.MULTILINE)
        if mark is None:
            raise Trouble("the guard is not there yet", fix="TILT-11 comes first")
        stop = mark.end() - (1 if text[mark.end() - 1] == "\r" else 0)
        return text[:stop] + ("\r\n" if "\r\n" in text else "\n") + row + text[stop:]
    return insert.with_registry(text, _HOST)


def paths(simulation: Simulation, text: str) -> str:
    """Paths of what moved and of values lead into the gitops submodule."""
    change = _repointing(simulation)
    if change(text) == text:
        return text
    return insert.repointed(text, change)


def _repointing(simulation: Simulation) -> Callable[[str], str]:
    rules, prefix = (
        simulation.mapping.tiltfile,
        (simulation.repositories.pin_path or simulation.settings.repositories.gitops.rstrip("/")) + "/",
    )
    rows = [(old, "", prefix + new) for old, new in rules.paths.items()]
    moves = sorted((m for m in simulation.mapping.moves if "{" not in m.source), key=lambda m: -len(m.source))
    rows += [(m.source, "" if m.source.endswith("/") else r"(?![\w.-])", prefix + m.target) for m in moves]

    def change(text: str) -> str:
        for old, end, new in rows:
            if old in text:
                text = re.sub(rf"(?<![\w./-])(\./)?{re.escape(old)}{end}", new.replace("\\", "\\\\"), text)
        return text

    return change


def local_gone(simulation: Simulation, text: str) -> str:
    """Nothing of the local cluster and its registries is left, nor what calls a path that goes."""
    local = _local(simulation.mapping)
    if not any(w in text for w in local.words) and not any(local.goes(p) for p in tiltfile_names.paths_in(text)):
        return text
    releases = simulation.mapping.tiltfile.releases

    def keep(code: str) -> bool:
        """Does it declare a release, by its name or by one that is computed?"""
        if code.lstrip().startswith("def "):
            return False  # what calls it declares them
        names = [found[1].strip() for found in _RELEASE.finditer(code)]
        return any(re.search(releases, name) or not re.fullmatch(r"'[^']*'|\"[^\"]*\"", name) for name in names)

    new, stuck = remove.without_local(text, local, keep)
    if stuck:
        line, why = stuck[0]
        path = simulation.mapping.tiltfile.path
        raise Trouble(f"{path}:{line}: {why}", fix="change the line by hand, then run this again")
    return new


def _local(mapping: Mapping) -> tiltfile_names.Local:
    areas = [p for row in mapping.cleanup for p in row.paths]
    rule = any_glob(areas)
    folders = {p.rstrip("/") for p in areas}

    def goes(path: str) -> bool:
        if rule.match(path) or path.rstrip("/*") in folders:
            return True
        return "*" in path and any(_only_below(path, area) for area in areas)

    return tiltfile_names.Local(tuple(mapping.tiltfile.local), goes)


def _only_below(path: str, area: str) -> bool:
    """Is the path a glob over a folder that holds nothing but what goes, such as infra/**/*.md?"""
    head = re.split(r"[*?]", path)[0]
    return (
        head != path and bool(head.strip("/")) and area.startswith(head) and area.endswith("/") and head.count("/") == 1
    )


def releases_kept(draft: Draft) -> None:
    """Every release of Tilt that was declared is declared still."""
    simulation = draft.simulation
    path, pattern = simulation.mapping.tiltfile.path, simulation.mapping.tiltfile.releases
    before = simulation.core.facts.tree.get(path)
    now = simulation.core.text(path)
    if before is None or now is None or before == simulation.core.tree.get(path):
        return
    was = set(re.findall(pattern, simulation.core.blobs.get(before.oid).decode("utf-8", "replace")))
    lost = was - set(re.findall(pattern, now.decode("utf-8", "replace")))
    for name in sorted(lost):
        draft.block(
            path,
            Reason.CUSTOM,
            f"core:{path}",
            f"the release {name} would be lost; take what is local out of it by hand",
        )


def intercepts(simulation: Simulation, text: str) -> str:
    """Intercepts are resources of Tilt."""
    if "intercept_resource(" in text:
        return text
    return insert.with_lines(text, _FOOT, after_loads=False)


STEPS = (
    MigrationStep("TILT-16", 3, "the Tiltfile loads the helpers of tilt/", _edited(helpers, "load the helpers of tilt/"), needs=("RF-20",)),
    MigrationStep("TILT-11", 3, "only the cluster of the settings may be touched", _edited(context, "guard the context, one mode"), needs=("TILT-16",)),
    MigrationStep("TILT-10", 3, "images go to the registry of the settings", _edited(registry, "default_registry from the settings"), needs=("TILT-11",)),
    MigrationStep("TILT-15", 3, "paths of values and scripts lead into the gitops submodule", _edited(paths, "paths in the gitops submodule"), needs=("INFRA-10",)),
    MigrationStep("TILT-14", 3, "nothing of the local cluster and its registries is left", _edited(local_gone, "no local registry and cluster"), needs=("TILT-11", "TILT-15")),
    MigrationStep("TILT-12", 3, "every release of Tilt is kept", releases_kept),
    MigrationStep("TILT-13", 3, "intercepts are resources of Tilt", _edited(intercepts, "intercept resources"), needs=("TILT-16",)),
)  # fmt: skip
