"""Edits of Tiltfiles as teams write them: what changes, what keeps every byte, what is an error with its line."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from migration import mapping_file
from migration.edit.tiltfile.insert import insert_before_code, set_registry
from migration.edit.tiltfile.switch import resolve_switch
from migration.edit.tiltfile.syntax import parse
from migration.edit.tiltfile.text import TiltText
from migration.phases import phase3
from tasks.core.errors import Trouble

MAPPING = mapping_file.read(Path(__file__).resolve().parents[3] / "config/migration.yaml")
WORLD: Any = SimpleNamespace(
    mapping=MAPPING,
    pin_path="gitops/ameide-gitops",
    settings=SimpleNamespace(registry=SimpleNamespace(host="r.example"), repositories=SimpleNamespace(gitops="g")),
)


def without_local(text: str) -> str:
    return phase3.remove_local(WORLD, TiltText("Tiltfile", text, is_main=True)).text


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("if A:\n    a()\nelif REMOTE:\n    b()\nelif C:\n    c()\nelse:\n    d()\n", "if A:\n    a()\nelse:\n    b()\n"),
        ("if A:\n    a()\nelif not REMOTE:\n    b()\nelif C:\n    c()\n", "if A:\n    a()\nelif C:\n    c()\n"),
        ("if A:\n    a()\nelif not REMOTE:\n    b()\n", "if A:\n    a()\n"),
        ("if not REMOTE:\n    a()\nelif B:\n    b()\n", "if B:\n    b()\n"),
        ("if REMOTE and A:\n    a()\n", "if A:\n    a()\n"),
        ("if not REMOTE or A:\n    a()\n", "if A:\n    a()\n"),
        ("if REMOTE == True:\n    a()\nelse:\n    b()\n", "a()\n"),
        ("x = REMOTE and 'remote' or 'local'\n", "x = 'remote'\n"),
        ("LOCAL = not REMOTE\nif LOCAL:\n    a()\nprint(LOCAL)\n", "LOCAL = False\nprint(LOCAL)\n"),
        ("if os.getenv('REMOTE', '0') == '1':\n    a()\nelse:\n    b()\n", "a()\n"),
        ("if os.getenv('REMOTE') != '1':\n    a()\nb()\n", "b()\n"),
        ("if os.environ.get('REMOTE', '').lower() == 'true':\n    a()\n", "a()\n"),
        ("mode = os.getenv('REMOTE')\nif mode:\n    a()\nelse:\n    b()\nprint('x' + mode)\n", "mode = '1'\na()\nprint('x' + mode)\n"),
        ("x = struct(REMOTE=REMOTE)\ny = cfg.REMOTE\nd = {'REMOTE': 1}\n", "x = struct(REMOTE=True)\ny = cfg.REMOTE\nd = {'REMOTE': 1}\n"),
        ("if True:\n    a()\nx = A and 'b' or 'c'\nif REMOTE:\n    d()\n", "if True:\n    a()\nx = A and 'b' or 'c'\nd()\n"),
        ("if REMOTE:\n\ta()\n\tif REMOTE:\n\t\tb()\n", "a()\nb()\n"),
    ],
)  # fmt: skip
def test_the_switch_is_resolved_as_true(text: str, wanted: str):
    assert resolve_switch(text, "REMOTE").text == wanted
    assert resolve_switch(wanted, "REMOTE").text == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (  # only the local part of a branch is removed
            "if CI:\n    local('k3d-x')\n    docker_build('a', '.')\nelse:\n    local('k3d-y')\n",
            "if CI:\n    docker_build('a', '.')\n",
        ),
        ("for s in ['a']:\n    own(s)  # ours\n    push('localhost:5000')\n", "for s in ['a']:\n    own(s)  # ours\n"),
        ("for s in ['a']:\n    local_resource('k3d-' + s, 'x')\n    print(s)\nown()\n", "own()\n"),
        ("if k8s_context() == 'k3d-ameide':\n    print('local')\nown()\n", "own()\n"),
        ("load('./tilt/infra_layers.tilt', 'infra_layer', two='infra_layer')\ntwo('x')\nown()\n", "own()\n"),
    ],
)
def test_local_parts_are_removed_and_the_rest_is_kept(text: str, wanted: str):
    assert without_local(text) == wanted


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("own()\nfor s in ['a']:\n    helm_resource('apps-%s-tilt' % s, 'c', flags=['x=registry.localhost'])\n", 3),
        ("if CI:\n    helm_resource('apps-a-tilt', 'k3d-x')\n    own()\n", 2),
        ("if CI:\n    CTX = 'aks'\nelse:\n    CTX = 'k3d-a'\nuse(CTX)\n", 4),
        ("CTX = 'k3d-a'\nif CI:\n    helm_resource(CTX, 'c')\n", 3),
        ("for c in ['k3d-a', 'other']:\n    own(c)\n", 1),
        ("def image(n):\n    return 'k3d-x/' + n\nhelm_app('apps-a-tilt', image('a'))\n", 2),
        ("if CI:\n    def image(n):\n        return 'k3d-x/' + n\nlocal_resource('a', image('a'))\n", 3),
        ("CTX = 'k3d-a'\ndef f():\n    local('kubectl --context ' + CTX)\nf()\n", 3),
        ("CTX = 'k3d-a'\nX = {'context': CTX}\nuse(X)\n", 2),
        ("settings = {'context': 'k3d-a', 'replicas': 3}\nuse(settings['replicas'])\n", 1),
        ("CMD = ['kubectl', '--context', 'k3d-a']\nlocal(CMD)\n", 1),
        ("docker_build('x', '.', build_args={'CLUSTER': 'k3d-a'})\n", 1),
        ("k8s_yaml(helm('chart', set=['cluster=k3d-a']))\n", 1),
        ("def f(context='k3d-a'):\n    pass\n", 1),
        ("if k8s_context() == 'k3d-a':\n    docker_build('x', '.')\n", 2),
    ],
)
def test_a_part_that_cannot_be_removed_is_an_error_with_its_line(text: str, line: int):
    with pytest.raises(Trouble, match=f"^error: Tiltfile:{line}: "):
        without_local(text)


def test_other_arguments_of_the_registry_are_kept():
    text = "default_registry(\n    host='localhost:5000',  # here\n    host_from_cluster='k3d-reg:5000',\n    single_name='ameide',\n)\n"
    assert set_registry(text, "HOST") == "default_registry(\n    HOST,  # here\n    single_name='ameide',\n)\n"
    assert (
        set_registry("default_registry('a', single_name='b')\n", "HOST") == "default_registry(HOST, single_name='b')\n"
    )


def test_the_guard_is_inserted_behind_the_first_loads():
    text = "# head\nload('ext://a', 'a')\nload(\n    'ext://b',  # b\n    'b',\n)\nlocal('kubectl get pods')\nload('ext://c', 'c')\n"
    new = insert_before_code(text, ["GUARD"])
    assert new.index("'b',\n)") < new.index("GUARD") < new.index("kubectl")


@pytest.mark.parametrize(
    ("text", "line"), [("x = 1\nprint 'x'\n", 2), ("if a:\n\tb\n        c\n", 3), ("x = 1\nasync = 2\n", 2)]
)
def test_a_syntax_error_is_reported_with_its_line(text: str, line: int):
    with pytest.raises(Trouble, match=f"^error: Tiltfile:{line}: "):
        parse(text)
