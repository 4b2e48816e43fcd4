"""What a team's Tiltfile takes after `--`, with what the migration adds, evaluated as Tilt does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from migration.edit.tiltfile.syntax import UneditableTiltfile
from migration.edit.tiltfile.text import TiltText
from migration.phases import phase3
from starlark_harness import Result, evaluate
from tests.tiltfile.conftest import CONTEXT, Checkout, make_core

TEAM = "local_resource('web', 'true')\nlocal_resource('db', 'true')\n"
ONLY = "for name in cfg.get('only', []):\n    config.set_enabled_resources([name])\n"
WWW = "www-ameide-platform"


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_core(tmp_path_factory.mktemp("core"))


@pytest.fixture
def tilt(core: Path, tmp_path: Path) -> Callable[..., Result]:
    """Add the intercepts to a team's Tiltfile, and evaluate the result."""
    shutil.copytree(core, tmp_path / "core", symlinks=True)
    checkout = Checkout(tmp_path / "core")

    def run(text: str, *args: str, **files: str) -> Result:
        for name, content in files.items():
            place = checkout.core / name.replace("__", "/")
            place.parent.mkdir(exist_ok=True)
            place.write_text(content)
        (checkout.core / "Tiltfile").write_text(added(checkout.core, text))
        return evaluate(checkout.core / "Tiltfile", args, context=CONTEXT, env={"HOME": "/home/x"})

    return run


def added(core: Path, text: str) -> str:
    def content(path: str) -> bytes | None:
        return (core / path).read_bytes() if (core / path).is_file() else None

    world: Any = SimpleNamespace(
        mapping=SimpleNamespace(tiltfile=SimpleNamespace(path="Tiltfile")), core=SimpleNamespace(text=content)
    )
    loaded = phase3.load_helpers(world, TiltText("Tiltfile", text, is_main=True)).text
    new = phase3.add_intercepts(world, TiltText("Tiltfile", loaded, is_main=True)).text
    assert phase3.add_intercepts(world, TiltText("Tiltfile", new, is_main=True)).text == new
    return new


@pytest.mark.parametrize(
    "text",
    [
        TEAM,
        "config.define_string_list('only')\ncfg = config.parse()\n" + TEAM + ONLY,
        "config.define_string_list('only')\nload('./tilt/problems.star', 'stop')\ncfg = config.parse()\n" + TEAM + ONLY,
        "config.define_string_list('to-run', args=True)\nif True:\n    cfg = config.parse()\n" + TEAM,
        "def arguments():\n    config.define_bool('fast')\n    return config.parse()\nfast = arguments().get('fast')\n"
        + TEAM,
        "config.define_string('only')\nprint(config.parse().get('only'))\n" + TEAM,
    ],
)
def test_an_intercept_is_started_alone_and_beside_what_only_names(tilt: Callable[..., Result], text: str):
    assert "web" in tilt(text).enabled
    assert tilt(text, f"--intercept={WWW}").enabled == [f"intercept-{WWW}"]
    assert tilt(text, f"--intercept={WWW}").manifests[f"intercept-{WWW}"].auto_init
    assert tilt(text, "--intercept=www_ameide_platform,graph").enabled == [f"intercept-{WWW}", "intercept-graph"]
    assert tilt(text, "--only=web", f"--intercept={WWW}").enabled == ["web", f"intercept-{WWW}"]
    assert not tilt(text).manifests[f"intercept-{WWW}"].auto_init


def test_only_selects_where_the_team_has_no_such_setting(tilt: Callable[..., Result]):
    assert tilt(TEAM, "--only=db").enabled == ["db"]
    assert tilt(TEAM, "db").enabled == ["db"]  # a name of a resource, as before
    own = "config.define_string_list('to-run', args=True)\nrun = config.parse().get('to-run')\n" + TEAM
    assert tilt(own, "--only=db").enabled == ["db"]
    assert tilt(own + "config.set_enabled_resources(run)\n", "web").enabled == ["web"]


def test_a_parse_in_a_function_of_another_folder_is_the_teams_own(tilt: Callable[..., Result]):
    lib = "def arguments():\n    config.define_bool('fast')\n    return config.parse()\n"
    text = "load('./dev/lib.star', 'arguments')\ncfg = arguments()\n" + TEAM
    assert tilt(text, f"--intercept={WWW}", **{"dev__lib.star": lib}).enabled == [f"intercept-{WWW}"]


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ("x = 1\nconfig.define_string('intercept')\n", ("Tiltfile", 11), "a setting named intercept already"),
        ("load('./dev/own.star', 'cfg')\n", ("dev/own.star", 2), "config.parse runs in another folder"),
        ("include('./dev/own.star')\n", ("dev/own.star", 2), "config.parse runs in another folder"),
    ],
)
def test_what_cannot_take_an_intercept_is_refused_with_its_line(
    tmp_path: Path, text: str, place: tuple[str, int], reason: str
):
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/own.star").write_text("config.define_bool('fast')\ncfg = config.parse()\n")
    with pytest.raises(UneditableTiltfile) as why:
        added(tmp_path, text)
    assert (why.value.name, why.value.line) == place
    assert reason in why.value.reason
