"""What a stranger's Tiltfile declares: evaluated where the harness can, else as it is written."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import starlark

from starlark_harness import TiltfileError
from starlark_harness.survey import survey

harness = import_module("starlark_harness.evaluate")  # the package has a function of this name
_LOCAL_HOST = re.compile(r"\b(?:localhost|[\w.-]*registry[\w.-]*|127\.0\.0\.1):\d+/")


def resources(core: Path, context: str) -> tuple[set[str] | None, str]:
    """Return what core's Tiltfile declares, or why it cannot be evaluated. A local registry's host does not count."""

    def read(path: str) -> str | None:
        file = core / path
        return file.read_text(errors="replace") if file.is_file() else None

    def folder(path: str) -> list[str]:
        return [str(file.relative_to(core)) for file in sorted((core / path).rglob("*")) if file.is_file()]

    try:
        declared = survey("Tiltfile", read, folder, context=context, env={})
    except TiltfileError as why:
        lines = str(why).strip().splitlines() or [type(why).__name__]
        return None, lines[-1][:160]
    return {f"{one.function}({_LOCAL_HOST.sub('', one.name)})" for one in declared}, ""


_DECLARES = re.compile(
    r"^[ \t]*(?:\w+ = )?(docker_build\w*|custom_build\w*|\w*_resource|k8s_yaml|docker_compose|include|load)\(\s*(?:\w+\s*=\s*)?([^,)\n]*)",
    re.MULTILINE,
)


def declarations(tiltfile: Path) -> tuple[set[str] | None, str]:
    """Return the declarations that are written in the Tiltfile, or why it cannot be parsed."""
    text = tiltfile.read_text(errors="replace")
    try:
        starlark.parse(tiltfile.name, text, harness._dialect())
    except starlark.StarlarkError as why:
        return None, str(why).strip().splitlines()[-1][:160]
    return {f"{call}({first.strip()})" for call, first in _DECLARES.findall(text)}, ""
