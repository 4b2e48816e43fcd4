"""devcontainer.json and its Dockerfile: what does not conform, and what a container built from them would lack."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tasks.checks.devcontainer import files, jsonc, schema
from tasks.checks.finding import Finding, Verdict
from tasks.core.errors import Trouble
from tasks.core.repository import repository_root
from tests.made import settings

OURS = repository_root() / ".devcontainer"


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(OURS, tmp_path / ".devcontainer")
    return tmp_path / ".devcontainer"


def changed(folder: Path, **keys: object) -> list[Finding]:
    """Return the findings after changing these properties; None deletes one."""
    config = {**files.read(folder / "devcontainer.json"), **keys}
    config = {key: value for key, value in config.items() if value is not None}
    (folder / "devcontainer.json").write_text(json.dumps(config))
    return files.look(settings(), folder)


def missing(findings: list[Finding]) -> set[str]:
    return {f.subject for f in findings if f.verdict is Verdict.MISSING}


def test_our_own_files_are_complete():
    assert {f.verdict for f in files.look(settings(), OURS)} == {Verdict.OK}


@pytest.mark.parametrize(
    ("keys", "subject"),
    [
        ({"capAdd": None}, "capability NET_ADMIN"),
        ({"runArgs": None}, "/dev/net/tun"),
        ({"remoteUser": "root"}, "user"),
        ({"remoteUser": "0"}, "user"),
        ({"remoteUser": None, "containerUser": "0"}, "user"),
        ({"forwardPorts": [8080]}, "port 10350"),
        ({"mounts": ["source=azure,target=/home/vscode/.azure,type=volume"]}, "volume for ~/.azure"),
        ({"mounts": None}, "volume for ~/.kube"),
        ({"updateContentCommand": None}, "updateContentCommand"),
        ({"postCreateCommand": None}, "postCreateCommand"),
        ({"postCreateComand": "x"}, "schema"),
        ({"capAdd": "NET_ADMIN"}, "schema"),
        ({"build": {"dockerfile": "Nofile"}}, "versions"),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else value,
)
def test_each_missing_part_is_reported(folder, keys, subject):
    assert subject in missing(changed(folder, **keys))


@pytest.mark.parametrize(
    "given_", [["--cap-add=NET_ADMIN", "--device=/dev/net/tun"], ["--cap-add", "NET_ADMIN", "--device", "/dev/net/tun:/dev/net/tun"],
               ["--privileged"]],
)  # fmt: skip
def test_capabilities_and_devices_may_be_in_the_run_arguments(folder, given_):
    assert not missing(changed(folder, capAdd=None, runArgs=given_))


def test_a_volume_shared_by_clones_is_an_error_and_one_of_the_host_a_warning(folder):
    shared = "source=azure,target=/home/vscode/.azure,type=volume"
    bound = "source=${localEnv:HOME}/.kube,target=/home/vscode/.kube,type=bind"
    found = {f.subject: f for f in changed(folder, mounts=[shared, bound])}
    assert "two clones" in found["volume for ~/.azure"].text
    assert found["volume for ~/.kube"].verdict is Verdict.WARN


FOLDER = "${localWorkspaceFolderBasename}"


def test_names_that_contain_the_folders_are_errors_because_a_blank_is_not_valid_in_them(folder):
    azure = f"source=azure-{FOLDER}-${{devcontainerId}},target=/home/vscode/.azure,type=volume"
    kube = f"source=kube-${{devcontainerId}},target={FOLDER}/.kube,type=volume"
    found = changed(folder, mounts=[azure, kube], runArgs=["--device=/dev/net/tun", f"--hostname=dev-{FOLDER}"])
    assert missing(found) == {"volume for ~/.azure", "host name"}


def test_without_a_host_name_a_rebuild_changes_the_owners_name(folder):
    (found,) = (f for f in changed(folder, runArgs=["--device=/dev/net/tun"]) if f.subject == "host name")
    assert found.verdict is Verdict.WARN
    assert found.problem is not None
    assert "--hostname=dev-${devcontainerId}" in found.problem.fix


def test_another_version_in_the_dockerfile_is_reported(folder):
    dockerfile = folder / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text().replace("ARG HELM_VERSION=", "ARG HELM_VERSION=9."))
    assert missing(files.look(settings(), folder)) == {"versions HELM_VERSION"}


def test_a_script_that_creates_a_local_cluster_is_reported(folder):
    (folder / "postCreate.sh").write_text("#!/bin/bash\n# no k3d\nk3d cluster create\n")
    assert missing(files.look(settings(), folder)) == {"postCreate.sh"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1, // one\n "b": [1, 2,], }', {"a": 1, "b": [1, 2]}),
        ('/* a\n b */ {"url": "https://x/*y*/", "c": "a, ]"}', {"url": "https://x/*y*/", "c": "a, ]"}),
        (r'{"quote": "\" // no comment", }', {"quote": '" // no comment'}),
        ("[1 /* , */ , /* x */ ]", [1]),
    ],
)
def test_comments_and_trailing_commas_are_allowed_outside_of_strings(text, value):
    assert jsonc.loads(text) == value


@pytest.mark.parametrize("text", ["", "[1]", "{", "null", "{'a': }"])
def test_a_file_without_a_mapping_is_one_clear_error(folder, text):
    (folder / "devcontainer.json").write_text(text)
    with pytest.raises(Trouble) as why:
        files.look(settings(), folder)
    assert "devcontainer.json" in why.value.what
    assert why.value.fix


@examples(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # the first draw builds tables of Unicode
@given(st.dictionaries(st.sampled_from([*schema.PROPERTIES, "build", "nonsense"]),
                       st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5),
                                    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=5), x, max_size=3),
                                    max_leaves=5)))  # fmt: skip
def test_the_schema_handles_every_mapping(config):
    texts = list(schema.errors(config))
    assert all(isinstance(text, str) and text for text in texts)
    if "nonsense" in config:
        assert any("nonsense" in text for text in texts)


TEXT, FLAG, MANY, MAP = "x", True, [], {}  # type: ignore[var-annotated]
SPECIFIED = {
    **dict.fromkeys(
        ("$schema", "name", "image", "service", "workspaceFolder", "workspaceMount", "remoteUser", "containerUser",
         "dockerFile", "context", "initializeCommand", "onCreateCommand", "updateContentCommand", "postCreateCommand",
         "postStartCommand", "postAttachCommand"), TEXT),
    **dict.fromkeys(("init", "privileged", "overrideCommand", "updateRemoteUserUID"), FLAG),
    **dict.fromkeys(
        ("capAdd", "securityOpt", "runArgs", "mounts", "forwardPorts", "overrideFeatureInstallOrder", "runServices",
         "dockerComposeFile", "appPort"), MANY),
    **dict.fromkeys(
        ("features", "containerEnv", "remoteEnv", "portsAttributes", "otherPortsAttributes", "hostRequirements",
         "customizations", "secrets"), MAP),
    "build": {"dockerfile": "Dockerfile", "context": "..", "args": {}, "target": "x", "cacheFrom": [], "options": []},
    "waitFor": "postCreateCommand", "shutdownAction": "stopCompose", "userEnvProbe": "loginShell",
}  # fmt: skip


@pytest.mark.parametrize("key", SPECIFIED)
def test_each_property_of_the_specification_is_known_with_its_type(key: str):
    container = {} if key in {"image", "build", "dockerFile", "dockerComposeFile"} else {"image": "x"}
    compose = {"service": "x", "workspaceFolder": "/x"} if key == "dockerComposeFile" else {}
    assert list(schema.errors({**container, **compose, key: SPECIFIED[key]})) == []
    (error,) = schema.errors({**container, **compose, key: 1.5})
    assert error.startswith(f"'{key}': expected ")


@pytest.mark.parametrize(
    ("config", "error"),
    [
        ({"image": "x", "waitFor": "later"}, "'waitFor': invalid enum value 'later'"),
        ({"image": "x", "forwardPorts": [65536]}, "'forwardPorts': expected `int` <= 65535"),
        ({"image": "x", "forwardPorts": ["db"]}, "'forwardPorts': expected `str` matching"),
        ({"image": "x", "forwardPorts": [True]}, "got `bool`"),
        ({"image": "x", "portsAttributes": {"80": 1}}, "'portsAttributes': expected `object`, got `int`"),
        ({"image": "x", "portsAttributes": {"80": {"lable": "a"}}}, "unknown field `lable`"),
        ({"image": "x", "portsAttributes": {"80": {"onAutoForward": "loud"}}}, "invalid enum value 'loud'"),
        ({"image": "x", "remoteEnv": {"A": 1}}, "'remoteEnv': expected `str | null`"),
        ({"image": "x", "hostRequirements": {"memory": "4 GB"}}, "'hostRequirements': expected `str` matching"),
        ({"image": "x", "hostRequirements": {"ram": "4gb"}}, "unknown field `ram`"),
        ({"image": "x", "hostRequirements": {"cpus": 0}}, "'hostRequirements': expected `int` >= 1"),
        ({"image": "x", "mounts": [{"source": "a", "target": "/a"}]}, "'mounts': object missing required field `type`"),
        ({"image": "x", "postCreateCommand": {"a": 1}}, "'postCreateCommand': expected"),
        ({"image": "x", "build": {"dockerfile": "D"}}, "only one of 'image', 'build'"),
        ({"dockerComposeFile": "c.yaml", "service": "x"}, "'workspaceFolder' must be given too"),
        ({"image": "x", "capAdd": [1]}, "'capAdd': expected `str`, got `int`"),
        ({"image": "x", "containerEnv": {"A": 1}}, "'containerEnv': expected `str`, got `int`"),
        ({"image": "x", "mounts": [1]}, "'mounts': expected `str | object`, got `int`"),
        ({"build": {"dockerfile": "D", "arg": {}}}, "'build': object contains unknown field `arg`"),
        ({"build": {}}, "'build': object missing required field `dockerfile`"),
        ({"name": "x"}, "one of 'image'"),
        ({"image": "x", "nmae": "y"}, "'nmae' is not a property"),
    ],
)
def test_each_violation_is_one_sentence(config: dict[str, object], error: str):
    (found,) = schema.errors(config)
    assert error in found


@pytest.mark.parametrize("port", [0, 65535, "db:5432"])
def test_a_port_may_be_a_number_or_one_of_another_host(port: object):
    assert list(schema.errors({"image": "x", "forwardPorts": [port]})) == []


def test_the_dockerfile_needs_version_and_checksums_of_what_is_pinned():
    pinned = {name: pin for name, pin in settings().tools.items() if pin.sha256}
    wanted = files.wanted(settings())
    assert pinned
    for name, pin in pinned.items():
        assert wanted[f"{name.upper()}_VERSION"] == pin.container
        for arch, digest in pin.sha256.items():
            assert wanted[f"{name.upper()}_SHA256_{arch.upper()}"] == digest


def test_with_compose_the_device_is_in_a_compose_file(folder):
    compose = {"dockerComposeFile": ["a.yml", "gone.yml"], "service": "app", "runArgs": None}
    (folder / "a.yml").write_text("services: {app: {}}\n")
    found = changed(folder, **compose)
    assert "/dev/net/tun" in missing(found)
    assert any("devices" in f.problem.fix for f in found if f.subject == "/dev/net/tun" and f.problem)
    (folder / "a.yml").write_text('services: {app: {devices: ["/dev/net/tun:/dev/net/tun"]}}\n')
    assert "/dev/net/tun" not in missing(changed(folder, **compose))


def test_a_container_in_a_folder_of_its_own_has_the_script_above_it_and_its_user(folder):
    named = folder / "go"
    named.mkdir()
    (named / "devcontainer.json").write_text('{"image": "x", "remoteUser": "node"}')
    found = files.look(settings(), named)
    assert "postCreate.sh" not in missing(found)
    assert any("/home/node/.kube" in f.problem.fix for f in found if f.problem)
