"""Image names of a local registry: the host is removed, so that default_registry() of the settings is put in front."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import libcst as cst

from migration.edit.tiltfile.local import LocalCluster
from migration.edit.tiltfile.syntax import content, is_call_of, parse

_HOST = r"(?:localhost|127\.0\.0\.1|[\w-]+(?:\.[\w-]+)*)"
_IMAGE = re.compile(rf"(?<![\w./:@-])({_HOST}(?::\d+)?)/(?=[\w{{%$]|$)")
_REGISTRY = re.compile(rf"({_HOST}(?::\d+)?)((?:/[\w.-]+)*)/?")
_REGISTRY_NAME = re.compile(r"regist|image|repo|docker", re.IGNORECASE)
_REGISTRY_PORT = re.compile(r":(50\d\d|32000)$")
_COMMANDS = {"local_resource", "local", "run", "test", "cmd_button"}  # what these run, this machine runs
_COMMAND_ARGUMENTS = {"command", "cmd", "serve_cmd", "apply_cmd", "delete_cmd", "entrypoint"}


class Repointed(NamedTuple):
    """The text after the edit, and the image names that changed: before -> after."""

    text: str
    images: dict[str, str]


def repoint_images(text: str, local: LocalCluster, registry: str) -> Repointed:
    """The text whose images have no local registry in their names.

    registry: the expression of the settings' registry, for variables with the host of a local one; empty: they stay.
    Commands that this machine runs stay as they are: for them, a name without a host would be an image of Docker Hub.
    """
    module = parse(text)
    built = _BuiltHosts()
    module.visit(built)
    repoint = _Repoint(local, registry, built.hosts)
    return Repointed(module.visit(repoint).code, repoint.images)


class _BuiltHosts(cst.CSTVisitor):
    """Collects the hosts in the names of images that are built."""

    def __init__(self) -> None:
        super().__init__()
        self.hosts: set[str] = set()

    def visit_Call(self, node: cst.Call) -> None:
        name = node.func.value if isinstance(node.func, cst.Name) else ""
        first = next((arg.value for arg in node.args if arg.keyword is None or arg.keyword.value == "ref"), None)
        match = _IMAGE.match(content(first)) if "build" in name and isinstance(first, cst.SimpleString) else None
        if match is not None:
            self.hosts.add(match[1])


def without_host(name: str, local: LocalCluster) -> str:
    """A name without any host of the local cluster, to compare it with."""
    return _IMAGE.sub(lambda match: "" if local.has_text(match[1]) else match[0], name)


class _Repoint(cst.CSTTransformer):
    def __init__(self, local: LocalCluster, registry: str, built: set[str]) -> None:
        super().__init__()
        self.local, self.registry, self.built = local, registry, built
        self.images: dict[str, str] = {}
        self._commands = 0  # commands around the node
        self._command_arguments: list[cst.Arg] = []

    def visit_Call(self, node: cst.Call) -> None:
        if is_call_of(node, "custom_build"):
            self._command_arguments += node.args[1:2]
        self._commands += any(is_call_of(node, name) for name in _COMMANDS)

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> Any:
        self._commands -= any(is_call_of(original_node, name) for name in _COMMANDS)
        if is_call_of(updated_node, "custom_build") and len(updated_node.args) > 1:
            return _with_expected_ref(original_node, updated_node, self.images)
        return updated_node

    def visit_Arg(self, node: cst.Arg) -> None:
        self._commands += self._is_command(node)

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> Any:
        self._commands -= self._is_command(original_node)
        return updated_node

    def _is_command(self, node: cst.Arg) -> bool:
        if node.keyword is not None:
            return node.keyword.value in _COMMAND_ARGUMENTS
        return any(node is argument for argument in self._command_arguments)

    def _is_registry(self, host: str) -> bool:
        """Is this the host of a registry of the local cluster?"""
        is_named_so = bool(_REGISTRY_PORT.search(host)) or "reg" in host
        return self.local.has_text(host) and (is_named_so or host in self.built)

    def leave_SimpleString(self, original_node: cst.SimpleString, updated_node: cst.SimpleString) -> Any:
        if self._commands or _has_blank(content(updated_node)):
            return updated_node
        old = content(updated_node)
        new = _IMAGE.sub(lambda match: "" if self._is_registry(match[1]) else match[0], old)
        if new == old:
            return updated_node
        self.images[old] = new
        return _with_content(updated_node, new)

    def leave_Assign(self, original_node: cst.Assign, updated_node: cst.Assign) -> Any:
        """Give a variable with a local registry's host the registry of the settings."""
        target = original_node.targets[0].target
        name = target.value if isinstance(target, cst.Name) else ""
        if not self.registry or not name:
            return updated_node
        value = original_node.value
        if isinstance(value, cst.SimpleString):
            new = self._registry_of(name, content(value))
            return updated_node if new is None else updated_node.with_changes(value=new)
        if isinstance(value, cst.Call) and len(value.args) == 2 and isinstance(value.args[1].value, cst.SimpleString):
            new = self._registry_of(name, content(value.args[1].value))  # os.getenv('REGISTRY', 'localhost:5000')
            if new is not None and isinstance(value.func, cst.Attribute):
                call = value.with_changes(args=[value.args[0], value.args[1].with_changes(value=new)])
                return updated_node.with_changes(value=call)
        return updated_node

    def _registry_of(self, variable: str, text: str) -> cst.BaseExpression | None:
        """The expression for a string that is a local registry, with the same path; None for anything else."""
        match = _REGISTRY.fullmatch(text)
        if match is None or not self.local.has_text(match[1]):
            return None
        is_host = not match[2] or _REGISTRY_NAME.search(variable)
        if not is_host or not (self._is_registry(match[1]) or _REGISTRY_NAME.search(variable)):
            return None
        self.images.pop(text, None)
        path = text.removeprefix(match[1])
        return cst.parse_expression(f"{self.registry} + '{path}'" if path else self.registry)


def _has_blank(text: str) -> bool:
    """A text of several words is a command or a sentence, not an image's name."""
    return any(character.isspace() for character in text)


def _with_expected_ref(original: cst.Call, updated: cst.Call, images: dict[str, str]) -> Any:
    """The custom_build() whose command names its image by $EXPECTED_REF. Its tag is then Tilt's."""
    first, command = original.args[0].value, original.args[1]
    if not isinstance(first, cst.SimpleString) or content(first) not in images:
        return updated
    if not isinstance(command.value, cst.SimpleString) or _has_tag(original):
        return updated
    pattern = re.compile(rf"(?<![\w./:@-]){re.escape(content(first))}(:[\w.-]+)?(?![\w./-])")
    text = pattern.sub("$EXPECTED_REF", content(command.value))
    args = list(updated.args)
    args[1] = args[1].with_changes(value=_with_content(command.value, text))
    return updated.with_changes(args=args)


def _has_tag(call: cst.Call) -> bool:
    return any(arg.keyword is not None and arg.keyword.value in {"tag", "outputs_image_ref_to"} for arg in call.args)


def _with_content(node: cst.SimpleString, text: str) -> cst.SimpleString:
    return node.with_changes(value=f"{node.prefix}{node.quote}{text}{node.quote}")
