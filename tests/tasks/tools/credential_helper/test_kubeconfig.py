"""The session's kubeconfig starts the helper; the user's never does, and a kubectl that forbids it gets a plain one."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import yaml

from tasks.core.errors import Trouble
from tasks.core.state import store
from tasks.tools import base, credential_helper, credentials, kubeconfig
from tests.made import settings

USER = """\
apiVersion: v1
kind: Config
clusters: [{name: dev, cluster: {server: "https://dev.example:443"}}]
contexts: [{name: dev, context: {cluster: dev, user: u}}]
current-context: dev
users:
- name: u
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      command: kubelogin
      args: [get-token, --login, azurecli, --server-id, 6dae42f8-4368-4678-94ff-3960e28e3630]
      env: [{name: AZURE_CONFIG_DIR, value: /elsewhere}]
      installHint: install it
      interactiveMode: IfAvailable
      provideClusterInfo: false
"""


@pytest.fixture
def user_file() -> Path:
    path = Path(os.environ["HOME"]) / ".kube" / "config"
    path.parent.mkdir()
    path.write_text(USER)
    return path


def frozen_plugin(**changes: str) -> dict[str, object]:
    """Return the plugin of the session's kubeconfig, written with these settings."""
    s = settings(**changes)
    change = kubeconfig.freeze(s)
    if change is not None:
        change.run()
    assert kubeconfig.freeze(s) is None
    plugin: dict[str, object] = yaml.safe_load(base.frozen_kubeconfig(s).read_text())["users"][0]["user"]["exec"]
    return plugin


def test_the_helper_comes_before_the_plugin_and_the_rest_stays(user_file: Path):
    wanted = yaml.safe_load(USER)["users"][0]["user"]["exec"]
    command = credential_helper.command(settings())
    assert frozen_plugin() == {
        **wanted,
        "command": str(command),
        "args": ["kubelogin", *wanted["args"]],
        "env": [*wanted["env"], {"name": "SESSION_API_SERVER", "value": "https://dev.example:443"}],
        "interactiveMode": "Never",
    }
    assert stat.S_IMODE(command.stat().st_mode) == 0o700
    assert stat.S_IMODE(credential_helper.entries(settings()).stat().st_mode) == 0o700
    assert user_file.read_text() == USER


def test_the_plugin_behind_the_helper_can_be_read(user_file: Path):
    frozen_plugin()
    read = kubeconfig.load([base.frozen_kubeconfig(settings())]).context("dev")
    users = kubeconfig.load().context("dev")
    assert read is not None
    assert users is not None
    assert read.plugin == users.plugin


@pytest.mark.parametrize("lost", ["credential-helper", "credential_helper/ask.py", "aadsts.json"])
def test_a_lost_or_changed_file_of_the_helper_is_written_again(user_file: Path, lost: str):
    frozen_plugin()
    path = base.session_folder(settings()) / lost
    good = path.read_bytes()
    path.write_bytes(b"changed")
    frozen_plugin()
    assert path.read_bytes() == good
    path.unlink()
    frozen_plugin()
    assert path.read_bytes() == good


@pytest.mark.parametrize("fault", ["deleted", "open to others", "a link"])
def test_the_folder_of_the_credentials_is_made_again(user_file: Path, tmp_path: Path, fault: str):
    frozen_plugin()
    folder = credential_helper.entries(settings())
    if fault == "open to others":
        folder.chmod(0o755)
    else:
        folder.rmdir()
    if fault == "a link":
        folder.symlink_to(tmp_path)
    frozen_plugin()
    assert (folder.is_symlink(), oct(folder.stat().st_mode & 0o777)) == (False, "0o700")


def test_forgetting_deletes_nothing_behind_a_link(user_file: Path, tmp_path: Path):
    frozen_plugin()
    folder = credential_helper.entries(settings())
    folder.rmdir()
    folder.symlink_to(tmp_path)
    (tmp_path / "letter").write_text("mine")
    credential_helper.forget(settings())
    assert (tmp_path / "letter").read_text() == "mine"


def full(path: Path, *more: object, **how: object) -> None:
    raise Trouble(f"cannot write {path}: No space left on device")


