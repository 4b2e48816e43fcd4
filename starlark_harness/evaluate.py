"""The evaluation by starlark-rust, which lacks some of Tilt's Starlark: `set` and `while`."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import starlark

from starlark_harness import files as reading
from starlark_harness.arguments import Arguments
from starlark_harness.files import Files
from starlark_harness.images import Images
from starlark_harness.model import Declared, Image, Manifest, Mode, Refusal, Stop
from starlark_harness.resources import Resources
from starlark_harness.session import Session
from starlark_harness.wording import argument_error, in_tilts_words
from tasks.core.errors import Absent
from tasks.core.process.tool import Tool

_GLOBALS = starlark.Globals.extended_by([starlark.LibraryExtension.StructType])
_LOCAL_TIMEOUT = 60.0  # seconds
_PRELUDE = """
config = struct(
    define_string_list = _config_define_string_list, define_string = _config_define_string,
    define_bool = _config_define_bool, define_object = _config_define_object, parse = _config_parse,
    set_enabled_resources = _config_set_enabled_resources, clear_enabled_resources = _config_clear_enabled_resources,
    tilt_subcommand = _SUBCOMMAND, main_path = _MAIN, main_dir = _MAIN_DIR,
)
os = struct(
    getcwd = _os_getcwd, getenv = _os_getenv, putenv = _os_putenv, unsetenv = _os_unsetenv, environ = _ENVIRON, name = "posix",
    path = struct(
        abspath = _os_path_abspath, relpath = _os_path_relpath, basename = _os_path_basename,
        dirname = _os_path_dirname, exists = _os_path_exists, join = _os_path_join, realpath = _os_path_realpath,
    ),
)
shlex = struct(quote = _shlex_quote)
sys = struct(argv = _ARGV, executable = "tilt")
"""


class TiltfileError(Exception):
    """The Tiltfile failed. The text is Tilt's: a traceback and the error, or one line with the position."""


@dataclass
class Result:
    """What the Tiltfile declared.

    enabled: names in the order of the file; log: printed lines and warnings; watched: paths read; exported: the variables
    of os.putenv, which Tilt gives to everything it starts
    """

    manifests: dict[str, Manifest]
    images: dict[str, Image]
    enabled: list[str]
    registry: str
    settings: dict[str, Any]
    commands: list[tuple[str, ...]]
    watched: list[str]
    log: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    exported: dict[str, str] = field(default_factory=dict)


def evaluate(
    tiltfile: Path,
    args: tuple[str, ...] = (),
    *,
    context: str = "",
    namespace: str = "default",
    env: Mapping[str, str] | None = None,
    subcommand: str = "up",
    run: Callable[[tuple[str, ...], dict[str, str], str], str] | None = None,
    log: list[str] | None = None,
) -> Result:
    """Evaluate the file as `tilt SUBCOMMAND -- ARGS` would. Raises TiltfileError.

    context: the value of k8s_context(), "" for none; env: the variables for os.getenv; run: executes local() (default: a
    real process); log: receives the printed lines, also on failure

    """
    if not tiltfile.is_file():
        raise TiltfileError(f"No Tiltfile found at paths '{tiltfile}'. Check out https://docs.tilt.dev/tutorial.html")
    environment = dict(os.environ if env is None else env)
    evaluation = _Evaluation(tiltfile, args, context, namespace, environment, subcommand, run or _run(environment))
    if log is not None:
        evaluation.declared.log = log
    return evaluation.result()


