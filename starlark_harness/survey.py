"""What a Tiltfile declares, read without its surroundings: no process runs, no file outside the given ones is read.

The strict evaluation of evaluate.py rejects what Tilt rejects. This one accepts what it does not know: commands print
nothing, extensions of the network do nothing, and the environment is a small invented one.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import starlark

from starlark_harness.answers import ROOT, Answers
from starlark_harness.evaluate import TiltfileError
from starlark_harness.marked_lines import with_marked_lines
from starlark_harness.model import Refusal, Stop

_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/home/user", "USER": "user", "SHELL": "/bin/sh"}
_GLOBALS = starlark.Globals.extended_by([starlark.LibraryExtension.StructType])
_PLACE = re.compile(r"\s*(?:\*|-->) (.+?):(\d+)(?:,|:)")
_NOISE = re.compile(r"(?:error|StarlarkError|prelude:\d+:\d+|Refusal|TiltfileError): ")
_VALUES_OF_EXTENSIONS = {
    "location": "struct(NAV = 'Global', RESOURCE = 'Resource')",
    "color": "struct(red = str, green = str, blue = str, yellow = str, cyan = str, magenta = str, white = str, black = str)",
}
_PRELUDE = """
def _plain(value):
    kind = type(value)
    if kind == "dict":
        return {str(key): _plain(inner) for key, inner in value.items()}
    if kind in ("list", "tuple", "set", "range"):
        return [_plain(inner) for inner in value]
    if kind in ("string", "int", "bool", "float", "NoneType"):
        return value
    return "<" + kind + ">"

def _function(name):
    def call(*args, **kwargs):
        return _call(name, _plain(args), _plain(kwargs))
    return call

def set(values = []):
    return {value: True for value in values}

def module(name = "", **members):
    return struct(**members)

def trigger_mode(mode):
    return None
