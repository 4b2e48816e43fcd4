"""Files that a Tiltfile reads as data: settings that name the local cluster, manifests with images of its registry."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from migration.edit.tiltfile.local import LocalCluster
from migration.edit.tiltfile.text import TiltText
from migration.git.objects import is_binary
from migration.simulation import Draft, Simulation

_READING = re.compile(r"\bread_(?:yaml|json)\(\s*(?:paths\s*=\s*)?['\"]([^'\"\n]+)['\"]")
_SETTINGS = re.compile(r"(tilt|setting|config)[^/]*\.(json|ya?ml)$", re.IGNORECASE)
_MANIFEST = re.compile(r"\.ya?ml$")
_IMAGE = re.compile(r"[\w.-]+(:\d+)?/\w[^\s=]*")
_IMAGE_KEY = r"(?P<key>^[ \t-]*(?:image|repository|newName|name)[ \t]*:[ \t]*['\"]?)"


def refuse_local_data(simulation: Simulation, file: TiltText, local: LocalCluster) -> None:
    """Raise UneditableTiltfile for the first line of the Tiltfile's own settings that names the local cluster."""
    from migration.edit.tiltfile.syntax import UneditableTiltfile

    for path in _settings_files(file):
        data = simulation.core.text(path) if path in simulation.core.tree else None
        for number, line in enumerate((data or b"").decode("utf-8", "replace").splitlines(), 1):
            if local.has_text(line):
                reason = f"the Tiltfile reads this file, and the line names the local cluster: {line.strip()}"
                raise UneditableTiltfile(number, reason, fix="change this line by hand, then run this again", name=path)


def _settings_files(file: TiltText) -> Iterator[str]:
    """The settings that the Tiltfile reads by a literal path; config.parse() reads tilt_config.json beside it."""
    folder = posixpath.dirname(file.path)
    names = [match[1] for match in _READING.finditer(file.text) if _SETTINGS.search(match[1])]
    if "config.parse(" in file.text:
        names.append("tilt_config.json")
    for name in dict.fromkeys(names):
        yield posixpath.normpath(posixpath.join(folder, name))


def repoint_manifests(draft: Draft, files: tuple[TiltText, ...], local: LocalCluster) -> None:
    """Remove the local registry from the images of manifests, as in the builds: Tilt finds an image by its name."""
    from migration.edit.tiltfile.images import repoint_images

    images: dict[str, str] = {}
    for file in files:
        images |= repoint_images(file.text, local, "").images
    images = {_untagged(old): _untagged(new) for old, new in images.items() if _IMAGE.fullmatch(old)}
    if not images:
        return
    found = _write_manifests(draft, images, local)
    for old in sorted(images.keys() - found):
        draft.note(f"the image {old} is {images[old]} now; no manifest of core names it: look in gitops and in charts")


def _untagged(image: str) -> str:
    return re.sub(r"(?<=\w)[:@][^/]*$", "", image)


def _write_manifests(draft: Draft, images: dict[str, str], local: LocalCluster) -> set[str]:
    """Rewrite the manifests of core. Return the image names that were found."""
    simulation = draft.simulation
    paths: dict[str, list[str]] = {}
    for path, entry in simulation.core.tree.files.items():
        if _MANIFEST.search(path) and entry.mode in {"100644", "100755"} and not local.is_deleted(path):
            paths.setdefault(entry.oid, []).append(path)
    names = "|".join(re.escape(name) for name in sorted(images, key=len, reverse=True))
    pattern = re.compile(rf"{_IMAGE_KEY}(?P<image>{names})(?=[:@'\"\s]|$)", re.MULTILINE)
    found: set[str] = set()
    for oid, data in simulation.core.blobs.many(paths):
        text = data.decode("utf-8", "surrogateescape")
        if is_binary(data) or not pattern.search(text):
            continue
        found |= {match["image"] for match in pattern.finditer(text)}
        new = pattern.sub(lambda match: match["key"] + images[match["image"]], text)
        for path in paths[oid]:
            if path not in simulation.own:
                draft.write("core", path, new.encode("utf-8", "surrogateescape"), "images without the local registry")
    return found
