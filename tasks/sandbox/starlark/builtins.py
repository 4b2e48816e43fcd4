"""Tilt's built-ins with Tilt's own parameter lists; what they declare goes into a Declared."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tasks.sandbox.starlark.files import Files, argv, environment, strings
from tasks.sandbox.starlark.model import (
    Command,
    Declared,
    Image,
    Manifest,
    Mode,
    Probe,
    Refusal,
    Step,
    Stop,
    in_order,
)

VERSION = "0.37.6"
AUTO = Mode(False)
_LOCAL_CONTEXTS = re.compile(
    r"^(minikube|docker-desktop|docker-for-desktop|microk8s|kind-|k3d-|rancher-desktop|colima|orbstack)"
)


class Builtins:
    """One evaluation's built-ins. `unwrap` turns an opaque object of the engine back into ours."""

    def __init__(
        self, declared: Declared, files: Files, context: str, run: Callable[..., str], wrap: Callable[[Any], Any]
    ) -> None:
        self.declared, self.files, self.context, self.run_command, self.wrap = declared, files, context, run, wrap

    def may_deploy(self) -> bool:
        """Tilt's own check: no context at all, one that it takes for local, or one that was allowed."""
        return not self.context or bool(_LOCAL_CONTEXTS.match(self.context)) or self.context in self.declared.allowed

    # What is about the cluster and the session.

    def allow_k8s_contexts(self, contexts: Any) -> None:
        self.declared.allowed += strings(contexts, "contexts")

    def default_registry(self, host: str, host_from_cluster: Any = None, single_name: str = "") -> None:
        if self.declared.registry:
            raise Refusal("default registry already defined")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*(:\d+)?(/[a-z0-9._/-]+)?", host):
            raise Refusal(f'validating defaultRegistry: host: Invalid value: "{host}": invalid reference format')
        self.declared.registry = host

    def update_settings(
        self,
        max_parallel_updates: int = 3,
        k8s_upsert_timeout_secs: int = 30,
        suppress_unused_image_warnings: Any = None,
        k8s_server_side_apply: str = "auto",
    ) -> None:
        if max_parallel_updates < 1:
            raise Refusal(f"max number of parallel updates must be >= 1(got: {max_parallel_updates})")
        if not isinstance(k8s_upsert_timeout_secs, int) or k8s_upsert_timeout_secs < 1:
            raise Refusal(f"minimum k8s upsert timeout is 1s; got {k8s_upsert_timeout_secs}")
        self.declared.settings.update(max_parallel_updates=max_parallel_updates, upsert_timeout=k8s_upsert_timeout_secs)

    def version_settings(self, check_updates: bool = True, constraint: str = "") -> None:
        if constraint and not _satisfies(VERSION, constraint):
            raise Refusal(
                f"you are running Tilt version {VERSION}, which doesn't match the version constraint specified in your Tiltfile: '{constraint}'"
            )

    def docker_prune_settings(
        self,
        disable: bool = False,
        max_age_mins: int = 360,
        num_builds: int = 0,
        interval_hrs: int = 1,
        keep_recent: int = 2,
    ) -> None:
        if num_builds and interval_hrs != 1:
            raise Refusal(
                "can't specify both 'prune every X builds' and 'prune every Y hours'; please pass only one of `num_builds` and `interval_hrs`"
            )

    def watch_settings(self, ignore: Any = None) -> None:
        strings(ignore, "ignore")

    def secret_settings(self, disable_scrub: bool = False) -> None:
        """Nothing that this harness could show."""

    def analytics_settings(self, enable: bool) -> None:
        """Nothing that this harness could show."""

    def ci_settings(self, k8s_grace_period: str = "", timeout: str = "", readiness_timeout: str = "") -> None:
        self.declared.settings["ci_timeout"] = timeout

    # What runs, says or stops while the file is read.

    def local(
        self,
        command: Any,
        quiet: bool = False,
        command_bat: Any = "",
        echo_off: bool = False,
        env: Any = None,
        dir: str = "",
        stdin: Any = None,
    ) -> str:
        if not self.may_deploy():
            raise Refusal(
                f"Refusing to run 'local' because {self.context} might be a production kube context.\n"
                f"If you're sure you want to continue add:\n\tallow_k8s_contexts('{self.context}')\n"
                "before this function call in your Tiltfile. Otherwise, switch k8s contexts and restart Tilt."
            )
        words = argv(command, "command")
        self.declared.commands.append(words)
        return self.run_command(words, environment(env, "env"), self.files.absolute(dir or "."))

    def warn(self, msg: str) -> None:
        self.declared.log.append(msg)

    def exit(self, code: Any = "") -> None:
        self.declared.log.append(str(code))
        raise Stop

    # Local resources.

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
            self.declared.log.append(f'Ignoring readiness probe for local resource "{name}" (no serve_cmd was defined)')
        mode = _mode(trigger_mode)
        self.declared.add(
            Manifest(
                name,
                "local",
                update=Command(update, self.files.absolute(dir or "."), environment(env, "env")) if update else None,
                serve=Command(serve, self.files.absolute(serve_dir or "."), environment(serve_env, "serve_env"))
                if serve
                else None,
                deps=self.files.paths(deps, "deps"),
                resource_deps=strings(resource_deps, "resource_deps"),
                labels=_labels(labels),
                links=_links(links),
                trigger=mode.trigger(auto_init),
                auto_init=auto_init,
                allow_parallel=allow_parallel,
                probe=readiness_probe if serve else None,
            )
        )

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
        return self.wrap(Probe(period_secs, timeout_secs, initial_delay_secs, exec or (), http_get, tcp_socket))

    def exec_action(self, command: Any) -> Any:
        return self.wrap(strings(command, "command"))

    def http_get_action(self, port: int, host: str = "localhost", scheme: str = "http", path: str = "") -> Any:
        return self.wrap((host, port, path))

    def tcp_socket_action(self, port: int, host: str = "localhost") -> Any:
        return self.wrap((host, port))

    def link(self, url: str, name: str = "") -> Any:
        return self.wrap((url, name))

    # Images.

    def docker_build(
        self,
        ref: str,
        context: str,
        build_args: Any = None,
        dockerfile: str = "",
        dockerfile_contents: Any = "",
        live_update: Any = (),
        match_in_env_vars: bool = False,
        ignore: Any = (),
        only: Any = (),
        entrypoint: Any = (),
        target: str = "",
        ssh: Any = "",
        network: str = "",
        secret: Any = "",
        extra_tag: Any = "",
        container_args: Any = None,
        cache_from: Any = (),
        pull: bool = False,
        platform: str = "",
        extra_hosts: Any = (),
    ) -> None:
        environment(build_args, "build_args")
        place = Path(self.files.absolute(context))
        file = self.files.absolute(dockerfile) if dockerfile else str(place / "Dockerfile")
        if not dockerfile_contents and not Path(file).is_file():
            raise Refusal(f"error reading dockerfile: open {file}: no such file or directory")
        if ref in self.declared.images:
            raise Refusal(f'Image for ref "{ref}" has already been defined')
        chosen = strings(only, "only")
        for path in chosen:
            if "*" in path:
                raise Refusal(f"'only' does not support '*' file globs. Must be a real path: {path}")
        steps = tuple(live_update or ())
        if not all(isinstance(step, Step) for step in steps):
            raise Refusal("live_update must be a list of live update steps")
        in_order(steps)
        watched = [str(place / path) for path in chosen] or [str(place)]
        for step in steps:
            for path in step.paths if step.kind in {"sync", "fall_back_on"} else ():
                if not any(path == w or path.startswith(w.rstrip("/") + "/") for w in watched):
                    raise Refusal(f"sync step source '{path}' is not a child of any watched filepaths ({watched})")
        self.declared.images[ref] = Image(ref, str(place), file, chosen, strings(ignore, "ignore"), platform, steps)

    def sync(self, local_path: str, remote_path: str) -> Any:
        if not remote_path.startswith("/"):
            raise Refusal(f"sync destination '{remote_path}' is not absolute")
        return self.wrap(Step("sync", (self.files.absolute(local_path),), remote_path))

    def run(self, cmd: Any, trigger: Any = (), echo_off: bool = False) -> Any:
        return self.wrap(Step("run", self.files.paths(trigger, "trigger"), command=argv(cmd, "cmd")))

    def fall_back_on(self, files: Any) -> Any:
        return self.wrap(Step("fall_back_on", self.files.paths(files, "files")))

    def initial_sync(self) -> Any:
        return self.wrap(Step("initial_sync"))

    # Kubernetes.

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
        self.declared.add(
            Manifest(
                name,
                "deploy",
                apply=Command(
                    argv(apply_cmd, "apply_cmd"),
                    self.files.absolute(apply_dir or "."),
                    environment(apply_env, "apply_env"),
                ),
                delete=Command(
                    argv(delete_cmd, "delete_cmd"),
                    self.files.absolute(delete_dir or "."),
                    environment(delete_env, "delete_env"),
                ),
                deps=self.files.paths(deps, "deps"),
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
        self.declared.resource_options.append(
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
        from tasks.sandbox.starlark.files import decode_yaml_stream

        for text in strings(yaml, "yaml"):
            content = text if "\n" in text else self.files.text(text) or ""  # a blob has lines, a path has none
            self.declared.objects += decode_yaml_stream(content, text)


def _mode(value: Any) -> Mode:
    if not isinstance(value, Mode):
        kind = "string" if isinstance(value, str) else type(value).__name__
        raise Refusal(f'for parameter "trigger_mode": got {kind}, want TriggerMode')
    return value


def _labels(value: Any) -> tuple[str, ...]:
    found = strings(value, "labels")
    for label in found:
        if "/" in label:
            raise Refusal(f'Invalid label "{label}": cannot contain /')
        if not re.fullmatch(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", label):
            raise Refusal(f'Invalid label "{label}"')
    return found


def _links(value: Any) -> tuple[tuple[str, str], ...]:
    items = [value] if isinstance(value, (str, tuple)) else list(value or ())
    return tuple((item, "") if isinstance(item, str) else (item[0], item[1]) for item in items)


def _satisfies(version: str, constraint: str) -> bool:
    found = re.fullmatch(r"\s*(>=|<=|>|<|=|==)?\s*v?(\d+)\.(\d+)\.(\d+)\s*", constraint)
    if not found:
        raise Refusal(f"invalid version constraint: {constraint}")
    mine = tuple(int(part) for part in version.split("."))
    other = tuple(int(part) for part in found.groups()[1:])
    sign = found.group(1) or "=="
    return {">=": mine >= other, "<=": mine <= other, ">": mine > other, "<": mine < other}.get(sign, mine == other)
