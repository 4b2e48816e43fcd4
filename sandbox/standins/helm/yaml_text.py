"""YAML as Helm reads and writes it."""

from __future__ import annotations

from typing import Any


def to_yaml(value: Any) -> str:
    """YAML as Helm writes it: sorted keys, strings that look like another type in double quotes, no final newline."""
    import yaml

    class Dumper(yaml.SafeDumper):
        """A separate dumper: its representer must not affect other dumpers."""

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        if "\n" in value:
            return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|")
        resolved: str = dumper.resolve(yaml.ScalarNode, value, (True, False))  # type: ignore[no-untyped-call]
        plain = resolved == "tag:yaml.org,2002:str" and value not in ("y", "n", "Y", "N")  # booleans in YAML 1.1
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if plain else '"')

    Dumper.add_representer(str, text)
    text_of_value = yaml.dump(value, Dumper=Dumper, default_flow_style=False, allow_unicode=True, width=1 << 20)
    return str(text_of_value).removesuffix("\n").removesuffix("\n...")


def from_yaml(text: str) -> Any:
    """Parse a map. As in Helm, an error is returned as a map with the key `Error`."""
    import yaml

    try:
        return yaml.safe_load(text) or {}
    except yaml.YAMLError as why:
        return {"Error": str(why)}
