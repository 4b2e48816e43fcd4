"""What Tilt's built-ins return in a survey, and which of them declare something."""

from __future__ import annotations

import json
import os
import posixpath
import re
import shlex
from collections.abc import Callable, Iterable
from typing import Any

from starlark_harness.files import decode_json, decode_yaml_stream, encode_yaml, join
from starlark_harness.model import Refusal, Stop

_DECLARING = (
    "local_resource", "k8s_resource", "k8s_custom_deploy", "docker_build", "custom_build", "dc_resource", "docker_compose",
    "k8s_attach", "test",
)  # fmt: skip
_SILENT = (
    "k8s_kind", "k8s_image_json_path", "allow_k8s_contexts", "default_registry", "update_settings", "version_settings",
    "docker_prune_settings", "watch_settings", "secret_settings", "secret_parse", "analytics_settings", "ci_settings",
    "watch_file", "print", "warn", "set_team", "disable_snapshots", "experimental_analytics_report",
    "experimental_metrics_settings", "experimental_telemetry_cmd", "workload_to_resource_function",
    "k8s_resource_assembly_version", "enable_feature", "disable_feature", "assert_true",
)  # fmt: skip
_VALUES = (
    "sync", "run", "fall_back_on", "initial_sync", "restart_container", "probe", "exec_action", "http_get_action",
    "tcp_socket_action", "link", "port_forward", "location", "text_input", "bool_input", "choice_input", "hidden_input",
)  # fmt: skip
_NAMES = ("name", "ref", "workload", "new_name", "resource", "configPaths", "objects")
ROOT = "/checkout"  # where the repository seems to be
_RENDERED = "rendered: "  # the start of the text that helm() and kustomize() return


