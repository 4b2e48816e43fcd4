"""The update of a resource in the cluster: build and push its image, run its deploy command, watch its pods."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from starlark_harness import Image, Manifest
from starlark_harness.model import Command

Say = Callable[[str], None]
_NOT_TAGGED = (
    "Could not find image in Docker\nDid your custom_build script properly tag the image?\nIf your custom_build doesn't use "
    "Docker, you might need to use skips_local_docker=True, see https://docs.tilt.dev/custom_build.html\n: "
)
_SKIPPED = {".git", "node_modules", "__pycache__", ".venv"}


class BuildFailed(Exception):
    """An update failed. Tilt shows the text after `Build Failed: `."""


def tagged(image: Image) -> str:
    """The reference with a tag derived from the content, like Tilt's."""
    made = hashlib.sha256(Path(image.dockerfile).read_bytes() if image.command is None else b"")
    for path in image.deps or image.only or ("",):
        place = Path(image.context, path)
        for file in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if not _SKIPPED & set(file.parts) and file.is_file():
                made.update(os.path.relpath(file, image.context).encode() + b"\0" + file.read_bytes())
    return f"{image.ref}:tilt-{made.hexdigest()[:16]}"


def build_and_push(image: Image, env: Mapping[str, str], say: Say, steps: int) -> str:
    """Build and push the image. Returns the pushed reference. Raises BuildFailed."""
    ref = _by_command(image, image.command, env, say, steps) if image.command else _by_docker(image, env, say, steps)
    if image.push:
        say(f"\nSTEP 2/{steps} — Pushing {ref}\n     Pushing with Docker client")
        say(f"     Authenticating to image repo: {image.ref}\n     Sending image data")
        _docker(["docker", "push", ref], env, f'docker push: pushing image "{image.ref}": ')
    return ref


def _by_docker(image: Image, env: Mapping[str, str], say: Say, steps: int) -> str:
    """Build an image of docker_build."""
    ref = tagged(image)
    say(f"STEP 1/{steps} — Building Dockerfile: [{image.name}]\nBuilding Dockerfile:")
    say("\n".join(f"  {line}" for line in Path(image.dockerfile).read_text().splitlines()))
    words = ["docker", "build", "--quiet", "--file", image.dockerfile, "--tag", ref]
    words += ["--platform", image.platform] if image.platform else []
    _docker([*words, image.context], env, "")
    return ref


def _by_command(image: Image, command: Command, env: Mapping[str, str], say: Say, steps: int) -> str:
    """Build an image of custom_build. The command creates EXPECTED_REF; an image in Docker gets a tag derived from its content."""
    expected = f"{image.ref}:{image.tag or f'tilt-build-{time.time_ns() // 1_000_000_000}'}"
    registry, _, _ = image.ref.rpartition("/")
    name, _, tag = expected.rpartition(":")
    given = {"EXPECTED_REF": expected, "EXPECTED_IMAGE": name, "EXPECTED_TAG": tag, "EXPECTED_REGISTRY": registry}
    say(f"STEP 1/{steps} — Building Custom Build: [{image.name}]\nCustom Build: Injecting Environment Variables")
    say("\n".join(f"  {key}={value}" for key, value in given.items()))
    say(f"Running cmd: {command.shown}")
    done = _run(command.argv, {**env, **given, **command.env}, command.folder, 1800)
    if done is None:
        raise BuildFailed("context deadline exceeded")
    output = (done.stdout + done.stderr).rstrip()
    if output:
        say(output)
    if done.returncode != 0:
        raise BuildFailed(f"Custom build {command.shown!r} failed: exit status {done.returncode}")
    if not image.local:
        return expected
    _docker(["docker", "inspect", expected], env, _NOT_TAGGED)
    ref = tagged(image)
    _docker(["docker", "tag", expected, ref], env, "")
    return ref


def apply(
    manifest: Manifest, refs: list[str], env: Mapping[str, str], say: Say, timeout: float
) -> list[dict[str, Any]]:
    """Run the deploy command and return the objects that it printed. Raises BuildFailed."""
    assert manifest.apply is not None
    images = {f"TILT_IMAGE_{number}": ref for number, ref in enumerate(refs)}
    images |= {f"TILT_IMAGE_MAP_{number}": name for number, name in enumerate(manifest.images)}
    say(f"Running cmd: {manifest.apply.shown}")
    done = _run(manifest.apply.argv, {**env, **images, **manifest.apply.env}, manifest.apply.folder, timeout)
    if done is None:
        raise BuildFailed(
            f"apply command timed out after {timeout:g}s - see https://docs.tilt.dev/api.html#api.update_settings "
            "for how to increase"
        )
    if done.stderr.strip():
        say(done.stderr.rstrip())
    if done.returncode != 0:
        raise BuildFailed(f"apply command exited with status {done.returncode}")
    objects = _objects(done.stdout)
    listed = [f"       → {o['metadata']['name']}:{str(o['kind']).lower()}" for o in objects]
    say("\n".join(["     Objects applied to cluster:", *listed]))
    return objects


