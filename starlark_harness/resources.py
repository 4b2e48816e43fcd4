"""Tilt's built-ins for resources, with Tilt's own parameter lists."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlark_harness.files import Files, argv, decode_yaml_stream, environment, strings
from starlark_harness.model import Command, Declared, Manifest, Mode, Probe, Refusal

AUTO = Mode(False)


@dataclass(frozen=True)
class Link:
    """The value of link()."""

    url: str
    name: str


@dataclass(frozen=True)
class Forward:
    """The value of port_forward(). container: None for the same port as local."""

    local: int | None
    container: int | None
    name: str


class Resources:
    """wrap: makes a value opaque to the engine, so that it is passed through unchanged."""

    def __init__(self, declared: Declared, files: Files, wrap: Callable[[Any], Any]) -> None:
        self._declared, self._files, self._wrap = declared, files, wrap

    def local_resource(
        self,
        name: str,
        cmd: Any = "",
        deps: Any = None,
        trigger_mode: Any = AUTO,
        resource_deps: Any = (),
        ignore: Any = (),
        auto_init: bool = True,
        serve_cmd: Any = "",
        cmd_bat: Any = "",
        serve_cmd_bat: Any = "",
        allow_parallel: bool = False,
        links: Any = (),
        labels: Any = (),
        env: Any = None,
        serve_env: Any = None,
        readiness_probe: Any = None,
        dir: str = "",
        serve_dir: str = "",
    ) -> None:
        update, serve = argv(cmd, "cmd"), argv(serve_cmd, "serve_cmd")
        if not update and not serve:
            raise Refusal("local_resource must have a cmd and/or a serve_cmd, but both were empty")
        if dir and not update:
            raise Refusal("'dir' only affects 'cmd', not 'serve_cmd'. Did you mean to use 'serve_dir' instead?")
        if serve_dir and not serve:
            raise Refusal("'serve_dir' only affects 'serve_cmd', not 'cmd'. Did you mean to use 'dir' instead?")
        if readiness_probe is not None and not serve:
            self._declared.warn(f'Ignoring readiness probe for local resource "{name}" (no serve_cmd was defined)')
        mode = _mode(trigger_mode)
        self._declared.add(
            Manifest(
                name,
                "local",
                update=self._command(update, dir, env, "env"),
                serve=self._command(serve, serve_dir, serve_env, "serve_env"),
                deps=self._files.paths(deps, "deps"),
                resource_deps=strings(resource_deps, "resource_deps"),
                labels=_labels(labels),
                links=_links(links),
                trigger=mode.trigger(auto_init),
                auto_init=auto_init,
                allow_parallel=allow_parallel,
                probe=readiness_probe if serve else None,
            )
        )

    def _command(self, words: tuple[str, ...], folder: str, env: Any, parameter: str) -> Command | None:
        """A command of a resource, if it has one. parameter: the name of `env` in error texts."""
        if not words:
            return None
        return Command(words, self._files.absolute(folder or "."), environment(env, parameter))

    def probe(
        self,
        initial_delay_secs: float = 0,
        timeout_secs: float = 1,
        period_secs: float = 10,
        success_threshold: int = 1,
        failure_threshold: int = 3,
        exec: Any = None,
        http_get: Any = None,
        tcp_socket: Any = None,
    ) -> Any:
        if sum(action is not None for action in (exec, http_get, tcp_socket)) != 1:
            raise Refusal("exactly one of exec, http_get, or tcp_socket must be specified")
        return self._wrap(Probe(period_secs, timeout_secs, initial_delay_secs, exec or (), http_get, tcp_socket))

    def exec_action(self, command: Any) -> Any:
        return self._wrap(strings(command, "command"))

    def http_get_action(self, port: int, host: str = "localhost", scheme: str = "http", path: str = "") -> Any:
        return self._wrap((host, port, path))

    def tcp_socket_action(self, port: int, host: str = "localhost") -> Any:
        return self._wrap((host, port))

    def link(self, url: str, name: str = "") -> Any:
        return self._wrap(Link(url, name))

    def port_forward(
        self, local_port: int, container_port: int | None = None, name: str = "", link_path: str = "", host: str = ""
    ) -> Any:
        return self._wrap(Forward(_port(local_port, "local_port"), _port(container_port, "container_port"), name))

    def k8s_custom_deploy(
        self,
        name: str,
        apply_cmd: Any,
        delete_cmd: Any,
        deps: Any,
        image_selector: str = "",
        live_update: Any = (),
        apply_dir: str = "",
        apply_env: Any = None,
        apply_cmd_bat: Any = "",
        delete_dir: str = "",
        delete_env: Any = None,
        delete_cmd_bat: Any = "",
        container_selector: str = "",
        image_deps: Any = (),
    ) -> None:
        if live_update and bool(image_selector) == bool(container_selector):
            raise Refusal(
                "k8s_custom_deploy with live_update needs exactly one of image_selector or container_selector"
            )
        self._declared.add(
            Manifest(
                name,
                "deploy",
                apply=Command(
                    argv(apply_cmd, "apply_cmd"),
                    self._files.absolute(apply_dir or "."),
                    environment(apply_env, "apply_env"),
                ),
                delete=Command(
                    argv(delete_cmd, "delete_cmd"),
                    self._files.absolute(delete_dir or "."),
                    environment(delete_env, "delete_env"),
                ),
                deps=self._files.paths(deps, "deps"),
                images=strings(image_deps, "image_deps"),
            )
        )

    def k8s_resource(
        self,
        workload: str = "",
        new_name: str = "",
        port_forwards: Any = (),
        extra_pod_selectors: Any = (),
        trigger_mode: Any = AUTO,
        resource_deps: Any = (),
        objects: Any = (),
        auto_init: bool = True,
        pod_readiness: str = "",
        links: Any = (),
        labels: Any = (),
        discovery_strategy: str = "",
    ) -> None:
        if pod_readiness not in {"", "ignore", "wait"}:
            raise Refusal(f"Invalid value. Allowed: {{ignore, wait}}. Got: {pod_readiness}")
        self._declared.resource_options.append(
            {
                "workload": workload,
                "new_name": new_name,
                "labels": _labels(labels),
                "links": _links(links),
                "resource_deps": strings(resource_deps, "resource_deps"),
                "auto_init": auto_init,
                "mode": _mode(trigger_mode),
            }
        )

    def k8s_yaml(self, yaml: Any, allow_duplicates: bool = False) -> None:
        for text in strings(yaml, "yaml"):
            content = text if "\n" in text else self._files.text(text) or ""  # a blob has several lines, a path has one
            self._declared.objects += decode_yaml_stream(content, text)


def _mode(value: Any) -> Mode:
    if not isinstance(value, Mode):
        kind = "string" if isinstance(value, str) else type(value).__name__
        raise Refusal(f'for parameter "trigger_mode": got {kind}, want TriggerMode')
    return value


def _port(value: Any, parameter: str) -> int | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        kind = "string" if isinstance(value, str) else type(value).__name__
        raise Refusal(f'for parameter "{parameter}": got {kind}, want int')
    return value


def _labels(value: Any) -> tuple[str, ...]:
    names = strings(value, "labels")
    for label in names:
        if "/" in label:
            raise Refusal(f'Invalid label "{label}": cannot contain /')
        if not re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", label):
            raise Refusal(f'Invalid label "{label}"')
    return names


def _links(value: Any) -> tuple[tuple[str, str], ...]:
    items = [value] if isinstance(value, (str, Link)) else list(value or ())
    return tuple((item, "") if isinstance(item, str) else (item.url, item.name) for item in items)
