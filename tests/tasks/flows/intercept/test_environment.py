"""The process's environment: the pod's, byte for byte, without the variables that belong to this machine."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.core.errors import Trouble
from tasks.flows.intercept import environment

NAMES = st.one_of(
    st.from_regex(r"[A-Z][A-Z0-9_]{0,20}", fullmatch=True).map("V_".__add__),
    st.sampled_from(["app.dotted.name", "application.yaml", "with-dash", "with space", "ünïcode"]),
)
VALUES = st.one_of(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=200),
    st.sampled_from(
        [
            "",
            "\n",
            "a\r\nb\n",
            "'\"`$(id) ${x} $HOME \\",
            "a=b==c",
            "x" * 100_000,
            "-----BEGIN\nKEY-----\n",
            "  edges  ",
        ]
    ),
)
SHOW = "import json, os; print(json.dumps({k.decode('utf-8'): v.hex() for k, v in os.environb.items()}))"


def in_a_child(env: dict[bytes, bytes]) -> dict[str, bytes]:
    done = subprocess.run([sys.executable, "-c", SHOW], env=env, capture_output=True, check=True)
    return {k: bytes.fromhex(v) for k, v in json.loads(done.stdout).items()}


@pytest.mark.slow
@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.dictionaries(NAMES, VALUES, max_size=12), min_size=1, max_size=1))
def test_a_thousand_generated_environments_are_kept_byte_for_byte(pods: list[dict[str, str]]):
    for pod in pods:
        built = environment.build(pod, {}, [], {})
        for name, value in pod.items():
            assert built[name.encode()] == value.encode()


@pytest.mark.slow
@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(NAMES, VALUES, min_size=8, max_size=30))
def test_a_thousand_generated_environments_arrive_in_a_real_child(pod: dict[str, str]):
    arrived = in_a_child(environment.build(pod, {}, [], {}))
    for name, value in pod.items():
        assert arrived[name] == value.encode()


@pytest.mark.parametrize(
    "name", ["PATH", "HOME", "USER", "SHELL", "PWD", "TMPDIR", "LC_ALL", "LD_PRELOAD", "KUBECONFIG", "HOSTNAME"]
)
def test_a_variable_of_this_machine_is_not_replaced(monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.setenv(name, "of this machine")
    assert environment.build({name: "of the pod"}, {}, [], {})[name.encode()] == b"of this machine"


def test_the_catalogue_has_the_last_word():
    built = environment.build({"NODE_ENV": "production", "X": "pod"}, {"NODE_ENV": "development"}, [], {"X": "own"})
    assert (built[b"NODE_ENV"], built[b"X"]) == (b"development", b"own")


def test_a_kubeconfig_of_the_catalogue_beats_the_sessions_and_the_sessions_the_developers(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("KUBECONFIG", "/of/the/developer")
    own = {"KUBECONFIG": "/of/the/session"}
    assert environment.build({}, {}, [], own)[b"KUBECONFIG"] == b"/of/the/session"
    assert environment.build({}, {"KUBECONFIG": "/of/the/catalogue"}, [], own)[b"KUBECONFIG"] == b"/of/the/catalogue"


def test_dropped_variables_are_omitted():
    assert b"BIG" not in environment.build({"BIG": "x"}, {}, ["BIG"], {})


@pytest.mark.parametrize(
    ("pod", "said"),
    [
        ({"BIG": "x" * 200_000}, "BIG has 200,000 bytes"),
        ({"A=B": "x"}, "cannot be passed"),
        ({"A": "x\0y"}, "cannot be passed"),
    ],
)
def test_a_variable_that_the_kernel_cannot_pass_is_named_without_its_value(pod: dict[str, str], said: str):
    with pytest.raises(Trouble, match=said) as caught:
        environment.build(pod, {}, [], {})
    assert "xxxx" not in str(caught.value)


def test_a_file_is_private_and_read_back_by_a_shell(tmp_path: Path):
    pod = {"A": 'it\'s "quoted" $(id)\nsecond line', "app.dotted": "omitted: no shell accepts it", "EMPTY": ""}
    path = tmp_path / "pod.env"
    environment.write_file(path, pod)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    done = subprocess.run(
        ["bash", "-c", f"set -a; . {path}; env -0"], capture_output=True, check=True, env={"PATH": os.environ["PATH"]}
    )
    arrived = dict(line.split(b"=", 1) for line in done.stdout.split(b"\0") if b"=" in line)
    assert arrived[b"A"] == pod["A"].encode()
    assert arrived[b"EMPTY"] == b""


def test_a_json_file_keeps_every_name(tmp_path: Path):
    pod = {"app.dotted": "é\n", "B": ""}
    environment.write_file(tmp_path / "pod.json", pod)
    assert json.loads((tmp_path / "pod.json").read_text()) == pod
