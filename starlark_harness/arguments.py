"""config.*: a Tiltfile's settings, from the command line after `--` and from tilt_config.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from starlark_harness.model import Refusal
from tasks.core import regular_file, strict_json

_TYPES = {"string_list": "list[string]", "string": "string", "bool": "", "object": "object"}


class Arguments:
    """The defined settings and their values. Tilt parses with pflag: lists are not split at commas, booleans take no word."""

    def __init__(self, words: tuple[str, ...]) -> None:
        self.words = words
        self.defined: dict[str, tuple[str, bool, str]] = {}
        self.folder: Path | None = None  # of the file that called config.parse

    @property
    def parsed(self) -> bool:
        """Was config.parse called?"""
        return self.folder is not None

    def define(self, kind: str, name: str, args: bool, usage: str) -> None:
        """config.define_string_list, define_string, define_bool and define_object."""
        if self.parsed:
            raise Refusal(f"config.define_{kind} cannot be called after config.parse is called")
        if name in self.defined:
            raise Refusal(f"{name} defined multiple times")
        self.defined[name] = (kind, args, usage)

    def parse(self, folder: Path) -> dict[str, Any]:
        """The given settings. The command line overrides tilt_config.json. It may be called again in the same folder."""
        if self.folder not in (None, folder):
            raise Refusal(
                "config.parse can only be called from one Tiltfile working directory per run. "
                f"It was called from {self.folder} and {folder}"
            )
        self.folder = folder
        return {**self._file(folder / "tilt_config.json"), **self._command_line()}

    def _file(self, path: Path) -> dict[str, Any]:
        if not path.is_file():
            return {}
        try:
            data = strict_json.mapping(regular_file.text(path))
        except ValueError as why:
            raise Refusal(f"error parsing json from {path}: {why}") from None
        for name, value in data.items():
            if name not in self.defined:
                raise Refusal(f"{path} specified unknown setting name '{name}'")
            wanted = {"string_list": (list, "array"), "string": (str, "string"), "bool": (bool, "bool")}
            kind, word = wanted.get(self.defined[name][0], (object, ""))
            if not isinstance(value, kind):
                raise Refusal(f"{path} specified invalid value for setting {name}: expected {word}")
        return dict(data)

    def _command_line(self) -> dict[str, Any]:
        settings: dict[str, Any] = {}
        positional: list[str] = []
        words = list(self.words)
        while words:
            word = words.pop(0)
            if word == "--":
                positional += words
                break
            if word.startswith("--"):
                self._flag(word, words, settings)
            else:
                positional.append(word)
        if positional:
            settings.setdefault(self._positional_setting(positional), []).extend(positional)
        return settings

    def _flag(self, word: str, words: list[str], settings: dict[str, Any]) -> None:
        """Store the value of one flag, which may be the next word."""
        name, equals, value = word[2:].partition("=")
        if name not in self.defined:
            raise self._bad(f"unknown flag: --{name}", usage=True)
        kind = self.defined[name][0]
        if kind == "bool":
            if name in settings:
                raise self._bad(
                    f'invalid argument "{value or "true"}" for "--{name}" flag: bool settings can only be specified once. multiple values found (last value: {value or "true"})'
                )
            settings[name] = value in {"", "true", "1"}
            return
        if not equals:
            if not words:
                raise self._bad(f"flag needs an argument: --{name}", usage=True)
            value = words.pop(0)
        if kind == "string_list":
            settings.setdefault(name, []).append(value)
        elif name in settings:
            raise self._bad(
                f'invalid argument "{value}" for "--{name}" flag: string settings can only be specified once'
            )
        else:
            settings[name] = value

    def _positional_setting(self, positional: list[str]) -> str:
        """The setting that was defined with args=True."""
        for name, (_, takes_positional, _) in self.defined.items():
            if takes_positional:
                return name
        listed = " ".join(positional)
        raise self._bad(
            f'positional CLI args ("{listed}") were specified, but none were expected.\n'
            "See https://docs.tilt.dev/tiltfile_config.html#positional-arguments for examples."
        )

    def _bad(self, text: str, usage: bool = False) -> Refusal:
        lines = ""
        if usage:
            rows = [
                (f"--{name} {_TYPES[kind]}".rstrip(), help) for name, (kind, _, help) in sorted(self.defined.items())
            ]
            width = max((len(row[0]) for row in rows), default=0) + 3
            lines = "\nUsage:\n" + "".join(f"      {row[0].ljust(width)}{row[1]}\n" for row in rows)
        return Refusal(f"invalid Tiltfile config args: {text}{lines}")
