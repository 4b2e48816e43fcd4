"""Tilt's built-ins for images and live update, with Tilt's own parameter lists."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlark_harness.files import Files, argv, environment, strings
from starlark_harness.model import Command, Declared, Image, Refusal, Step, in_order


class Images:
    """wrap: makes a value opaque to the engine, so that it is passed through unchanged."""

    def __init__(self, declared: Declared, files: Files, wrap: Callable[[Any], Any]) -> None:
        self._declared, self._files, self._wrap = declared, files, wrap

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
        place = Path(self._files.absolute(context))
        file = self._files.absolute(dockerfile) if dockerfile else str(place / "Dockerfile")
        if not dockerfile_contents and not Path(file).is_file():
            raise Refusal(f"error reading dockerfile: open {file}: no such file or directory")
        self._must_be_new(ref)
        chosen = strings(only, "only")
        for path in chosen:
            if "*" in path:
                raise Refusal(f"'only' does not support '*' file globs. Must be a real path: {path}")
        steps = _steps(live_update, [str(place / path) for path in chosen] or [str(place)])
        self._declared.images[ref] = Image(ref, str(place), file, chosen, strings(ignore, "ignore"), platform, steps)

    def custom_build(
        self,
        ref: str,
        command: Any,
        deps: Any,
        tag: str = "",
        disable_push: bool = False,
        skips_local_docker: bool = False,
        live_update: Any = (),
        match_in_env_vars: bool = False,
        ignore: Any = (),
        entrypoint: Any = (),
        container_args: Any = None,
        command_bat_val: Any = "",
        outputs_image_ref_to: str = "",
        command_bat: Any = "",
        image_deps: Any = (),
        env: Any = None,
        dir: str = "",
    ) -> None:
        words, watched = argv(command, "command"), self._files.paths(deps, "deps")
        if not words:
            raise Refusal("Argument 2 (command) can't be empty")
        if not watched:
            raise Refusal("Argument 3 (deps) can't be empty")
        if tag and outputs_image_ref_to:
            raise Refusal("Cannot specify both tag= and outputs_image_ref_to=")
        self._must_be_new(ref)
        folder = self._files.absolute(dir or ".")
        self._declared.images[ref] = Image(
            ref,
            folder,
            dockerfile="",
            ignore=strings(ignore, "ignore"),
            live_update=_steps(live_update, list(watched)),
            command=Command(words, folder, environment(env, "env")),
            deps=watched,
            images=strings(image_deps, "image_deps"),
            tag=tag,
            local=not skips_local_docker,
            push=not (disable_push or skips_local_docker),
        )

    def _must_be_new(self, ref: str) -> None:
        if ref in self._declared.images:
            raise Refusal(f'Image for ref "{ref}" has already been defined')

    def sync(self, local_path: str, remote_path: str) -> Any:
        if not remote_path.startswith("/"):
            raise Refusal(f"sync destination '{remote_path}' is not absolute")
        return self._wrap(Step("sync", (self._files.absolute(local_path),), remote_path))

    def run(self, cmd: Any, trigger: Any = (), echo_off: bool = False) -> Any:
        return self._wrap(Step("run", self._files.paths(trigger, "trigger"), command=argv(cmd, "cmd")))

    def fall_back_on(self, files: Any) -> Any:
        return self._wrap(Step("fall_back_on", self._files.paths(files, "files")))

    def initial_sync(self) -> Any:
        return self._wrap(Step("initial_sync"))


def _steps(live_update: Any, watched: list[str]) -> tuple[Step, ...]:
    """The steps of a live update. Raises Refusal for a sync from a path that is not watched."""
    steps = tuple(live_update or ())
    if not all(isinstance(step, Step) for step in steps):
        raise Refusal("live_update must be a list of live update steps")
    in_order(steps)
    for step in steps:
        for path in step.paths if step.kind in {"sync", "fall_back_on"} else ():
            if not any(path == w or path.startswith(w.rstrip("/") + "/") for w in watched):
                raise Refusal(f"sync step source '{path}' is not a child of any watched filepaths ({watched})")
    return steps