def _objects(text: str) -> list[dict[str, Any]]:
    """The objects in YAML documents, and in lists among them. Raises BuildFailed."""
    try:
        documents = [d for d in yaml.safe_load_all(text) if isinstance(d, dict)]
    except yaml.YAMLError as why:
        raise BuildFailed(f"apply command returned malformed YAML: {why}") from None
    return [o for d in documents for o in (d.get("items") or [] if d.get("kind") == "List" else [d])]


def delete(manifest: Manifest, env: Mapping[str, str], say: Say) -> int:
    """Run the delete command and return its exit code."""
    assert manifest.delete is not None
    say(f"Running cmd: {manifest.delete.shown}")
    done = _run(manifest.delete.argv, {**env, **manifest.delete.env}, manifest.delete.folder, 300)
    if done is None:
        return 137
    output = (done.stderr + done.stdout).strip()
    if output:
        say(output)
    return done.returncode


def pods_ready(objects: list[dict[str, Any]], env: Mapping[str, str]) -> bool:
    """Are the Deployments among the objects available in the cluster?"""
    for item in objects:
        if item.get("kind") != "Deployment":
            continue
        meta = item["metadata"]
        place = ["--namespace", str(meta["namespace"])] if meta.get("namespace") else []
        done = _run(("kubectl", "get", "deployment", str(meta["name"]), *place, "-o", "json"), env, os.getcwd(), 20)
        if done is None or done.returncode != 0:
            return False
        answer = json.loads(done.stdout)
        wanted = int((answer.get("spec") or {}).get("replicas", 1))
        if int((answer.get("status") or {}).get("readyReplicas") or 0) < wanted:
            return False
    return True


def newest_pod(objects: list[dict[str, Any]], env: Mapping[str, str]) -> dict[str, Any]:
    """What Tilt shows of the first Deployment's newest pod: the keys of `k8sResourceInfo`; empty before the first."""
    deployment = next((item for item in objects if item.get("kind") == "Deployment"), None)
    if deployment is None:
        return {}
    place = ["--namespace", str(deployment["metadata"].get("namespace", ""))]
    labels = deployment["spec"]["selector"]["matchLabels"]
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    done = _run(("kubectl", "get", "pods", "--selector", selector, *place, "-o", "json"), env, os.getcwd(), 20)
    if done is None or done.returncode != 0:
        return {}
    pods = sorted(json.loads(done.stdout)["items"], key=lambda pod: str(pod["metadata"]["creationTimestamp"]))
    return _shown(pods[-1]) if pods else {}


def _shown(pod: dict[str, Any]) -> dict[str, Any]:
    """The pod as Tilt shows it. The status is that of `kubectl get pods`: the reason why a container waits comes first."""
    containers = pod["status"].get("containerStatuses") or []
    waiting = [status["state"]["waiting"] for status in containers if "waiting" in status["state"]]
    return {
        "podName": pod["metadata"]["name"],
        "podStatus": waiting[0]["reason"] if waiting else pod["status"]["phase"],
        "podStatusMessage": "\n".join(why.get("message", "") for why in waiting),
        "podRestarts": sum(status["restartCount"] for status in containers),
        "allContainersReady": bool(containers) and all(status["ready"] for status in containers),
    }


def cluster_problem(env: Mapping[str, str]) -> str:
    """The client's error if the API server does not answer; empty if it does."""
    done = _run(("kubectl", "get", "--raw", "/version"), env, os.getcwd(), 20)
    if done is None:
        return "context deadline exceeded"
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return "" if done.returncode == 0 else (lines[-1] if lines else "unknown")


def engine_problem(env: Mapping[str, str]) -> str:
    """Docker's error if no engine answers; empty if one does."""
    done = _run(("docker", "info", "--format", "{{.ServerVersion}}"), env, os.getcwd(), 20)
    if done is not None and done.returncode == 0:
        return ""
    lines = done.stderr.splitlines() if done is not None else []
    missing = "dial unix /var/run/docker.sock: connect: no such file or directory"
    return (
        lines[-1] if lines else f"failed to connect to the docker API at unix:///var/run/docker.sock; {missing}"
    ).strip()


def _docker(argv: list[str], env: Mapping[str, str], prefix: str) -> None:
    done = _run(tuple(argv), env, os.getcwd(), 600)
    if done is None:
        raise BuildFailed(f"{prefix}context deadline exceeded")
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise BuildFailed(f"{prefix}{lines[-1] if lines else 'docker failed'}")


def _run(
    argv: tuple[str, ...], env: Mapping[str, str], folder: str, timeout: float
) -> subprocess.CompletedProcess[str] | None:
    """Run a command. Returns None if it was killed at its deadline; a missing program has exit code 127."""
    try:
        return subprocess.run(
            argv,
            env=dict(env),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        return None
    except OSError as why:
        return subprocess.CompletedProcess(argv, 127, "", f'exec: "{argv[0]}": {why.strerror}\n')
