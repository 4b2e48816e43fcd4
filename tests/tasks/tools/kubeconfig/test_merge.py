"""One context is merged into the user's kubeconfig, and nothing else is touched."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest
import yaml

from tasks.core.errors import Blocked
from tasks.core.process import processes
from tasks.tools import kubeconfig
from tasks.tools.kubeconfig import Context, file
from tasks.tools.kubeconfig import merge as kubeconfig_merge

FETCHED = """\
apiVersion: v1
kind: Config
clusters: [{name: dev, cluster: {server: "https://dev.example:443", certificate-authority-data: LS0t}}]
users: [{name: clusterUser, user: {exec: {command: kubelogin, args: [get-token, --login, azurecli, --server-id, id]}}}]
contexts: [{name: dev, context: {cluster: dev, user: clusterUser, namespace: team}}]
current-context: dev
"""
OTHERS = """\
# my own clusters
apiVersion: v1
kind: Config
extensions: {kept: 012}
contexts:
- name: mine
  context: {cluster: mine, user: clusterUser}
  note: kept
clusters:
- cluster: {server: "https://mine"}
  name: mine
users:
- name: clusterUser
  user: {token: on}
current-context: mine
"""


def fetched(text: str = FETCHED) -> Context:
    context = kubeconfig.parse(text, "az").context("dev")
    assert context is not None
    return context


def merge(context: Context | None = None) -> None:
    change = kubeconfig_merge.merge(context or fetched(), text="merge")
    assert change is not None
    change.run()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    path = tmp_path / "home" / ".kube" / "config"
    path.parent.mkdir()
    return path


def test_into_nothing_it_makes_a_private_file_whose_current_context_it_is(home: Path) -> None:
    home.parent.rmdir()
    merge()
    assert stat.S_IMODE(home.stat().st_mode) == 0o600
    data = yaml.safe_load(home.read_text())
    assert data["current-context"] == "dev"
    assert data["contexts"] == [
        {"name": "dev", "context": {"cluster": "dev", "user": "clusterUser", "namespace": "team"}}
    ]
    assert kubeconfig_merge.merge(fetched(), text="merge") is None
    assert not Path(f"{home}.lock").exists()


def test_every_other_entry_key_order_and_the_current_context_stay(home: Path) -> None:
    home.write_text(OTHERS)
    merge()
    text = home.read_text()
    before, after = yaml.safe_load(OTHERS), yaml.safe_load(text)
    assert list(after) == list(before)
    assert after["extensions"] == before["extensions"]
    assert after["current-context"] == "mine"
    for kind in ("contexts", "clusters", "users"):
        assert after[kind][: len(before[kind])] == before[kind]
    assert "token: on" in text
    assert "012" in text


def test_a_user_of_the_same_name_that_another_context_needs_is_left_alone(home: Path) -> None:
    home.write_text(OTHERS)
    merge()
    found = kubeconfig.load()
    mine, dev = found.context("mine"), found.context("dev")
    assert mine is not None
    assert dev is not None
    assert mine.plugin is None
    assert dev.user == "clusterUser-2"
    assert dev.plugin is not None
    assert kubeconfig_merge.merge(fetched(), text="merge") is None


def test_an_own_older_entry_is_replaced_in_its_place(home: Path) -> None:
    home.write_text(FETCHED.replace("azurecli", "devicecode").replace(", namespace: team", ", extra: kept"))
    merge()
    data = yaml.safe_load(home.read_text())
    assert data["users"][0]["user"]["exec"]["args"][2] == "azurecli"
    assert data["contexts"][0]["context"] == {
        "cluster": "dev",
        "user": "clusterUser",
        "extra": "kept",
        "namespace": "team",
    }
    assert len(data["users"]) == 1


def test_mode_and_link_stay(home: Path, tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.write_text(OTHERS)
    real.chmod(0o640)
    home.symlink_to(real)
    merge()
    assert home.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert "dev.example" in real.read_text()


def test_a_file_with_two_names_keeps_both(home: Path, tmp_path: Path) -> None:
    home.write_text(OTHERS)
    os.link(home, tmp_path / "twin")
    merge()
    assert (tmp_path / "twin").read_text() == home.read_text()
    assert not list(Path(os.environ["REMOTE_DEV_STATE"]).glob("backups/*"))


def test_a_file_that_cannot_be_renamed_over_is_written_in_place(home: Path, monkeypatch) -> None:
    home.write_text(OTHERS)
    inode = home.stat().st_ino

    def busy(source: str, target: Path) -> None:
        raise OSError(16, "Device or resource busy")

    with monkeypatch.context() as m:
        m.setattr(os, "replace", lambda a, b: busy(a, b) if Path(b) == home else os.rename(a, b))
        merge()
    assert home.stat().st_ino == inode
    assert "dev.example" in home.read_text()
    assert [p.name for p in home.parent.iterdir()] == ["config"]


def test_entries_stay_in_their_file_and_new_ones_go_into_the_first_that_exists(tmp_path: Path, monkeypatch) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    two.write_text(FETCHED.replace("azurecli", "devicecode"))
    monkeypatch.setenv("KUBECONFIG", f"{one}{os.pathsep}{two}")
    merge()
    assert not one.exists()
    assert "azurecli" in two.read_text()
    one.write_text("apiVersion: v1\nkind: Config\n")
    two.write_text("apiVersion: v1\nkind: Config\n")
    merge()
    assert "azurecli" in one.read_text()
    assert "azurecli" not in two.read_text()


def test_a_lock_of_a_killed_kubectl_is_named_and_nothing_is_written(home: Path, monkeypatch) -> None:
    home.write_text(OTHERS)
    lock = Path(f"{home}.lock")
    lock.touch(mode=0)
    monkeypatch.setattr(file, "_WAIT", 0.1)
    with pytest.raises(Blocked) as why:
        merge()
    assert f"rm {lock}" in why.value.fix
    assert home.read_text() == OTHERS
    assert lock.exists()


def test_a_lock_that_a_killed_run_of_our_own_left_is_ignored(home: Path) -> None:
    Path(f"{home}.lock").write_text("remote-dev 1 12345.0\n")
    merge()
    assert not Path(f"{home}.lock").exists()


def test_a_lock_of_a_run_of_our_own_that_still_lives_is_respected(home: Path, monkeypatch) -> None:
    home.write_text(OTHERS)
    lock = Path(f"{home}.lock")
    lock.write_text(f"remote-dev {os.getpid()} {processes.started(os.getpid())}\n")
    monkeypatch.setattr(file, "_WAIT", 0.1)
    with pytest.raises(Blocked, match=r"config\.lock exists, created \d s ago"):
        merge()
    assert lock.exists()


def test_a_lock_whose_owners_pid_was_reused_is_ignored(home: Path) -> None:
    Path(f"{home}.lock").write_text(f"remote-dev {os.getpid()} {processes.started(os.getpid()) - 1}\n")
    merge()
    assert not Path(f"{home}.lock").exists()


def test_the_lock_of_client_go_is_private_whatever_the_umask(home: Path) -> None:
    umask = os.umask(0)
    try:
        with file.locked([home]):
            assert stat.S_IMODE(Path(f"{home}.lock").stat().st_mode) == 0o600
    finally:
        os.umask(umask)


def test_lists_that_are_not_lists_are_named(home: Path) -> None:
    home.write_text("clusters: word\n")
    with pytest.raises(Blocked, match="clusters is not a list"):
        merge()


def test_two_at_once_lose_nothing(home: Path) -> None:
    home.write_text(OTHERS)
    contexts = []
    for number in range(6):
        context = kubeconfig.parse(FETCHED.replace("dev", f"dev{number}"), "az").context(f"dev{number}")
        assert context is not None
        contexts.append(context)
    threads = [threading.Thread(target=merge, args=(context,)) for context in contexts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(kubeconfig.load().names("contexts")) == {"mine", *(context.name for context in contexts)}
