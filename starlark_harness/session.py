"""Tilt's built-ins about the cluster and the session, with Tilt's own parameter lists."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from starlark_harness.files import Files, argv, environment, strings
from starlark_harness.model import Declared, Refusal, Stop

VERSION = "0.37.6"
_LOCAL_CONTEXTS = re.compile(
    r"^(minikube|docker-desktop|docker-for-desktop|microk8s|kind-|k3d-|rancher-desktop|colima|orbstack)"
)


class Session:
    """context: the value of k8s_context(); run: executes local()."""

    def __init__(self, declared: Declared, files: Files, context: str, namespace: str, run: Callable[..., str]) -> None:
        self._declared, self._files, self._context, self._run = declared, files, context, run
        self._namespace = namespace

    def _may_deploy(self) -> bool:
        """Tilt's check of the context: none, one that looks local, or an allowed one."""
        return (
            not self._context or bool(_LOCAL_CONTEXTS.match(self._context)) or self._context in self._declared.allowed
        )

    def k8s_context(self) -> str:
        return self._context

    def k8s_namespace(self) -> str:
        return self._namespace if self._context else ""

    def allow_k8s_contexts(self, contexts: Any) -> None:
        self._declared.allowed += strings(contexts, "contexts")

    def default_registry(self, host: str, host_from_cluster: Any = None, single_name: str = "") -> None:
        if self._declared.registry:
            raise Refusal("default registry already defined")
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*(:\d+)?(/[a-z0-9._/-]+)?", host):
            raise Refusal(f'validating defaultRegistry: host: Invalid value: "{host}": invalid reference format')
        self._declared.registry = host

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
        self._declared.settings.update(
            max_parallel_updates=max_parallel_updates, upsert_timeout=k8s_upsert_timeout_secs
        )

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
        """Ignored: it has no effect on the result."""

    def analytics_settings(self, enable: bool) -> None:
        """Ignored: it has no effect on the result."""

    def ci_settings(self, k8s_grace_period: str = "", timeout: str = "", readiness_timeout: str = "") -> None:
        self._declared.settings["ci_timeout"] = timeout

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
        if not self._may_deploy():
            raise Refusal(
                f"Refusing to run 'local' because {self._context} might be a production kube context.\n"
                f"If you're sure you want to continue add:\n\tallow_k8s_contexts('{self._context}')\n"
                "before this function call in your Tiltfile. Otherwise, switch k8s contexts and restart Tilt."
            )
        words = argv(command, "command")
        self._declared.commands.append(words)
        return self._run(words, environment(env, "env"), self._files.absolute(dir or "."))

    def warn(self, msg: str) -> None:
        self._declared.warn(msg)

    def exit(self, code: Any = "") -> None:
        self._declared.log.append(str(code))
        raise Stop


def _satisfies(version: str, constraint: str) -> bool:
    match = re.fullmatch(r"\s*(>=|<=|>|<|=|==)?\s*v?(\d+)\.(\d+)\.(\d+)\s*", constraint)
    if not match:
        raise Refusal(f"invalid version constraint: {constraint}")
    mine = tuple(int(part) for part in version.split("."))
    other = tuple(int(part) for part in match.groups()[1:])
    sign = match.group(1) or "=="
    return {">=": mine >= other, "<=": mine <= other, ">": mine > other, "<": mine < other}.get(sign, mine == other)
