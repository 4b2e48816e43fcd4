"""docker images, build, push, tag and inspect. A build reads the Dockerfile and runs nothing."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from sandbox.protocol.call import Answer
from sandbox.standins.docker.client import Docker, filled, tagged
from sandbox.standins.docker.registry import DockerError, allowed, digest, host_of

_LEGACY = (
    "DEPRECATED: The legacy builder is deprecated and will be removed in a future release.\n"
    "            Install the buildx component to build images with BuildKit:\n"
    "            https://docs.docker.com/go/buildx/\n\n"
)


def images(docker: Docker) -> Answer:
    """List the images as a table or with a template."""
    docker.require_engine()
    rows = _rows(docker, docker.parsed.words[0] if docker.parsed.words else "")
    form = docker.parsed.value("format")
    if docker.parsed.on("quiet"):
        return Answer(stdout="".join(f"{row['ID']}\n" for row in rows))
    if form == "json":
        return Answer(stdout="".join(json.dumps(row) + "\n" for row in rows))
    if form:
        return Answer(stdout="".join(filled(form, row, "formatter.imageContext") + "\n" for row in rows))
    return Answer(stdout=_table(rows))


def _rows(docker: Docker, wanted: str) -> list[dict[str, str]]:
    """The images of a repository or with a reference, or all for ""."""
    rows = []
    for ref, image in docker.images.items():
        repository, _, tag = ref.rpartition(":")
        if wanted in ("", repository, ref):
            short = image["Id"].removeprefix("sha256:")[:12]
            rows.append(
                {"Repository": repository, "Tag": tag, "ID": short, "Size": "12MB", "CreatedSince": "2 minutes ago"}
            )
    return rows


def _table(rows: list[dict[str, str]]) -> str:
    heads = ("REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE")
    table = [heads, *((r["Repository"], r["Tag"], r["ID"], r["CreatedSince"], r["Size"]) for r in rows)]
    widths = [max(len(line[i]) for line in table) for i in range(5)]
    return "".join("   ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() + "\n" for line in table)


def build(docker: Docker) -> Answer:
    """Read the Dockerfile and store an image under its tags."""
    parsed = docker.parsed
    try:
        file, text = _dockerfile(docker)
    except DockerError as why:
        return Answer(1, stderr=f"{_LEGACY}{why}\n")
    steps = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not steps:
        return Answer(1, stderr=f"{_LEGACY}Error response from daemon: the Dockerfile ({file.name}) cannot be empty\n")
    folder = Path(docker.call.cwd, parsed.words[0])
    identity = digest(f"{text}{folder}{time.time_ns() if parsed.on('no-cache') else ''}")
    lines = [f"Step {n}/{len(steps)} : {step}" for n, step in enumerate(steps, 1)]
    lines.append(f"Successfully built {identity.removeprefix('sha256:')[:12]}")
    with docker.world.lock:
        for tag in parsed.values("tag"):
            docker.images[tagged(tag)] = {"Id": identity, "RepoTags": [tagged(tag)], "RepoDigests": []}
            lines.append(f"Successfully tagged {tagged(tag)}")
    if parsed.value("iidfile"):
        Path(docker.call.cwd, parsed.value("iidfile")).write_text(identity)
    out = identity if parsed.on("quiet") else "\n".join(["Sending build context to Docker daemon  2.048kB", *lines])
    return Answer(0, f"{out}\n", _LEGACY, writes=True)


def _dockerfile(docker: Docker) -> tuple[Path, str]:
    """The Dockerfile of a build, and its text. Raises DockerError without an engine, a folder or the file."""
    problem = docker.engine_problem()
    if problem:
        raise DockerError(problem)
    parsed = docker.parsed
    folder = Path(docker.call.cwd, parsed.words[0])
    if not folder.is_dir():
        raise DockerError(f'unable to prepare context: path "{parsed.words[0]}" not found')
    file = Path(docker.call.cwd, parsed.value("file")) if parsed.value("file") else folder / "Dockerfile"
    try:
        return file, file.read_text()
    except OSError:
        place = f"{os.path.realpath(file.parent)}/{file.name}"
        raise DockerError(
            "unable to prepare context: unable to evaluate symlinks in Dockerfile path: "
            f"lstat {place}: no such file or directory"
        ) from None


def buildx_build(docker: Docker) -> Answer:
    """Build through BuildKit, with progress on stderr. `--push` pushes every tag."""
    done = build(docker)
    if done.exit != 0:
        return Answer(done.exit, stderr=f"ERROR: {done.stderr.removeprefix(_LEGACY)}")
    quiet = docker.parsed.on("quiet")
    progress = "" if quiet else "".join(f"#{n} {line}\n" for n, line in enumerate(done.stdout.splitlines()[1:], 1))
    for ref in docker.parsed.values("tag") if docker.parsed.on("push") else ():
        handed = push_one(docker, tagged(ref))
        if handed.exit != 0:
            return Answer(1, stderr=f"{progress}ERROR: failed to solve: {handed.stderr}", writes=True)
    return Answer(0, done.stdout if quiet else "", progress, writes=True)


def push(docker: Docker) -> Answer:
    """Push an image to the registry."""
    docker.require_engine()
    return push_one(docker, tagged(docker.parsed.words[0]))


def push_one(docker: Docker, ref: str) -> Answer:
    """Push the image with this reference."""
    repository, _, tag = ref.rpartition(":")
    full = repository if host_of(ref) != "docker.io" else f"docker.io/library/{repository}"
    out = f"The push refers to repository [{full}]\n"
    image = docker.image(ref)
    if image is None:
        return Answer(1, out, f"An image does not exist locally with the tag: {repository}\n")
    layer = image["Id"].removeprefix("sha256:")[:12]
    out += f"{layer}: Preparing\n"
    try:
        allowed(docker.call, docker.world, ref, push=True)
    except DockerError as why:
        return Answer(1, out, f"{why}\n")
    made = digest(image["Id"])
    with docker.world.lock:
        known = ref in docker.world.registry.setdefault("pushed", {})
        docker.world.registry["pushed"][ref] = made
        image["RepoDigests"] = [f"{repository}@{made}"]
    out += f"{layer}: {'Layer already exists' if known else 'Pushed'}\n{tag}: digest: {made} size: 524\n"
    return Answer(0, out, writes=True)


def tag(docker: Docker) -> Answer:
    """Add a reference to an image."""
    docker.require_engine()
    source, wanted = docker.parsed.words
    image = docker.image(source)
    if image is None:
        raise DockerError(f"Error response from daemon: No such image: {tagged(source)}")
    docker.images[tagged(wanted)] = {**image, "RepoTags": [tagged(wanted)]}
    return Answer(writes=True)


def inspect(docker: Docker) -> Answer:
    """Print images as JSON."""
    problem = docker.engine_problem()
    if problem:
        return Answer(1, "[]\n", f"{problem}\n")
    images = [image for name in docker.parsed.words if (image := docker.image(name))]
    missing = [name for name in docker.parsed.words if not docker.image(name)]
    warning = "".join(f"Error: No such object: {name}\n" for name in missing)
    form = docker.parsed.value("format")
    text = (
        "".join(filled(form, image_data, "map[string]interface {}") + "\n" for image_data in images)
        if form
        else json.dumps(images, indent=4) + "\n"
    )
    return Answer(1 if missing else 0, text, warning)
