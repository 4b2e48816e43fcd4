"""Compare what a Tiltfile declares before and after an edit: evaluated where possible, by syntax elsewhere."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import libcst as cst

from migration.edit.tiltfile.statements import Removed
from migration.edit.tiltfile.syntax import content, parse, positions
from migration.edit.tiltfile.text import TiltText
from migration.simulation import Simulation
from starlark_harness.evaluate import TiltfileError
from starlark_harness.survey import Declaration, survey

_DECLARING = re.compile(r"_resource$|build|^k8s_yaml$|^k8s_custom_deploy$|^helm_|^docker_compose$|^cmd_button$")
_CONTEXT = re.compile(r"[a-z0-9]+-[\w.-]+")
_FIX = "change this line by hand, then run this again"


@dataclass(frozen=True)
class Comparison:
    """named: what a removed statement declared; problem, path, line: what is missing otherwise, or does not evaluate.

    not_evaluated: why the comparison is by syntax only; empty if it was evaluated
    """

    named: tuple[str, ...] = ()
    problem: str = ""
    path: str = ""
    line: int = 0
    not_evaluated: str = ""


def compare(
    simulation: Simulation,
    before: tuple[TiltText, ...],
    after: tuple[TiltText, ...],
    removed: Mapping[str, tuple[Removed, ...]],
    alike: Callable[[str], str],
) -> Comparison:
    """Compare the declarations of both versions. alike: a name without what the edit may change in it."""
    main = before[0].path
    why, old = _declarations(simulation, before)
    if why:
        note = f"{main} could not be evaluated: {why}; compared by syntax only"
        return _compared(main, _by_syntax(before), _by_syntax(after), removed, alike, note)
    why, new = _declarations(simulation, after)
    if why:
        return Comparison(problem=f"the edited Tiltfile does not evaluate: {why}", path=main)
    return _compared(main, old, new, removed, alike, "")


def _compared(
    main: str,
    old: Iterable[Declaration],
    new: Iterable[Declaration],
    removed: Mapping[str, tuple[Removed, ...]],
    alike: Callable[[str], str],
    note: str,
) -> Comparison:
    left = Counter((declaration.function, alike(declaration.name)) for declaration in new)
    named: list[str] = []
    for declaration in sorted(old, key=lambda found: _is_removed(found, removed)):
        key = (declaration.function, alike(declaration.name))
        if left[key]:
            left[key] -= 1
        elif _is_removed(declaration, removed):
            named.append(declaration.name)
        else:
            path = declaration.file or main
            problem = f"{declaration.function}({declaration.name!r}) would no longer be declared; {_FIX}"
            return Comparison(problem=problem, path=path, line=declaration.line, not_evaluated=note)
    return Comparison(named=tuple(dict.fromkeys(filter(None, named))), not_evaluated=note)


def _is_removed(declaration: Declaration, removed: Mapping[str, tuple[Removed, ...]]) -> bool:
    """Is the declaration in a statement that the edit removes by name?"""
    for path, records in removed.items():
        for record in records:
            if declaration.name in record.resources:
                return True
            if declaration.file == path and record.first <= declaration.line <= record.last:
                return True
    return False


def _declarations(simulation: Simulation, files: tuple[TiltText, ...]) -> tuple[str, list[Declaration]]:
    """Why the file cannot be evaluated, and what it declares."""
    texts = {file.path: file.text for file in files}
    switch = simulation.mapping.tiltfile.remote_switch
    env = {switch: "1"} if switch else {}
    why = ""
    for context in _contexts(simulation, files[0].text):
        try:
            read = partial(_read, simulation, texts)
            return "", survey(files[0].path, read, partial(_folder, simulation), context=context, env=env)
        except TiltfileError as error:
            why = why or str(error).splitlines()[0]
    return why, []


def _contexts(simulation: Simulation, text: str) -> list[str]:
    """The context of the settings; if the file refuses it, contexts that the file names itself."""
    words = [word for word in simulation.mapping.tiltfile.local if word.endswith("-")]
    literals = re.findall(r"['\"]([\w.-]+)['\"]", text)
    own = [name for name in literals if name.startswith(tuple(words)) and _CONTEXT.fullmatch(name)] if words else []
    return [simulation.settings.cluster.context, *dict.fromkeys([*own[:3], *(word + "local" for word in words)])]


def _read(simulation: Simulation, texts: Mapping[str, str], path: str) -> str | None:
    """The text of a file of core, with gitops in its place; the suite's own files are there already."""
    if path in texts:
        return texts[path]
    pin = simulation.repositories.pin_path
    if pin and path.startswith(pin + "/"):
        data = simulation.gitops.text(path.removeprefix(pin + "/"))
    else:
        data = simulation.core.text(path)
        if data is None and path in simulation.suite:
            data = simulation.suite[path][1]
    return None if data is None else data.decode("utf-8", "replace")


def _folder(simulation: Simulation, folder: str) -> list[str]:
    """The files below a folder of core, with gitops in its place."""
    pin = simulation.repositories.pin_path
    start = "" if folder == "." else folder.rstrip("/") + "/"
    if pin and start.startswith(pin + "/"):
        return [f"{pin}/{path}" for path in simulation.gitops.tree.under(start.removeprefix(pin + "/"))]
    return list(simulation.core.tree.under(start))


def _by_syntax(files: tuple[TiltText, ...]) -> list[Declaration]:
    """The calls that declare something and whose name is a string."""
    found: list[Declaration] = []
    for file in files:
        module = parse(file.text, file.path)
        collector = _Calls(file.path, positions(module))
        module.visit(collector)
        found += collector.found
    return found


class _Calls(cst.CSTVisitor):
    def __init__(self, path: str, lines: Mapping[cst.CSTNode, object]) -> None:
        super().__init__()
        self.path, self.lines = path, lines
        self.found: list[Declaration] = []

    def visit_Call(self, node: cst.Call) -> None:
        function = node.func.value if isinstance(node.func, cst.Name) else ""
        first = next(
            (arg.value for arg in node.args if arg.keyword is None or arg.keyword.value in {"name", "ref"}), None
        )
        if _DECLARING.search(function):
            name = content(first) if isinstance(first, cst.SimpleString) else ""
            line = self.lines[node].start.line  # type: ignore[attr-defined]
            self.found.append(Declaration(function, name, self.path, line))
