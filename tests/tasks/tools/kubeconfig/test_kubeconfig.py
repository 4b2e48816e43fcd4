"""The user's kubeconfig: read as kubectl reads it, and frozen for the session."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tasks.core.errors import Blocked
from tasks.tools import base, kubeconfig
from tasks.tools.kubeconfig import file
from tests.made import settings

SERVER_ID = "6dae42f8-4368-4678-94ff-3960e28e3630"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


DEV = f"""\
apiVersion: v1
kind: Config
preferences: {{}}
clusters:
- name: dev
  cluster: {{server: "https://dev.example:443", certificate-authority-data: LS0t}}
- name: other
  cluster: {{server: "https://other.example:443"}}
users:
- name: clusterUser
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      command: kubelogin
      args: [get-token, --login, azurecli, --server-id, {SERVER_ID}]
      env: null
- name: other
  user: {{token: 12:30}}
contexts:
- name: dev
  context: {{cluster: dev, user: clusterUser}}
- name: other
  context: {{cluster: other, user: other, namespace: on}}
current-context: other
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home" / ".kube" / "config"


def test_the_default_file_is_read_without_kubeconfig(home: Path) -> None:
    write(home, DEV)
    found = kubeconfig.load()
    assert found.current == "other"
    context = found.context("dev")
    assert context is not None
    assert (context.server, context.namespace) == ("https://dev.example:443", "")
    assert context.plugin is not None
    assert context.plugin.option("--login", "-l") == "azurecli"


def test_of_several_files_the_first_wins_and_missing_ones_are_ignored(tmp_path: Path, monkeypatch) -> None:
    one = write(tmp_path / "one", "contexts: [{name: dev, context: {cluster: dev, user: mine}}]\n")
    two = write(tmp_path / "two", DEV)
    monkeypatch.setenv("KUBECONFIG", f":{one}:{tmp_path}/missing:{two}:{one}")
    found = kubeconfig.load()
    assert found.files == (one, tmp_path / "missing", two)
    context = found.context("dev")
    assert context is not None
    assert (context.user, context.server, context.user_body) == ("mine", "https://dev.example:443", None)
    assert found.homes["contexts", "dev"] == one
    assert found.homes["clusters", "dev"] == two


def test_the_current_context_is_that_of_the_first_file_that_names_one(tmp_path: Path, monkeypatch) -> None:
    none = write(tmp_path / "none", "contexts: []\n")
    first = write(tmp_path / "first", "current-context: mine\n")
    second = write(tmp_path / "second", DEV)
    monkeypatch.setenv("KUBECONFIG", os.pathsep.join(map(str, (none, first, second))))
    assert kubeconfig.load().current == "mine"


def test_no_file_no_context_is_blocked_with_the_command() -> None:
    with pytest.raises(Blocked) as why:
        kubeconfig.freeze(settings())
    assert why.value.fix == "inv aks.credentials"


def test_a_context_whose_cluster_is_missing_does_not_exist(home: Path) -> None:
    write(home, "contexts: [{name: dev, context: {cluster: gone, user: gone}}]\n")
    assert kubeconfig.load().context("dev") is None


def test_the_frozen_file_has_one_context_the_namespace_and_mode_0600(home: Path) -> None:
    write(home, DEV)
    s = settings()
    change = kubeconfig.freeze(s)
    assert change is not None
    assert not base.frozen_kubeconfig(s).exists()
    change.run()
    frozen = base.frozen_kubeconfig(s)
    assert stat.S_IMODE(frozen.stat().st_mode) == 0o600
    data = yaml.safe_load(frozen.read_text())
    assert [c["name"] for c in data["contexts"]] == ["dev"]
    assert data["contexts"][0]["context"]["namespace"] == "team"
    assert data["current-context"] == "dev"
    assert len(data["users"]) == len(data["clusters"]) == 1
    plugin = data["users"][0]["user"]["exec"]
    assert plugin["command"] == str(frozen.parent / "credential-helper")
    assert plugin["args"][:2] == ["kubelogin", "get-token"]
    assert plugin["interactiveMode"] == "Never"
    assert {"name": "SESSION_API_SERVER", "value": data["clusters"][0]["cluster"]["server"]} in plugin["env"]
    assert kubeconfig.freeze(s) is None
    assert kubeconfig.server_of(s) == "https://dev.example:443"


def test_a_frozen_file_that_others_can_read_is_written_again(home: Path) -> None:
    write(home, DEV)
    s = settings()
    change = kubeconfig.freeze(s)
    assert change is not None
    change.run()
    base.frozen_kubeconfig(s).chmod(0o644)
    assert kubeconfig.freeze(s) is not None


