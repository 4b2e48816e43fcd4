"""Edits of Tiltfiles: where the guard goes, one registry, image names, comments, included files, and what is recorded."""

from __future__ import annotations

import pytest

from migration.edit.tiltfile.images import repoint_images
from migration.edit.tiltfile.included import included
from migration.edit.tiltfile.insert import insert_before_code, set_registry
from migration.edit.tiltfile.local import LocalCluster
from migration.edit.tiltfile.registry import remove_calls
from migration.edit.tiltfile.remove import remove_local
from migration.edit.tiltfile.switch import resolve_switch
from migration.edit.tiltfile.syntax import UneditableTiltfile
from migration.edit.tiltfile.text import TiltText, earlier_line

LOCAL = LocalCluster(("k3d-", "localhost:5000", "registry.localhost"), lambda path: path.startswith("infra/"))
RULE = "# " + "-" * 20 + "\n"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ('"""Our Tiltfile."""\nlocal("x")\n', '"""Our Tiltfile."""\n\nGUARD\n\nlocal("x")\n'),
        ("# head\n\n# ours\nlocal('x')\n", "# head\n\nGUARD\n\n# ours\nlocal('x')\n"),
        ("# head\nlocal('x')\n", "# head\n\nGUARD\n\nlocal('x')\n"),
        ("version_settings(\n    constraint='>=0.30',\n)\nload('a', 'b')\nlocal('x')\nload('c', 'd')\n", "version_settings(\n    constraint='>=0.30',\n)\nload('a', 'b')\n\nGUARD\n\nlocal('x')\nload('c', 'd')\n"),
        ("local('x')\nload('a', 'b')\n", "GUARD\n\nlocal('x')\nload('a', 'b')\n"),
        ("load('a', 'b'); local('x')\n", "GUARD\n\nload('a', 'b'); local('x')\n"),
        ("load('a', 'b')", "load('a', 'b')\n\nGUARD\n"),
        ("# head\r\n\r\nlocal('x')\r\n", "# head\r\n\r\nGUARD\r\n\r\nlocal('x')\r\n"),
        ("", "GUARD\n"),
        ("if a:\n\tlocal('x')\n", "GUARD\n\nif a:\n\tlocal('x')\n"),
    ],
)  # fmt: skip
def test_the_guard_comes_before_anything_that_could_reach_a_cluster(text: str, wanted: str):
    assert insert_before_code(text, ["GUARD"]) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a()\nif k3d:\n    allow('x')\nb()\n", "a()\nb()\n"),
        ("if k3d:\n    allow('x')\nelse:\n    c()\n", "if k3d:\n    pass\nelse:\n    c()\n"),
        ("if k3d:\n    c()\nelse:\n    allow('x')\n", "if k3d:\n    c()\n"),
        ("if k3d: allow('x')\nb()\n", "b()\n"),
        ("a(); allow('x'); b()\n", "a(); b()\n"),
        ("a(); allow('x')\n", "a()\n"),
        ("allow(\n    ['x'],\n)\nb()\n", "b()\n"),
        ("def f():\n\tallow('x')\nf()\n", "def f():\n\tpass\nf()\n"),
        ("a()\r\n# why\r\nallow('x')\r\nb()\r\n", "a()\r\nb()\r\n"),
    ],
)
def test_calls_are_removed_at_every_level(text: str, wanted: str):
    assert remove_calls(text, "allow").text == wanted


