"""The harness is as strict as Tilt: every case and text was recorded from Tilt 0.37.6."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from starlark_harness import Result, TiltfileError, evaluate
from starlark_harness.files import join

Run = Callable[..., Result]
DEFINE = "config.define_string_list('only', usage='services')\nconfig.define_bool('fast')\ncfg = config.parse()\n"
ABC = "local_resource('a','true')\nlocal_resource('b','true', resource_deps=['a'])\nlocal_resource('c','true')\n"

REFUSED = [
    ("local_resource('a','true',nope=1)", 'Error in local_resource: local_resource: unexpected keyword argument "nope"'),
    ("local_resource('a')", "local_resource must have a cmd and/or a serve_cmd, but both were empty"),
    ("local_resource('a',serve_cmd='true',dir='.')", "'dir' only affects 'cmd', not 'serve_cmd'. Did you mean to use 'serve_dir' instead?"),
    ("local_resource('a','true',env={'P':1})", 'for parameter "env": value is not a string: starlark.Int (1)'),
    ("local_resource('a','true',trigger_mode='manual')", 'for parameter "trigger_mode": got string, want TriggerMode'),
    ("local_resource('a','true')\nlocal_resource('a','true')", 'local_resource named "a" already exists'),
    ("local_resource('a','true', labels=['x/y'])", 'Invalid label "x/y": cannot contain /'),
    ("local_resource('a','true',resource_deps=['b'])\nlocal_resource('b','true',resource_deps=['a'])", "cycle detected in resource dependency graph: a -> b -> a"),
    ("default_registry('a.io')\ndefault_registry('b.io')", "default registry already defined"),
    ("default_registry('http://a b')", 'validating defaultRegistry: host: Invalid value: "http://a b": invalid reference format'),
    ("docker_build('www','.')", "error reading dockerfile: open "),
    ("docker_build('w','.',dockerfile_contents='FROM x',live_update=[run('x'),sync('.','/app')])", "live_update: all sync steps must precede all run steps"),
    ("docker_build('w','.',dockerfile_contents='FROM x',only=['a'],live_update=[sync('b','/app')])", "is not a child of any watched filepaths"),
    ("docker_build('w','.',dockerfile_contents='FROM x',only=['*.py'])", "'only' does not support '*' file globs"),
    ("custom_build('w','make',['.'],nope=1)", 'Error in custom_build: custom_build: unexpected keyword argument "nope"'),
    ("custom_build('w','make')", "missing argument for deps"),
    ("custom_build('w','',['.'])", "Argument 2 (command) can't be empty"),
    ("custom_build('w','make',[])", "Argument 3 (deps) can't be empty"),
    ("custom_build('w','make',['.'],tag='a',outputs_image_ref_to='b')", "Cannot specify both tag= and outputs_image_ref_to="),
    ("custom_build('w','make',['.'],image_deps=['base'])", 'image "w": image dep "base" not found'),
    ("custom_build('w','make',['a'],live_update=[sync('b','/app')])", "is not a child of any watched filepaths"),
    ("custom_build('w','make',['.'])\ncustom_build('w','make',['.'])", 'Image for ref "w" has already been defined'),
    ("k8s_resource('x', port_forwards=[port_forward('80')])", 'for parameter "local_port": got string, want int'),
    ("k8s_custom_deploy('x', apply_cmd=['a'], delete_cmd=['b'], deps=['.'], image_deps=['www'])", 'resource "x": image build "www" not found'),
    ("k8s_resource('x')", 'k8s_resource specified unknown resource "x"'),
    ("update_settings(max_parallel_updates=0)", "max number of parallel updates must be >= 1(got: 0)"),
    ("version_settings(constraint='>=99.0.0')", "you are running Tilt version 0.37.6, which doesn't match the version constraint specified in your Tiltfile: '>=99.0.0'"),
    ("read_yaml('none.yaml')", "Error in read_yaml: open "),
    ("load('./none.star','x')", "cannot load ./none.star: error reading file "),
    ("load('ext://helm_resource', 'helm_resource')", "cannot load ext://helm_resource"),
    ("nope()", "undefined: nope"),
    ("fail('boom')", "Error in fail: boom"),
    (DEFINE + "config.define_bool('x')", "config.define_bool cannot be called after config.parse is called"),
    ("config.define_bool('x')\nconfig.define_bool('x')", "x defined multiple times"),
    (ABC + "config.set_enabled_resources(['zz'])", 'You specified some resources that could not be found: "zz"\nIs this a typo? Existing resources in Tiltfile: "a", "b", "c"'),
    ("local_resource('s', serve_cmd='x', readiness_probe=probe())", "exactly one of exec, http_get, or tcp_socket must be specified"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), REFUSED, ids=[text[:50] for text, _ in REFUSED])
def test_invalid_calls_raise_tilts_errors(tiltfile: Run, text: str, said: str):
    with pytest.raises(TiltfileError) as why:
        tiltfile(text)
    assert said in str(why.value)


@pytest.mark.parametrize(
    "text",
    [
        "x = 1\nprint(f'{x}')",
        "try:\n    x = 1\nexcept:\n    x = 2",
        "import os",
        "class A: pass",
        "x = 'a' 'b'",
        "def f(x: int): pass",
        "def f(:",
        "x = [1\n",
        "nope",
    ],
)
def test_invalid_starlark_is_an_error_with_its_line(tiltfile: Run, text: str):
    with pytest.raises(TiltfileError, match=r"Tiltfile:\d"):
        tiltfile(text)


def test_the_traceback_names_file_line_and_function(tiltfile: Run, tmp_path: Path):
    (tmp_path / "lib.star").write_text("def stop(word):\n    fail('no ' + word)\n")
    with pytest.raises(TiltfileError) as why:
        tiltfile("load('./lib.star', 'stop')\nstop('way')\n")
    assert str(why.value).splitlines() == [
        "Traceback (most recent call last):",
        f"  {tmp_path}/Tiltfile:2:5: in <toplevel>",
        f"  {tmp_path}/lib.star:2:9: in stop",
        "Error in fail: no way",
    ]


@pytest.mark.parametrize(
    ("args", "found"),
    [
        ((), {}),
        (("--only=a,b",), {"only": ["a,b"]}),
        (("--only=",), {"only": [""]}),
        (("--only=a", "--only", "b"), {"only": ["a", "b"]}),
        (("--fast",), {"fast": True}),
    ],
)
def test_arguments_are_parsed_as_in_tilt(tiltfile: Run, args: tuple[str, ...], found: dict[str, object]):
    assert tiltfile(DEFINE + "print(repr(cfg))", *args).log == [repr(found).replace("'", '"')]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--bar=1",), "invalid Tiltfile config args: unknown flag: --bar\nUsage:\n      --fast                \n      --only list[string]   services"),
        (("x",), 'positional CLI args ("x") were specified, but none were expected'),
        (("--fast", "false"), 'positional CLI args ("false") were specified, but none were expected'),
        (("--only",), "flag needs an argument: --only"),
    ],
)  # fmt: skip
def test_invalid_arguments_are_refused_as_in_tilt(tiltfile: Run, args: tuple[str, ...], said: str):
    with pytest.raises(TiltfileError) as why:
        tiltfile(DEFINE, *args)
    assert f"Error in config.parse: {said}" in str(why.value) or said in str(why.value)


def test_arguments_may_be_parsed_again_in_the_same_folder_only(tiltfile: Run, tmp_path: Path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/own.star").write_text("def parse():\n    return config.parse()\n")
    text = "load('./sub/own.star', 'parse')\n" + DEFINE + "print(parse() == config.parse())\n"
    assert tiltfile(text, "--fast").log == ["True"]
    (tmp_path / "sub/own.star").write_text("found = config.parse()\n")
    with pytest.raises(TiltfileError, match="can only be called from one Tiltfile working directory per run"):
        tiltfile("load('./sub/own.star', 'found')\nconfig.parse()\n")


def test_variables_that_it_sets_are_read_again_and_given_to_children(tiltfile: Run):
    text = "os.putenv('A', 'b')\nprint(os.getenv('A'), str(local('echo $A', quiet=True)).strip())\n"
    result = tiltfile(text, env={"PATH": "/usr/bin:/bin"})
    assert result.exported == {"A": "b"}
    assert result.log == ["b b"]


def test_the_command_line_overrides_the_settings_file(tiltfile: Run, tmp_path: Path):
    (tmp_path / "tilt_config.json").write_text('{"only": ["c"]}')
    assert tiltfile(DEFINE + "print(cfg['only'])").log == ['["c"]']
    assert tiltfile(DEFINE + "print(cfg['only'])", "--only=a").log == ['["a"]']
    (tmp_path / "tilt_config.json").write_text('{"nope": 1}')
    with pytest.raises(TiltfileError, match="specified unknown setting name 'nope'"):
        tiltfile(DEFINE)


def test_enabled_resources_include_their_dependencies(tiltfile: Run):
    assert tiltfile(ABC + "config.set_enabled_resources(['b'])").enabled == ["a", "b"]
    assert tiltfile(ABC + "config.set_enabled_resources([])").enabled == ["a", "b", "c"]
    assert tiltfile(ABC + "config.clear_enabled_resources()").enabled == []
    assert tiltfile(ABC, "a").enabled == ["a"]


def test_local_needs_an_allowed_context(tiltfile: Run):
    with pytest.raises(TiltfileError, match="Refusing to run 'local' because dev might be a production kube context"):
        tiltfile("local('echo hi')", context="dev")
    assert tiltfile("allow_k8s_contexts('dev')\nprint(local('echo hi'))", context="dev").log == ["hi\n"]
    assert tiltfile("print(local(['echo', 'hi']))", context="").commands == [("echo", "hi")]


def test_a_deployment_needs_an_allowed_context(tiltfile: Run):
    deploy = "k8s_custom_deploy('x', apply_cmd=['a'], delete_cmd=['b'], deps=['.'])\n"
    with pytest.raises(TiltfileError, match="Stop! dev might be production"):
        tiltfile(deploy, context="dev")
    for context in ("", "kind-kind", "minikube"):
        assert tiltfile(deploy, context=context).enabled == ["x"]


def test_images_move_into_the_default_registry(tiltfile: Run):
    text = "default_registry('r.io')\n" + "".join(
        f"docker_build('{ref}', '.', dockerfile_contents='FROM x')\n" for ref in ("www", "a/b", "r.io/c", "ghcr.io/x/y")
    )
    assert [i.ref for i in tiltfile(text).images.values()] == ["r.io/www", "r.io/a_b", "r.io/c", "r.io/ghcr.io_x_y"]


def test_a_custom_build_is_an_image_with_a_command(tiltfile: Run, tmp_path: Path):
    text = (
        "default_registry('r.io')\ndocker_build('base', '.', dockerfile_contents='FROM x')\n"
        "custom_build('www', 'make image', ['src'], env={'A': 'b'}, dir='src', image_deps=['base'], disable_push=True)\n"
        "k8s_custom_deploy('x', apply_cmd=['a'], delete_cmd=['b'], deps=['.'], image_deps=['www'])"
    )
    image = tiltfile(text).images["www"]
    assert image.command is not None
    assert (image.ref, image.command.argv, image.command.env) == ("r.io/www", ("sh", "-c", "make image"), {"A": "b"})
    assert (image.context, image.deps, image.images) == (f"{tmp_path}/src", (f"{tmp_path}/src",), ("base",))


def test_paths_count_from_the_file_that_is_executing(tiltfile: Run, tmp_path: Path):
    (tmp_path / "tilt").mkdir()
    (tmp_path / "tilt/lib.star").write_text("HERE = os.getcwd()\ndef where():\n    return os.getcwd()\n")
    found = tiltfile("load('./tilt/lib.star', 'where', 'HERE')\nprint(HERE)\nprint(where())")
    assert found.log == [str(tmp_path / "tilt"), str(tmp_path)]


def test_loaded_values_are_frozen(tiltfile: Run, tmp_path: Path):
    (tmp_path / "l.star").write_text("L = []\n_b = 1\n")
    with pytest.raises(TiltfileError):
        tiltfile("load('./l.star','L')\nL.append(1)")
    with pytest.raises(TiltfileError, match="names with leading underscores are not exported: _b"):
        tiltfile("load('./l.star','_b')")


def test_circular_loads_are_refused(tiltfile: Run, tmp_path: Path):
    (tmp_path / "a.star").write_text("load('./b.star', 'B')\nA = 1\n")
    (tmp_path / "b.star").write_text("load('./a.star', 'A')\nB = 1\n")
    with pytest.raises(TiltfileError, match="Circular load"):
        tiltfile("load('./a.star', 'A')")


def test_yaml_is_decoded_as_in_tilt(tiltfile: Run, tmp_path: Path):
    (tmp_path / "a.yaml").write_text("name: www\nport: 3000\nok: true\nratio: 1.5\nlist: [1, 2]\n8: x\n")
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "stream.yaml").write_text("a: 1\n---\nb: 2\n")
    found = tiltfile("y = read_yaml('a.yaml')\nprint(y['port'] + 1, y['ok'], y['8'])\nprint(read_yaml('empty.yaml'))")
    assert found.log == ["3001 True x", "None"]
    assert tiltfile("print(read_yaml('none.yaml', default={'d': 1}))").log == ['{"d": 1}']
    with pytest.raises(TiltfileError, match="expected a yaml document but found a yaml stream"):
        tiltfile("read_yaml('stream.yaml')")


def test_exit_ends_the_evaluation_successfully(tiltfile: Run):
    found = tiltfile("local_resource('a','true')\nexit('stop here')\nlocal_resource('b','true')")
    assert found.enabled == ["a"]


def test_a_missing_tiltfile_is_an_error(tmp_path: Path):
    with pytest.raises(TiltfileError, match="No Tiltfile found at paths"):
        evaluate(tmp_path / "Tiltfile")


def test_paths_are_joined_as_go_joins_them():
    assert join("/a", "/b") == "/a/b"
    assert join("a", "..", "b") == "b"


def test_the_trigger_modes_are_the_numbers_of_tilt(tiltfile: Run):
    text = (
        "local_resource('a','true')\nlocal_resource('b','true',trigger_mode=TRIGGER_MODE_MANUAL)\n"
        "local_resource('c','true',trigger_mode=TRIGGER_MODE_MANUAL,auto_init=False)\nlocal_resource('d','true',auto_init=False)"
    )
    assert [int(m.trigger) for m in tiltfile(text).manifests.values()] == [0, 1, 2, 3]
