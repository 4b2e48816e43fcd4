"""The survey of a Tiltfile: nothing runs, nothing of this machine is read, and what it declares has the line of its statement."""

from __future__ import annotations

import pytest

from starlark_harness import TiltfileError
from starlark_harness.marked_lines import with_marked_lines
from starlark_harness.survey import Declaration, survey


def declared(text: str, **files: str) -> list[tuple[str, str, int]]:
    """Function, name and line of everything that the text declares."""
    return [(found.function, found.name, found.line) for found in all_of(text, files)]


def all_of(text: str, files: dict[str, str]) -> list[Declaration]:
    tree = {"Tiltfile": text, **{name.replace("__", "/"): content for name, content in files.items()}}

    def below(folder: str) -> list[str]:
        return [path for path in tree if path.startswith(folder.rstrip("/") + "/")]

    return survey("Tiltfile", tree.get, below, context="shared", env={"MODE": "remote"})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("local_resource('a', 'x')\n", [("local_resource", "a", 1)]),
        ("# c\ndef f(n):\n    docker_build(n, '.')\n\nf('a'); f('b')\n", [("docker_build", "a", 5), ("docker_build", "b", 5)]),
        ("for n in ['a']:\n    if n:\n        k8s_resource(n, port_forwards=[port_forward(1)])\n", [("k8s_resource", "a", 3)]),
        ("if k8s_context() == 'shared': local_resource(name='a', cmd='x')\n", [("local_resource", "a", 1)]),
        ("load('ext://helm_resource', 'helm_resource')\nhelm_resource('web', './chart')\n", [("helm_resource", "web", 2)]),
        ("load('ext://uibutton', 'cmd_button', 'location')\ncmd_button('b', location=location.NAV)\n", [("cmd_button", "b", 2)]),
        ("k8s_yaml(kustomize('base'))\n", [("k8s_yaml", "kustomize base", 1)]),
        ("k8s_yaml(blob('''kind: A\nmetadata: {name: b}\n'''))\n", [("k8s_yaml", "A/b", 1)]),
        ("k8s_yaml(['a.yaml', helm('chart', name='x')])\n", [("k8s_yaml", "a.yaml", 1), ("k8s_yaml", "helm chart", 1)]),
        ("workload_to_resource_function(lambda id: id.name)\ntest('t', 'x')\n", [("test", "t", 2)]),
        ("if os.getenv('MODE') == 'remote' and not os.environ.get('TERM'):\n    dc_resource('a')\n", [("dc_resource", "a", 2)]),
        ("if str(local('command -v kubectl')).strip():\n    local_resource('a', 'x')\n", [("local_resource", "a", 2)]),
        ("fail('no token') if not os.getenv('TOKEN') else None\nlocal_resource('a', 'x')\n", [("local_resource", "a", 2)]),
        ("local_resource('a', 'x')\nexit()\nlocal_resource('b', 'x')\n", [("local_resource", "a", 1)]),
        ("s = set(['b']) | set(['a'])\nfor n in s:\n    local_resource(n, 'x')\n", [("local_resource", "b", 3), ("local_resource", "a", 3)]),
        ("config.define_bool('x')\ncfg = config.parse()\nlocal_resource(cfg.get('name', 'a'), 'x')\n", [("local_resource", "a", 3)]),
        ("v1alpha1.extension(name='e', repo_name='r')\n", [("v1alpha1.extension", "e", 1)]),
        ("x = 'é'; local_resource('a', 'x')\n", [("local_resource", "a", 1)]),
    ],
)  # fmt: skip
def test_what_a_tiltfile_declares(text: str, wanted: list[tuple[str, str, int]]):
    assert declared(text) == wanted


def test_other_files_of_the_repository_belong_to_it():
    text = "include('./a/Tiltfile')\nload('./lib.star', 'f')\nf(read_yaml('s.yaml')['name'])\n"
    files = {
        "a__Tiltfile": "local_resource('from-a', 'x', dir=os.getcwd())\nk8s_yaml('x.yaml') if os.path.exists('./x.yaml') else None\n",
        "a__x.yaml": "",
        "lib.star": "def f(name):\n    local_resource(name, 'x')\n",
        "s.yaml": "name: from-yaml\n",
    }
    found = [(declaration.name, declaration.file, declaration.line) for declaration in all_of(text, files)]
    assert found == [("from-a", "a/Tiltfile", 1), ("x.yaml", "a/Tiltfile", 2), ("from-yaml", "Tiltfile", 3)]


def test_nothing_of_this_machine_is_seen(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SECRET_OF_THIS_MACHINE", "x")
    text = "local_resource(str(os.getenv('SECRET_OF_THIS_MACHINE')) + str(os.path.exists('/etc/passwd')), 'x')\n"
    assert declared(text) == [("local_resource", "NoneFalse", 1)]
    with pytest.raises(TiltfileError, match="Tiltfile:1: "):
        declared("read_file('/etc/passwd')\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\nlocal_git_repo('.')\n", "Tiltfile:2: Variable `local_git_repo` not found"),
        ("x = 1\nread_yaml('none.yaml')\n", "Tiltfile:2: none.yaml does not exist"),
        ("include('./none')\n", "Tiltfile:1: none does not exist"),
        ("x = None\nx.y()\n", "Tiltfile:2: "),
        ("while True:\n    pass\n", "Tiltfile:1: "),
    ],
)
def test_what_cannot_be_evaluated_is_an_error_with_its_place(text: str, said: str):
    with pytest.raises(TiltfileError) as why:
        declared(text)
    assert str(why.value).startswith(said)


def test_a_file_that_a_command_writes_is_empty():
    assert declared("local('make x.yaml')\nk8s_yaml(read_file('x.yaml'))\nlocal_resource('a', 'x')\n")[-1][1] == "a"


def test_marks_keep_every_line():
    text = "load('a', 'b')\nx = [\n    1,\n]; f()\nif x:\n\tf()\nelse: g()\ndef h():\n    f()\n"
    marked = "load('a', 'b')\n_at(2); x = [\n    1,\n]; _at(4); f()\nif x:\n\t_at(6); f()\nelse: _at(7); g()\ndef h():\n    f()\n"
    assert with_marked_lines(text) == marked