class Answers:
    """absolute: resolves a path; declare: receives function and name; include: evaluates another file."""

    def __init__(
        self,
        read: Callable[[str], str | None],
        folder: Callable[[str], list[str]],
        context: str,
        env: dict[str, str],
        absolute: Callable[[str], str],
        declare: Callable[[str, str], None],
        include: Callable[[str], None],
    ) -> None:
        self._read, self._folder, self._context, self._env = read, folder, context, env
        self._absolute, self._declare = absolute, declare
        self._has_run_commands = False
        known: dict[str, Callable[..., Any]] = {
            "local": self._local,
            "include": include,
            "load_dynamic": self._load_dynamic,
            "k8s_context": lambda: context,
            "k8s_namespace": lambda: "default",
            "k8s_yaml": self._k8s_yaml,
            "helm": lambda paths, *_, **__: _RENDERED + f"helm {paths}",
            "kustomize": lambda pathToDir="", *_, **__: _RENDERED + f"kustomize {pathToDir}",
            "filter_yaml": lambda yaml, *_, **__: [yaml, yaml],
            "blob": lambda contents: contents,
            "read_file": self._read_file,
            "read_yaml": lambda paths, default=None: self._read_decoded(
                paths, default, lambda text: _one_document(text) or {}
            ),
            "read_yaml_stream": lambda paths, default=None: self._read_decoded(paths, default, decode_yaml_stream),
            "read_json": lambda paths, default=None: self._read_decoded(
                paths, default, lambda text: decode_json(text or "{}")
            ),
            "decode_yaml": lambda yaml: None if _is_empty(yaml) else _one_document(yaml),
            "decode_yaml_stream": lambda yaml: [] if _is_empty(yaml) else decode_yaml_stream(yaml),
            "decode_json": lambda json: {} if _is_empty(json) else decode_json(json),
            "encode_yaml": encode_yaml,
            "encode_yaml_stream": lambda objs: "---\n".join(encode_yaml(value) for value in objs),
            "encode_json": lambda obj: json.dumps(obj),
            "listdir": self._listdir,
            "fail": lambda *_, **__: None,  # most often this machine lacks a setting or a program
            "exit": _exit,
            "shlex.quote": lambda s: shlex.quote(s),
            "config.parse": lambda: dict(self._read_decoded("tilt_config.json", {}, decode_json)),
            "os.getcwd": lambda: absolute("."),
            "os.getenv": lambda key, default=None: env.get(key, default),
            "os.putenv": env.__setitem__,
            "os.unsetenv": lambda key: env.pop(key, None),
            "os.path.abspath": absolute,
            "os.path.realpath": absolute,
            "os.path.basename": lambda path: posixpath.basename(path.rstrip("/")),
            "os.path.dirname": posixpath.dirname,
            "os.path.exists": self._exists,
            "os.path.isdir": lambda path: bool(self._folder(self._inside(path))),
            "os.path.isfile": lambda path: self._read(self._inside(path)) is not None,
            "os.path.join": join,
            "os.path.relpath": lambda targpath, basepath="": os.path.relpath(
                absolute(targpath), absolute(basepath or ".")
            ),
        }
        known |= dict.fromkeys(_SILENT, lambda *_, **__: None)
        known |= dict.fromkeys(_VALUES, lambda *_, **__: "")
        self._known = known

    @property
    def functions(self) -> list[str]:
        """The names of the built-ins that belong to no module."""
        return [*(name for name in self._known if "." not in name), *_DECLARING]

    def answer(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """The value of the call. What is not known, such as a function of an extension, declares its first argument."""
        function = self._known.get(name)
        if function is not None:
            return function(*args, **kwargs)
        if name.startswith("config."):
            return None
        self._declare(name, _name_of(args, kwargs))
        return ""

    def _k8s_yaml(self, yaml: Any, *_: Any, **__: Any) -> None:
        for text in _flat(yaml):
            for name in _objects(text) if "\n" in text else [text.removeprefix(_RENDERED)]:
                self._declare("k8s_yaml", name)

    def _inside(self, path: str) -> str:
        """The path relative to the root of the repository."""
        return posixpath.relpath(self._absolute(path), ROOT)

    def _exists(self, path: str) -> bool:
        inside = self._inside(path)
        return inside == "." or self._read(inside) is not None or bool(self._folder(inside))

    def _local(self, command: Any, *_: Any, **__: Any) -> str:
        """The output of a command that does not run: every program is found, and prints nothing."""
        self._has_run_commands = True
        words = " ".join(_flat(command))
        found = re.match(r"\s*(?:command -v|which|type -P)\s+([\w.-]+)", words)
        return f"/usr/bin/{found[1]}\n" if found else ""

    def _text(self, path: str) -> str | None:
        """The file's text. A file that does not exist is empty when a command could have written it."""
        text = self._read(self._inside(path))
        return "" if text is None and self._has_run_commands else text

    def _read_file(self, file_path: str, default: Any = None) -> Any:
        return self._read_decoded(file_path, default, str)

    def _read_decoded(self, path: str, default: Any, decode: Callable[[str], Any]) -> Any:
        text = self._read(self._inside(path)) if default is not None else self._text(path)
        if text is not None:
            return decode(text)
        if default is None:
            raise Refusal(f"{self._inside(path)} does not exist")
        return default

    def _listdir(self, directory: str, recursive: bool = False) -> list[str]:
        inside = self._inside(directory)
        found = [path for path in self._folder(inside) if recursive or "/" not in path[len(inside) + 1 :]]
        return [self._absolute(f"{ROOT}/{path}") for path in found]

    def _load_dynamic(self, path: str) -> Any:
        raise Refusal(f"load_dynamic('{path}') is not known to the survey")


def _name_of(args: list[Any], kwargs: dict[str, Any]) -> str:
    """The name that a call declares: its first argument, or one of the arguments with a name."""
    values = [*args[:1], *(kwargs[name] for name in _NAMES if name in kwargs)]
    return next((" ".join(texts) for value in values if (texts := _flat(value))), "")


def _flat(value: Any) -> list[str]:
    """The texts in a text or a list."""
    if isinstance(value, str):
        return [value] if value else []
    return [text for inner in value for text in _flat(inner)] if isinstance(value, list | tuple) else []


def _objects(text: str) -> Iterable[str]:
    """Kind and name of each object of a YAML text."""
    for document in decode_yaml_stream(text):
        if isinstance(document, dict):
            metadata = document.get("metadata")
            yield f"{document.get('kind', '')}/{metadata.get('name', '') if isinstance(metadata, dict) else ''}"


def _one_document(text: str) -> Any:
    documents = decode_yaml_stream(text)
    return documents[0] if documents else None


def _is_empty(text: str) -> bool:
    """Is this the output of a command that did not run, or of a chart that was not rendered?"""
    return not text or text.startswith(_RENDERED)


def _exit(*_: Any) -> None:
    raise Stop
