"""The process's environment: the pod's, byte for byte, without the variables that belong to this machine."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from dotenv import dotenv_values
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.core.config.catalogue import Dev
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


def build(pod: dict[str, str], **dev: Any) -> dict[bytes, bytes]:
    return environment.build(pod, Dev(command=["x"], **dev), kubeconfig="/of/the/session", port=3000)


def in_a_child(env: dict[bytes, bytes]) -> dict[str, bytes]:
    done = subprocess.run([sys.executable, "-c", SHOW], env=env, capture_output=True, check=True)
    return {k: bytes.fromhex(v) for k, v in json.loads(done.stdout).items()}


@pytest.mark.slow
@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.dictionaries(NAMES, VALUES, max_size=12), min_size=1, max_size=1))
def test_a_thousand_generated_environments_are_kept_byte_for_byte(pods: list[dict[str, str]]):
    for pod in pods:
        built = build(pod)
        for name, value in pod.items():
            assert built[name.encode()] == value.encode()


@pytest.mark.slow
@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(NAMES, VALUES, min_size=8, max_size=30))
def test_a_thousand_generated_environments_arrive_in_a_real_child(pod: dict[str, str]):
    arrived = in_a_child(build(pod))
    for name, value in pod.items():
        assert arrived[name] == value.encode()


@pytest.mark.parametrize(
    "name", ["PATH", "HOME", "USER", "SHELL", "PWD", "TMPDIR", "LC_ALL", "LD_PRELOAD", "KUBECONFIG", "HOSTNAME"]
)
def test_a_variable_of_this_machine_is_not_replaced(monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.setenv(name, "of this machine")
    expected = b"/of/the/session" if name == "KUBECONFIG" else b"of this machine"
    assert build({name: "of the pod"})[name.encode()] == expected


def test_the_catalogue_has_the_last_word_but_for_the_port():
    built = build({"NODE_ENV": "production", "PORT": "1"}, env={"NODE_ENV": "development", "PORT": "2"})
    assert (built[b"NODE_ENV"], built[b"PORT"]) == (b"development", b"3000")


def test_a_kubeconfig_of_the_catalogue_beats_the_sessions_and_the_sessions_the_developers(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("KUBECONFIG", "/of/the/developer")
    assert build({})[b"KUBECONFIG"] == b"/of/the/session"
    assert build({}, env={"KUBECONFIG": "/of/the/catalogue"})[b"KUBECONFIG"] == b"/of/the/catalogue"


def test_dropped_variables_are_omitted():
    assert b"BIG" not in build({"BIG": "x"}, drop=["BIG"])


@pytest.mark.parametrize(
    ("pod", "said"),
    [
        ({"BIG": "x" * 200_000}, "BIG has 200,000 bytes"),
        ({"A=B": "x"}, "cannot be passed"),
        ({"A": "x\0y"}, "cannot be passed"),
        ({"A": "xxxx\ud800"}, "not valid Unicode"),
    ],
)
def test_a_variable_that_the_kernel_cannot_pass_is_named_without_its_value(pod: dict[str, str], said: str):
    with pytest.raises(Trouble, match=said) as caught:
        build(pod)
    assert "xxxx" not in str(caught.value)


HELD_BACK = [
    "BASH_ENV", "ENV", "BASH_FUNC_cd%%", "PROMPT_COMMAND", "LD_PRELOAD", "LD_AUDIT", "GCONV_PATH", "NODE_OPTIONS", "NODE_PATH",
    "npm_config_script_shell", "NPM_CONFIG_REGISTRY", "YARN_YARN_PATH", "PYTHONSTARTUP", "PYTHONPATH", "PERL5OPT", "PERL5LIB",
    "RUBYOPT", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "DOTNET_STARTUP_HOOKS", "GOFLAGS", "MAKEFLAGS",
    "GIT_SSH_COMMAND", "GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_0", "GIT_CONFIG_GLOBAL", "HTTP_PROXY", "https_proxy", "no_proxy",
    "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "OPENSSL_CONF",
    "GOAUTH", "GOCACHEPROG", "GOPACKAGESDRIVER", "NODE_COMPILE_CACHE", "ESBUILD_BINARY_PATH", "LESS", "KUBECTL_EXTERNAL_DIFF",
    "RUBYGEMS_GEMDEPS",
]  # fmt: skip
HARMLESS = [
    "NODE_ENV", "NODE_VERSION", "YARN_VERSION", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHON_VERSION", "JAVA_VERSION",
    "GIT_SHA", "GIT_COMMIT", "APP_ENV", "ENVIRONMENT", "UV_THREADPOOL_SIZE", "GOMAXPROCS", "GODEBUG", "MY_HTTP_PROXY_PORT",
    "SSL_MODE", "PSQL_URL", "CCC", "BUNDLE_ID", "PROXY", "PS5", "bash_env", "LDAP_URL",
]  # fmt: skip


@pytest.mark.parametrize("name", HELD_BACK)
def test_what_makes_programs_run_something_else_is_held_back_unless_it_is_allowed(
    monkeypatch: pytest.MonkeyPatch, name: str
):
    monkeypatch.setenv(name, "of this machine")
    pod = {name: "of the pod", "X": "1"}
    assert build(pod)[name.encode()] == b"of this machine"
    assert environment.held_back(pod, Dev(command=["x"])) == [name]
    assert build(pod, allow=[name])[name.encode()] == b"of the pod"
    assert environment.held_back(pod, Dev(command=["x"], allow=[name])) == []
    assert environment.held_back(pod, Dev(command=["x"], drop=[name])) == []
    assert build(pod, env={name: "of the catalogue"})[name.encode()] == b"of the catalogue"


@pytest.mark.parametrize("name", HARMLESS)
def test_other_variables_are_passed_on(name: str):
    assert build({name: "of the pod"})[name.encode()] == b"of the pod"
    assert environment.held_back({name: "of the pod"}, Dev(command=["x"])) == []


@pytest.mark.parametrize("allowed", [False, True])
def test_the_pods_environment_runs_no_code_here(tmp_path: Path, allowed: bool):
    """With everything allowed each of the four programs runs the pod's code, which shows that this test can fail."""
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\necho ran >>{tmp_path}/$1\n")
    hook.chmod(0o755)
    (tmp_path / "bash.sh").write_text(f"{hook} bash\n")
    (tmp_path / "Evil.pm").write_text(f"system('{hook} perl'); 1;\n")
    pod = {
        "BASH_ENV": str(tmp_path / "bash.sh"),
        "PERL5OPT": "-MEvil",
        "PERL5LIB": str(tmp_path),
        "GIT_SSH_COMMAND": f"{hook} ssh",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "alias.evil",
        "GIT_CONFIG_VALUE_0": f"!{hook} alias",
    }
    env = build(pod, allow=list(pod) if allowed else [])
    for argv in (
        ["bash", "-c", ":"],
        ["perl", "-e", "1"],
        ["git", "ls-remote", "ssh://nobody@localhost/x"],
        ["git", "evil"],
    ):
        if argv[1] == "ls-remote" and not allowed:
            env[b"GIT_SSH_COMMAND"] = b"false"  # this machine's own ssh asks nobody
        subprocess.run(argv, env=env, capture_output=True, check=False, cwd=tmp_path)
    ran = {name for name in ("bash", "perl", "ssh", "alias") if (tmp_path / name).exists()}
    assert ran == ({"bash", "perl", "ssh", "alias"} if allowed else set())