"""
_MODULES = {
    "config": "define_string_list define_string define_bool define_object parse set_enabled_resources clear_enabled_resources",
    "shlex": "quote",
    "v1alpha1": "cluster cmd config_map docker_compose_service docker_image extension extension_repo file_watch kubernetes_apply kubernetes_discovery live_update port_forward session tiltfile ui_button ui_resource",
}
_PATHS = "abspath basename dirname exists join realpath relpath isdir isfile"


@dataclass(frozen=True)
class Declaration:
    """Something that a Tiltfile declares. file, line: of the statement outside all functions that led to it."""

    function: str
    name: str
    file: str
    line: int


def survey(
    tiltfile: str,
    read: Callable[[str], str | None],
    folder: Callable[[str], list[str]],
    *,
    context: str,
    env: Mapping[str, str],
) -> list[Declaration]:
    """Evaluate the Tiltfile, and return what it declares. Raises TiltfileError.

    tiltfile: relative to the root of the repository, as all paths; read: the text of a file, None without one;
    folder: the files below a folder; context: the value of k8s_context(); env: variables besides the invented ones
    """
    evaluation = _Survey(read, folder, context, {**_ENVIRONMENT, **env})
    try:
        evaluation.evaluate(tiltfile)
    except Stop:
        pass
    except Refusal as why:
        raise TiltfileError(str(why)) from None
    return evaluation.declared


class _Survey:
    def __init__(
        self, read: Callable[[str], str | None], folder: Callable[[str], list[str]], context: str, env: dict[str, str]
    ) -> None:
        self.declared: list[Declaration] = []
        self.env = env
        self.main = ""
        self._read = read
        self._executing: list[str] = []
        self._place = ("", 0)
        self._loaded: dict[str, Any] = {}
        self._extension_names: dict[str, set[str]] = {}
        self._has_stopped = False
        self._answers = Answers(read, folder, context, env, self._absolute, self._declare, self.include)

    def evaluate(self, path: str) -> Any:
        """Evaluate one file as a module of its own."""
        text = self._read(path)
        if text is None:
            raise Refusal(f"{path} does not exist")
        self.main = self.main or path
        if path in self._executing:
            raise Refusal(f"circular load of {path}")
        module = self._module(path)
        try:
            tree = starlark.parse(path, with_marked_lines(text), _dialect())
            for load in tree.loads():
                self._extension_names.setdefault(load.module_id, set()).update(load.symbols.values())
            self._executing.append(path)
            try:
                starlark.eval(module, tree, _GLOBALS, starlark.FileLoader(self._load))
            finally:
                self._executing.pop()
        except starlark.StarlarkError as why:
            if self._has_stopped:
                raise Stop from None
            raise TiltfileError(_short(str(why))) from None
        return module.freeze()

    def include(self, path: str) -> None:
        """Evaluate a file for what it declares. Extensions of the network declare nothing here."""
        if "://" not in path:
            self.evaluate(self._relative(path))

    def _load(self, name: str) -> Any:
        if "://" in name:
            return self._extension(name)
        path = self._relative(name)
        if path not in self._loaded:
            if self._read(path) is None:
                path = self._with_tiltfile(path)
            self._loaded[path] = self.evaluate(path)
        return self._loaded[path]

    def _with_tiltfile(self, path: str) -> str:
        inside = posixpath.join(path, "Tiltfile")
        return inside if self._read(inside) is not None else path

    def _extension(self, name: str) -> Any:
        """A module whose functions declare what they are called with."""
        module = starlark.Module()
        module.add_callable("_call", self._call)
        names = sorted(self._extension_names.get(name, ()))
        text = _PRELUDE + "".join(
            f"{name} = {_VALUES_OF_EXTENSIONS.get(name, f'_function({name!r})')}\n" for name in names
        )
        starlark.eval(module, starlark.parse(name, text, _dialect()), _GLOBALS)
        return module.freeze()

    def _module(self, path: str) -> Any:
        module = starlark.Module()
        module.add_callable("_call", self._call)
        module.add_callable("_at", lambda line: self._at(path, line))
        main_dir = posixpath.join(ROOT, posixpath.dirname(self.main))
        values = {
            "__file__": posixpath.join(ROOT, path),
            "__name__": "__main__" if path == self.main else path,
            "_ENVIRON": self.env,
            "_MAIN": posixpath.join(ROOT, self.main),
            "_MAIN_DIR": main_dir.rstrip("/"),
            "TRIGGER_MODE_AUTO": "auto",
            "TRIGGER_MODE_MANUAL": "manual",
        }
        for name, value in values.items():
            module[name] = value
        starlark.eval(module, starlark.parse("prelude", _PRELUDE + self._names(), _dialect()), _GLOBALS)
        return module

    def _names(self) -> str:
        """The assignments of all built-ins."""
        rows = [f"{name} = _function({name!r})" for name in self._answers.functions]
        members = {
            module: ", ".join(f"{name} = _function('{module}.{name}')" for name in names.split())
            for module, names in _MODULES.items()
        }
        members["config"] += ", tilt_subcommand = 'up', main_path = _MAIN, main_dir = _MAIN_DIR"
        rows += [f"{module} = struct({text})" for module, text in members.items()]
        paths = ", ".join(f"{name} = _function('os.path.{name}')" for name in _PATHS.split())
        functions = ", ".join(f"{name} = _function('os.{name}')" for name in ("getcwd", "getenv", "putenv", "unsetenv"))
        rows.append(f"os = struct({functions}, environ = _ENVIRON, name = 'posix', sep = '/', path = struct({paths}))")
        rows.append("sys = struct(argv = ['tilt', 'up'], executable = 'tilt')")
        return "\n".join(rows) + "\n"

    def _call(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        try:
            return self._answers.answer(name, args, kwargs)
        except Stop:
            self._has_stopped = True
            raise

    def _at(self, path: str, line: int) -> None:
        self._place = (path, line)

    def _declare(self, function: str, name: str) -> None:
        self.declared.append(Declaration(function, name, *self._place))

    def _absolute(self, path: str) -> str:
        """The normalized path, relative to the folder of the executing file."""
        base = posixpath.dirname(self._executing[-1]) if self._executing else ""
        return os.path.normpath(posixpath.join(ROOT, base, path))

    def _relative(self, path: str) -> str:
        """The path relative to the root of the repository."""
        return posixpath.relpath(self._absolute(path), ROOT)


def _short(text: str) -> str:
    """The message of an error, after the innermost place in a file of the repository."""
    lines = text.splitlines()
    frames = [(match[1], match[2]) for line in lines if (match := _PLACE.match(line)) and match[1] != "prelude"]
    message = next((line for line in lines if line.startswith("error:")), lines[0] if lines else "")
    message = _NOISE.sub("", message)
    return f"{frames[-1][0]}:{frames[-1][1]}: {message}" if frames else message


def _dialect() -> Any:
    dialect = starlark.Dialect.extended()
    dialect.enable_def = dialect.enable_lambda = dialect.enable_load = dialect.enable_top_level_stmt = True
    dialect.enable_keyword_only_arguments = True
    return dialect