def test_certificates_are_inlined_and_relative_paths_are_meant_from_their_file(home: Path) -> None:
    write(
        home,
        """\
clusters: [{name: c, cluster: {server: "https://c", certificate-authority: pki/ca.crt}}]
users: [{name: u, user: {client-certificate: cert.pem, client-key: key.pem, tokenFile: token, exec: {command: ./plugin}}}]
contexts: [{name: dev, context: {cluster: c, user: u}}]
""",
    )
    for name in ("pki/ca.crt", "cert.pem", "key.pem"):
        write(home.parent / name, name)
    s = settings()
    change = kubeconfig.freeze(s)
    assert change is not None
    change.run()
    data = yaml.safe_load(base.frozen_kubeconfig(s).read_text())
    cluster, user = data["clusters"][0]["cluster"], data["users"][0]["user"]
    assert base64.b64decode(cluster["certificate-authority-data"]) == b"pki/ca.crt"
    assert base64.b64decode(user["client-key-data"]) == b"key.pem"
    assert "certificate-authority" not in cluster
    assert "client-key" not in user
    assert user["tokenFile"] == str(home.parent / "token")
    assert user["exec"]["command"] == str(home.parent / "plugin")


def test_a_certificate_that_is_gone_is_named(home: Path) -> None:
    write(
        home,
        """\
clusters: [{name: c, cluster: {server: "https://c", certificate-authority: ca.crt}}]
contexts: [{name: dev, context: {cluster: c, user: u}}]
""",
    )
    with pytest.raises(Blocked, match=r"ca\.crt"):
        kubeconfig.freeze(settings())


@pytest.mark.parametrize(
    "content",
    [b"a: [", b"\xff\xfe\x00", b"- just\n- a list\n", b"a:\n\tb: 1\n", b"just a word"],
)
def test_an_invalid_kubeconfig_is_blocked_in_one_line(home: Path, content: bytes) -> None:
    home.parent.mkdir(parents=True)
    home.write_bytes(content)
    with pytest.raises(Blocked) as why:
        kubeconfig.load()
    assert str(home) in why.value.what
    assert "\n" not in why.value.what


@pytest.mark.parametrize("content", ["", "null\n", "# a comment\n", "clusters: null\ncontexts: {}\nusers: word\n"])
def test_an_empty_file_is_an_empty_kubeconfig(home: Path, content: str) -> None:
    write(home, content)
    assert kubeconfig.load().entries == {}


def test_a_folder_in_place_of_the_file_is_blocked(home: Path) -> None:
    home.mkdir(parents=True)
    with pytest.raises(Blocked):
        kubeconfig.load()


@given(st.text(min_size=1).filter(lambda t: not os.path.isabs(t)), st.sampled_from(["token", "unknown"]))
def test_any_value_survives_freezing(value: str, key: str) -> None:
    document = {
        "clusters": [{"name": "c", "cluster": {"server": "https://c", "extra": value}}],
        "users": [{"name": "u", "user": {key: value}}],
        "contexts": [{"name": "dev", "context": {"cluster": "c", "user": "u"}}],
    }
    context = kubeconfig.parse(yaml.safe_dump(document), "test").context("dev")
    assert context is not None
    cut = yaml.safe_load(kubeconfig.rendered(context))
    assert cut["users"][0]["user"][key] == value
    assert cut["clusters"][0]["cluster"]["extra"] == value


@pytest.mark.parametrize("args", ["[]", "null", "{}"])
def test_a_plugin_without_arguments_is_converted(args: str):
    document = yaml.safe_load(DEV)
    document["users"][0]["user"]["exec"]["args"] = yaml.safe_load(args)
    context = kubeconfig.parse(yaml.safe_dump(document), "test").context("dev")
    assert context is not None
    plugin = kubeconfig.through_az(settings(), context).plugin
    assert plugin is not None
    assert plugin.option("--login") == kubeconfig.THROUGH_AZ


@pytest.mark.parametrize("body", ["null", "word", "[a]", "5"])
def test_an_entry_that_is_not_a_mapping_is_ignored(body: str):
    found = kubeconfig.parse(f"contexts: [{{name: dev, context: {body}}}]\n", "test")
    assert found.names("contexts") == []


def test_a_copy_that_a_killed_run_left_is_deleted_with_the_next_write(tmp_path: Path) -> None:
    left = tmp_path / f".config.{os.getpid()}-1-abcdefgh"  # of an earlier process with this pid
    left.write_text("token")
    file.replace_file(tmp_path / "config", b"new")
    assert not left.exists()
    assert not list(tmp_path.glob(".config*"))