LINE_NAMES = st.one_of(
    NAMES, st.sampled_from(["UID", "PPID", "IFS", "OPTIND", "RANDOM", "export", "if", "_x", "PS1", "PATH"])
)
LINE_VALUES = st.one_of(VALUES, st.text(st.sampled_from("aZ0_@%+=:,./-~#$'\"\\ \t\n*?!{}[]^;&|<>()`é"), max_size=8))


def by_dotenv(path: Path) -> dict[str, str | None]:
    return dotenv_values(path)


def by_shell(shell: list[str], path: Path, names: list[str]) -> dict[str, str]:
    """What a shell has in these variables after reading the file."""
    show = "".join(f'printf "%s\\0" "${{{name}-}}";' for name in names)
    done = subprocess.run(
        [*shell, "-c", f". {path}; {show}"], env={"PATH": os.environ["PATH"]}, capture_output=True, check=True
    )
    assert done.stderr == b""
    return dict(zip(names, done.stdout.decode().split("\0"), strict=False))


def by_docker(path: Path) -> dict[str, str]:
    """The rules of docker's package kvfile, without those in which its versions differ: no value may have quotes."""
    found = {}
    for line in path.read_bytes().decode("utf-8").split("\n"):
        text = line.removesuffix("\r").lstrip()
        if not text or text.startswith("#"):
            continue
        assert len(line.encode()) < 65_536
        name, _, value = text.partition("=")
        assert name
        assert " " not in name
        assert "\t" not in name
        assert value[:1] not in {"'", '"'}
        found[name] = value
    return found


@pytest.mark.slow
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(LINE_NAMES, LINE_VALUES, max_size=12))
def test_dotenv_a_shell_and_docker_read_the_same(tmp_path: Path, pod: dict[str, str]):
    path = tmp_path / "pod.env"
    omitted = environment.write_file(path, pod, Dev(command=["x"]))
    expected = {name: value for name, value in pod.items() if name not in omitted}
    assert by_dotenv(path) == expected
    assert by_docker(path) == expected
    for shell in (["sh"], ["bash"], ["bash", "--posix"]):
        assert by_shell(shell, path, list(expected)) == expected


def test_a_file_is_private_and_has_what_all_readers_read_alike(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    plain = {"A": "postgres://db:5432/x?y=", "B": "", "URL": "https://x.example/a,b%20c@d", "É_no": "x", "Z": "ä+1"}
    pod = {
        **plain,
        "QUOTED": "it's",
        "LINES": "1\n2",
        "app.dotted": "x",
        "BASH_ENV": "/x",
        "PATH": "/x",
        "LONG": "x" * 65_536,
    }
    path = tmp_path / "pod.env"
    omitted = environment.write_file(path, pod, Dev(command=["x"]))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert omitted == ["BASH_ENV", "LINES", "LONG", "PATH", "QUOTED", "app.dotted", "É_no"]
    assert path.read_text() == "A=postgres://db:5432/x?y=\nB=\nURL=https://x.example/a,b%20c@d\nZ=ä+1\n"
    warning = capsys.readouterr().err
    assert "LINES, LONG, QUOTED, app.dotted, É_no (not read alike" in warning
    assert "BASH_ENV, PATH (not for a process on this machine)" in warning
    assert f"--env-file {tmp_path / 'pod.json'} would have all variables" in warning
    assert environment.write_file(path, {"A": "1"}, Dev(command=["x"])) == []
    assert capsys.readouterr().err == ""


def test_a_json_file_keeps_every_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    pod = {"app.dotted": "é\n", "B": "", "BASH_ENV": "/x", "HALF": "\ud800"}
    assert environment.write_file(tmp_path / "pod.json", pod, Dev(command=["x"])) == []
    assert json.loads((tmp_path / "pod.json").read_text()) == pod
    assert capsys.readouterr().err == ""
