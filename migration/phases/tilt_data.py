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
    images = {old: new for file in files for old, new in _images(file, local).items()}
    found: set[str] = set()
    for path, text, pattern in list(_manifests(draft.simulation, images, local)):
        found |= {match["image"] for match in pattern.finditer(text)}
        new = pattern.sub(lambda match: match["key"] + images[match["image"]], text)
        draft.write("core", path, new.encode("utf-8", "surrogateescape"), "images without the local registry")
    for old in sorted(images.keys() - found):
        draft.note(f"the image {old} is {images[old]} now; no manifest of core names it: look in gitops and in charts")


def refuse_fixed_manifests(simulation: Simulation, file: TiltText, local: LocalCluster) -> None:
    """Raise UneditableTiltfile for a manifest that needs another image name and that the mapping says never to change."""
    from migration.edit.tiltfile.syntax import UneditableTiltfile

    # All are read before the first is refused: git's answers to what was asked must not wait in the pipe.
    for path, text, pattern in list(_manifests(simulation, _images(file, local), local)):
        if path.startswith(tuple(simulation.mapping.never)):
            match = next(pattern.finditer(text))
            reason = (
                f"the image {match['image']} loses its local registry in the Tiltfile, and this file is never changed"
            )
            fix = "remove the registry from the image here, then run this again"
            raise UneditableTiltfile(text.count("\n", 0, match.start()) + 1, reason, fix=fix, name=path)


def _images(file: TiltText, local: LocalCluster) -> dict[str, str]:
    """The images of the file that lose the local registry, without tags: before -> after."""
    from migration.edit.tiltfile.images import repoint_images

    images = repoint_images(file.text, local, "HOST" if file.is_main else "").images
    return {_untagged(old): _untagged(new) for old, new in images.items() if _IMAGE.fullmatch(old)}


def _untagged(image: str) -> str:
    return re.sub(r"(?<=\w)[:@][^/]*$", "", image)


def _manifests(
    simulation: Simulation, images: dict[str, str], local: LocalCluster
) -> Iterator[tuple[str, str, re.Pattern[str]]]:
    """The manifests of core that name these images, with their text and the pattern that finds the names."""
    if not images:
        return
    paths: dict[str, list[str]] = {}
    for path, entry in simulation.core.tree.files.items():
        is_ours = path in simulation.own or local.is_deleted(path)
        if _MANIFEST.search(path) and entry.mode in {"100644", "100755"} and not is_ours:
            paths.setdefault(entry.oid, []).append(path)
    names = "|".join(re.escape(name) for name in sorted(images, key=len, reverse=True))
    pattern = re.compile(rf"{_IMAGE_KEY}(?P<image>{names})(?=[:@'\"\s]|$)", re.MULTILINE)
    for oid, data in simulation.core.blobs.many(paths):
        text = data.decode("utf-8", "surrogateescape")
        if not is_binary(data) and pattern.search(text):
            yield from ((path, text, pattern) for path in paths[oid])
