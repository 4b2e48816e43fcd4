"""The migrated core's Tiltfile, read as Tilt reads it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from starlark_harness import Result, TiltfileError, evaluate
from tests.migration.conftest import Pair, blocks

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
SETTINGS = yaml.safe_load((ROOT / "config/settings.yaml").read_text())
RELEASE = re.compile(r"apps-[a-z-]+-tilt")
LOCAL = re.compile(r"k3d|k3s\b|localhost:5\d{3}|TILT_REMOTE")
FOLDERS = ("infra/", "tools/bootstrap/", "environments/")


def read(repos: Pair, *args: str, context: str = SETTINGS["cluster"]["context"]) -> Result:
    def nothing_runs(argv: tuple[str, ...], *_: object) -> str:
        raise AssertionError(f"the Tiltfile started {argv}")

    return evaluate(repos.core / "Tiltfile", args, context=context, env={"HOME": "/home/x"}, run=nothing_runs)


@pytest.fixture(scope="module")
def declared(finished: Pair) -> Result:
    """What the Tiltfile declares against the shared cluster."""
    return read(finished)


def releases_before(repos: Pair) -> set[str]:
    return set(RELEASE.findall(repos.git("core", "show", "before-remote-first:Tiltfile")))


def test_every_earlier_release_is_still_declared(finished: Pair, declared: Result):
    found = {name for name in declared.manifests if RELEASE.fullmatch(name)}
    assert found == releases_before(finished)
    assert len(found) == 12


def test_images_go_to_the_registry_of_the_settings(declared: Result):
    host = SETTINGS["registry"]["host"]
    assert declared.registry == host
    assert declared.images
    assert [i.ref for i in declared.images.values() if not i.ref.startswith(f"{host}/")] == []


def test_each_release_uses_an_image_that_is_built(declared: Result):
    for name, manifest in declared.manifests.items():
        if RELEASE.fullmatch(name):
            assert manifest.images, name


def test_the_local_cluster_is_removed(finished: Pair, declared: Result):
    assert [name for name in declared.manifests if LOCAL.search(name)] == []
    for manifest in declared.manifests.values():
        for command in (manifest.update, manifest.serve, manifest.apply, manifest.delete):
            assert command is None or not LOCAL.search(" ".join(command.argv)), manifest.name
    for image in declared.images.values():
        assert image.command is None or not LOCAL.search(image.command.shown), image.name


def test_no_resource_watches_or_calls_a_deleted_folder(finished: Pair, declared: Result):
    core = str(finished.core)
    for manifest in declared.manifests.values():
        watched = [p.removeprefix(core + "/") for p in manifest.deps]
        commands = [c.shown for c in (manifest.update, manifest.serve, manifest.apply, manifest.delete) if c]
        called = [p for text in commands for p in re.findall(r"(?<![\w/.-])[\w.-]+/[\w./-]*", text)]
        assert [p for p in watched + called if p.startswith(FOLDERS)] == [], manifest.name


def test_intercepts_are_resources_started_by_their_button(declared: Result):
    intercepts = [m for name, m in declared.manifests.items() if name.startswith("intercept-")]
    assert len(intercepts) >= 10
    assert [m.name for m in intercepts if m.auto_init] == []


@pytest.mark.parametrize("words", [("--intercept=www-ameide-platform",), ("--intercept", "www_ameide_platform")])
def test_an_intercept_can_be_started_alone(finished: Pair, words: tuple[str, ...]):
    started = read(finished, *words)
    assert started.enabled == ["intercept-www-ameide-platform"]
    assert started.manifests["intercept-www-ameide-platform"].auto_init


def test_an_intercept_can_be_started_beside_a_release(finished: Pair):
    started = read(finished, "--only=graph", "--intercept=www-ameide-platform")
    assert {"apps-graph-tilt", "intercept-www-ameide-platform"} <= set(started.enabled)
    assert "apps-www-ameide-platform-tilt" not in started.enabled


@pytest.mark.parametrize(
    ("fault", "path", "named"),
    [
        ("own-intercept", "Tiltfile", "config.define_bool('intercept')"),
        ("parse-elsewhere", "tilt/settings.tilt", "config.parse()"),
    ],
)
def test_a_tiltfile_that_cannot_take_an_intercept_blocks_with_its_line(
    pair: Callable[..., Pair], fault: str, path: str, named: str
):
    repos = pair(fault)
    lines = (repos.core / path).read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if named in text)
    assert (path, "custom", f"{path}:{line}") in blocks(repos.plan((1, 2, 3)))


def test_a_single_release_can_be_selected(finished: Pair):
    assert "apps-graph-tilt" in read(finished, "--only=apps-graph-tilt").enabled
    assert "apps-www-ameide-tilt" not in read(finished, "--only=apps-graph-tilt").enabled


@pytest.mark.parametrize("context", ["k3d-ameide", "somebody-elses-prod"])
def test_another_cluster_is_refused(finished: Pair, context: str):
    with pytest.raises(TiltfileError, match=context):
        read(finished, context=context)