@pytest.mark.parametrize(
    "text", ["x = allow('a')\n", "a() and allow('x')\n", "f(allow('x'))\n", "def f():\n    return allow('x')\n"]
)
def test_a_call_inside_another_statement_is_an_error(text: str):
    with pytest.raises(UneditableTiltfile):
        remove_calls(text, "allow")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("R = 'localhost:5000'\ndefault_registry(R)\n", "R = HOST\ndefault_registry(R)\n"),
        ("R = cfg.get('registry')\ndefault_registry(R)\n", "R = cfg.get('registry')\ndefault_registry(HOST)\n"),
        ("R = find()\ndefault_registry(host=R)\n", "R = find()\ndefault_registry(HOST)\n"),
    ],
)
def test_the_registry_comes_from_the_settings_whatever_its_variable_holds(text: str, wanted: str):
    assert set_registry(text, "HOST") == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("docker_build('localhost:5000/x', '.')\n", "docker_build('x', '.')\n"),
        ("docker_build('localhost:5000/' + name, '.')\n", "docker_build('' + name, '.')\n"),
        ("custom_build('localhost:5000/x', 'docker build -t localhost:5000/x:dev .', ['.'])\n", "custom_build('x', 'docker build -t $EXPECTED_REF .', ['.'])\n"),
        ("k8s_yaml(helm('c', set=['image=localhost:5000/x']))\n", "k8s_yaml(helm('c', set=['image=x']))\n"),
        ("R = 'localhost:5000'\n", "R = HOST\n"),
        ("REGISTRY = os.getenv('R', 'k3d-reg.localhost:5001/me')\n", "REGISTRY = os.getenv('R', HOST + '/me')\n"),
        ("local('docker push localhost:5000/x')\n", "local('docker push localhost:5000/x')\n"),
        ("url = 'http://localhost:5000/x'\n", "url = 'http://localhost:5000/x'\n"),
        ("CONTEXT = 'k3d-dev'\n", "CONTEXT = 'k3d-dev'\n"),
    ],
)  # fmt: skip
def test_images_lose_the_local_registry_and_keep_their_build(text: str, wanted: str):
    assert repoint_images(text, LOCAL, "HOST").text == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("# a\na()\n# local\nlocal('k3d-x')  # too\n# b\nb()\n", "# a\na()\n# b\nb()\n"),
        (f"{RULE}# Local\n{RULE}# why\nlocal('k3d-x')\nb()\n", f"{RULE}# Local\n{RULE}b()\n"),
        (f"a()\n{RULE}# Local\n{RULE}local('k3d-x')\n{RULE}# Rest\n{RULE}b()\n", f"a()\n{RULE}# Rest\n{RULE}b()\n"),
        ("a()\n# about all of it\n\n# why\nlocal('k3d-x')\nb()\n", "a()\n# about all of it\n\nb()\n"),
        ("# head\n\n# why\nlocal('k3d-x')\nb()\n", "# head\n\nb()\n"),
        ("if a:\n    # why\n    local('k3d-x')\n    # own\n    b()\n", "if a:\n    # own\n    b()\n"),
        ("C = {'allowed_contexts': ['k3d-a'], 'n': 1}\nuse(C)\n", "C = {'allowed_contexts': [], 'n': 1}\nuse(C)\n"),
        ("C = {\n    'contexts': [\n        'k3d-a',\n    ],\n}\nuse(C)\n", "C = {\n    'contexts': [],\n}\nuse(C)\n"),
        ("k8s_yaml('infra/x.yaml')\nb()\n", "b()\n"),
    ],
)
def test_comments_stay_with_their_statement(text: str, wanted: str):
    assert remove_local(text, LOCAL, lambda _: False).text == wanted


def test_what_is_removed_is_recorded_with_its_lines():
    text = "paths = ['infra/a', 'b']\ndeps(ignore=[\n    'infra/a',\n    'b',\n])\nlocal_resource(\n    'k3d-a',\n    'x',\n)\nb(); local('k3d-x'); c()\n"
    edited = remove_local(text, LOCAL, lambda _: False)
    assert [(record.first, record.last) for record in edited.removed] == [(6, 9), (10, 10)]
    assert edited.removed[0].resources == ("k3d-a",)
    assert edited.removed[0].shown.startswith("lines 6-9 `local_resource( 'k3d-a',")


def test_a_function_of_the_local_mode_that_is_used_elsewhere_is_an_error():
    text = "if REMOTE:\n    a()\nelse:\n    def f():\n        pass\nf()\n"
    with pytest.raises(UneditableTiltfile, match="Tiltfile:4: f is only defined for the local mode"):
        resolve_switch(text, "REMOTE")


def test_the_header_of_a_section_survives_its_switch():
    text = f"{RULE}# Both\n{RULE}if not REMOTE:\n    a()\nb()\n"
    assert resolve_switch(text, "REMOTE").text == f"{RULE}# Both\n{RULE}b()\n"


def test_included_files_are_found_through_others_and_once():
    files = {
        "Tiltfile": "include('./a/Tiltfile')\nload('ext://x', 'x')\n# include('./old')\nload('b.star', 'y')\n",
        "a/Tiltfile": "include('../c')\ninclude('./Tiltfile')\n",
        "b.star": "",
        "c/Tiltfile": "",
        "old": "",
    }

    def read(path: str) -> TiltText | None:
        return TiltText(path, files[path]) if path in files else None

    found = included(TiltText("Tiltfile", files["Tiltfile"], is_main=True), read)
    assert [file.path for file in found] == ["a/Tiltfile", "b.star", "c/Tiltfile"]


def test_lines_of_an_edited_text_lead_to_the_earlier_one():
    earlier, text = "a\nb\nc\nd\n", "new\na\nc\nd\n"
    assert [earlier_line(earlier, text, number) for number in (2, 3, 4)] == [1, 3, 4]