class _Evaluation:
    def __init__(
        self,
        tiltfile: Path,
        args: tuple[str, ...],
        context: str,
        namespace: str,
        env: dict[str, str],
        subcommand: str,
        run: Callable[..., str],
    ) -> None:
        self.main = Path(os.path.abspath(tiltfile))
        self.args, self.context, self.namespace, self.env, self.subcommand = args, context, namespace, env, subcommand
        self.declared = Declared()
        self.exported: dict[str, str] = {}
        self.arguments = Arguments(args)
        self.executing = [self.main]
        self.files = Files(lambda: self.executing[-1].parent, self.declared.watched)
        self.session = Session(self.declared, self.files, context, namespace, run)
        wrap = starlark.OpaquePythonObject
        self.builtins = (
            self.session,
            Images(self.declared, self.files, wrap),
            Resources(self.declared, self.files, wrap),
        )
        self.failed: tuple[str, str] | None = None
        self.loaded: dict[Path, Any] = {}
        self.loading: list[Path] = []

    def result(self) -> Result:
        try:
            self._evaluate(self.main)
        except Stop:
            pass
        try:
            self.declared.finish()
            if any(m.kind != "local" for m in self.declared.manifests.values()) and not self.session._may_deploy():
                raise Refusal(
                    f"Stop! {self.context} might be production.\nIf you're sure you want to deploy there, add:\n"
                    f"\tallow_k8s_contexts('{self.context}')\nto your Tiltfile. Otherwise, switch k8s contexts and restart Tilt."
                )
            if self.args and not self.arguments.parsed and self.declared.enabled is None:
                self.declared.enabled = list(self.args)
            enabled = self.declared.selected()
        except Refusal as why:
            raise TiltfileError(str(why)) from None
        d = self.declared
        return Result(
            d.manifests,
            d.images,
            enabled,
            d.registry,
            d.settings,
            d.commands,
            d.watched,
            d.log,
            d.warnings,
            self.exported,
        )

    def _evaluate(self, path: Path) -> Any:
        self.declared.watched.append(str(path))
        source = path.read_text()
        module = self._module(path)
        try:
            tree = starlark.parse(str(path), source, _dialect())
            self._check_loads(tree, path)
            self.executing.append(path)
            try:
                starlark.eval(module, tree, _GLOBALS, starlark.FileLoader(lambda name: self._load(path, name)))
            finally:
                self.executing.pop()
        except starlark.StarlarkError as why:
            if self.failed == ("exit", ""):
                raise Stop from None
            raise TiltfileError(in_tilts_words(str(why), self.failed)) from None
        return module.freeze()

    def _check_loads(self, tree: Any, path: Path) -> None:
        for load in tree.loads():
            for name in load.symbols.values():
                if name.startswith("_"):
                    raise TiltfileError(f"{path}: load: names with leading underscores are not exported: {name}")

    def _load(self, base: Path, name: str) -> Any:
        if "://" in name:
            raise RuntimeError(f"cannot load {name}: there is no network for extensions")
        path = Path(os.path.normpath(base.parent / name))
        if path in self.loading:
            raise RuntimeError(f"cannot load {name}: Circular load: {path}")
        if path not in self.loaded:
            if not path.is_file():
                raise RuntimeError(
                    f"cannot load {name}: error reading file {path}: open {path}: no such file or directory"
                )
            self.loading.append(path)
            try:
                self.loaded[path] = self._evaluate(path)
            finally:
                self.loading.pop()
        return self.loaded[path]

    def _module(self, path: Path) -> Any:
        module = starlark.Module()
        for name, function in self._functions().items():
            module.add_callable(name, self._strict(name, function))
        for name, value in {
            "_SUBCOMMAND": self.subcommand,
            "_MAIN": str(self.main),
            "_MAIN_DIR": str(self.main.parent),
            "_ENVIRON": self.env,
            "_ARGV": ["tilt", *self.subcommand.split()],
            "__file__": str(path),
            "__name__": "__main__" if path == self.main else str(path),
        }.items():
            module[name] = value
        for name, manual in (("TRIGGER_MODE_AUTO", False), ("TRIGGER_MODE_MANUAL", True)):
            module[name] = starlark.OpaquePythonObject(Mode(manual))
        starlark.eval(module, starlark.parse("prelude", _PRELUDE, _dialect()), _GLOBALS)
        return module

    def _functions(self) -> dict[str, Callable[..., Any]]:
        shown: dict[str, Callable[..., Any]] = {
            name: function
            for group in self.builtins
            for name, function in inspect.getmembers(group, inspect.ismethod)
            if not name.startswith("_")
        }
        f = self.files
        shown |= {"read_file": f.read_file, "read_yaml": f.read_yaml, "read_json": f.read_json, "listdir": f.listdir}
        shown |= {"watch_file": f.watch_file, "print": self._print, "fail": self._fail}
        shown |= {"decode_yaml": reading.decode_yaml, "decode_yaml_stream": reading.decode_yaml_stream}
        shown |= {"decode_json": reading.decode_json, "encode_yaml": reading.encode_yaml}
        shown |= {"blob": lambda contents: contents, "_shlex_quote": lambda s: reading.quote([s])}
        for kind in ("string_list", "string", "bool", "object"):
            shown[f"_config_define_{kind}"] = self._define(kind)
        shown |= {
            "_config_parse": lambda: self.arguments.parse(f.folder()),
            "_config_set_enabled_resources": self._enable,
            "_config_clear_enabled_resources": lambda: setattr(self.declared, "enabled", []),
            "_os_getcwd": lambda: str(f.folder()),
            "_os_getenv": lambda key, default=None: self.env.get(key, default),
            "_os_putenv": self._putenv,
            "_os_unsetenv": lambda key: self.env.pop(key, None) and None,
            "_os_path_exists": f.exists,
            "_os_path_abspath": f.abspath,
            "_os_path_realpath": f.realpath,
            "_os_path_relpath": f.relpath,
            "_os_path_basename": lambda path: os.path.basename(path.rstrip("/")),
            "_os_path_dirname": lambda path: os.path.dirname(path),
            "_os_path_join": reading.join,
        }
        return shown

    def _strict(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a built-in: check the arguments against its signature, and record its error, because the engine changes the text."""
        signature = inspect.signature(function)
        public = (
            name.removeprefix("_")
            .replace("os_path_", "os.path.")
            .replace("os_get", "os.get")
            .replace("config_", "config.")
        )

        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                signature.bind(*args, **kwargs)
            except TypeError as why:
                self.failed = (public, f"{public}: {argument_error(str(why))}")
                raise
            try:
                return function(*args, **kwargs)
            except Stop:
                self.failed = ("exit", "")
                raise
            except Refusal as why:
                text = str(why)
                self.failed = (public, f"{public}: {text}" if text.startswith(("for parameter", "'")) else text)
                raise

        return call

    def _define(self, kind: str) -> Callable[..., None]:
        def define(name: str, args: bool = False, usage: str = "") -> None:
            self.arguments.define(kind, name, args, usage)

        return define

    def _putenv(self, key: str, value: str) -> None:
        self.env[key] = self.exported[key] = value

    def _enable(self, resources: Any) -> None:
        self.declared.enabled = list(reading.strings(resources, "resources")) or None  # an empty list enables all

    def _print(self, *args: Any, sep: str = " ") -> None:
        self.declared.log.append(sep.join(a if isinstance(a, str) else reading.shown(a) for a in args))

    def _fail(self, *args: Any, sep: str = " ") -> None:
        raise Refusal(sep.join(a if isinstance(a, str) else reading.shown(a) for a in args))


def _dialect() -> Any:
    dialect = starlark.Dialect.standard()
    dialect.enable_def = dialect.enable_lambda = dialect.enable_load = True
    dialect.enable_top_level_stmt = dialect.enable_keyword_only_arguments = True
    return dialect


def _run(env: Mapping[str, str]) -> Callable[[tuple[str, ...], dict[str, str], str], str]:
    """The function that executes `local()`, with `env` instead of this process's environment."""

    def run(argv: tuple[str, ...], added: dict[str, str], folder: str) -> str:
        environment = {**env, **added}
        hidden = tuple(os.environ.keys() - environment.keys())
        try:
            tool = Tool(argv[0], env=environment, drop=hidden, timeout=_LOCAL_TIMEOUT)
            done = tool[argv[1:]].call(cwd=folder)
        except Absent:
            raise Refusal(
                f'command "{argv[0]}" failed.\nerror: exec: "{argv[0]}": executable file not found in $PATH'
            ) from None
        if done.exit:
            shown = argv[2] if argv[:2] == ("sh", "-c") else " ".join(argv)
            raise Refusal(f'command "{shown}" failed.\nerror: exit status {done.exit}')
        return done.stdout

    return run