def test_on_a_full_disk_the_kept_credentials_are_deleted(user_file: Path, monkeypatch: pytest.MonkeyPatch):
    frozen_plugin()
    folder = credential_helper.entries(settings())
    (folder / "kept").write_text("a credential")
    monkeypatch.setattr(store, "write", full)
    credential_helper.forget(settings())
    assert list(folder.iterdir()) == []


def test_kept_credentials_that_cannot_be_deleted_are_named(user_file: Path, monkeypatch: pytest.MonkeyPatch):
    frozen_plugin()
    folder = credential_helper.entries(settings())
    (folder / "kept").mkdir()  # root, too, cannot delete it as a file
    monkeypatch.setattr(store, "write", full)
    with pytest.raises(Trouble, match=r"cannot write .*/kept: "):
        credential_helper.forget(settings())


def test_the_setting_turns_it_off(user_file: Path):
    assert frozen_plugin(azure__credential_cache="off")["command"] == "kubelogin"


def test_a_state_folder_from_which_nothing_can_be_started_gets_the_plain_plugin(
    user_file: Path, monkeypatch: pytest.MonkeyPatch
):
    mounted = os.statvfs("/")
    flags = os.statvfs_result((*mounted[:8], os.ST_NOEXEC, *mounted[9:]))
    monkeypatch.setattr(os, "statvfs", lambda path: flags)
    assert frozen_plugin()["command"] == "kubelogin"
    assert "noexec" in credential_helper.forbidden(settings())


def test_a_state_folder_whose_name_is_not_text_gets_the_plain_plugin(
    user_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("REMOTE_DEV_STATE", os.fsdecode(bytes(tmp_path) + b"/\xff"))
    assert frozen_plugin()["command"] == "kubelogin"
    assert "\\udcff" in credential_helper.forbidden(settings())


@pytest.mark.parametrize(
    ("policy", "command"),
    [
        ("credentialPluginPolicy: AllowAll", "helper"),
        ("aliases: []", "helper"),
        ("{", "helper"),
        ("credentialPluginPolicy: DenyAll", "kubelogin"),
        ("credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: [{name: kubelogin}]", "kubelogin"),
        ("credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: [{name: HELPER}, {name: kubelogin}]", "helper"),
        ("credentialPluginPolicy: Allowlist\ncredentialPluginAllowlist: [{command: HELPER}]", "helper"),
    ],
)
@pytest.mark.parametrize("by_variable", [False, True])
def test_a_kubectl_that_forbids_the_helper_gets_the_plain_plugin(
    user_file: Path, monkeypatch: pytest.MonkeyPatch, policy: str, command: str, by_variable: bool
):
    helper = str(credential_helper.command(settings()))
    file = user_file.with_name("elsewhere" if by_variable else "kuberc")
    file.write_text(policy.replace("HELPER", helper) + "\n")
    if by_variable:
        monkeypatch.setenv("KUBERC", str(file))
    assert frozen_plugin()["command"] == {"helper": helper, "kubelogin": "kubelogin"}[command]
    assert bool(credential_helper.forbidden(settings())) == (command == "kubelogin")


@pytest.mark.parametrize(
    "plugin",
    [
        "{apiVersion: client.authentication.k8s.io/v1, command: gke-gcloud-auth-plugin, interactiveMode: Never}",
        "{apiVersion: client.authentication.k8s.io/v1, command: /opt/credential-helper, interactiveMode: Never}",
        "{apiVersion: client.authentication.k8s.io/v1, command: credential-helper, args: [a, b], interactiveMode: Never}",
        "{apiVersion: client.authentication.k8s.io/v1, command: aws, args: [eks, get-token], interactiveMode: Never}",
    ],
)
def test_another_plugin_stays_as_it_is(user_file: Path, plugin: str):
    document = yaml.safe_load(USER)
    document["users"][0]["user"]["exec"] = yaml.safe_load(plugin)
    user_file.write_text(yaml.safe_dump(document))
    assert frozen_plugin() == yaml.safe_load(plugin)


def test_a_private_kubeconfig_uses_a_helper_that_is_there_and_installs_none(user_file: Path):
    s = settings()
    context = kubeconfig.wanted_context(s)
    assert credentials.in_private(s, context) == context
    assert not base.session_folder(s).exists()
    credentials.prepare(s)
    assert "credential-helper" in kubeconfig.rendered(credentials.in_private(s, context))
