"""`inv setup` as a whole, in a sandbox: first run, second run, plans, faults and the guard."""

from __future__ import annotations

import json
import os
import stat
import time
from pathlib import Path

import pytest
import yaml

from tasks.core.errors import Refused, Trouble
from tasks.core.state import timing
from tasks.tools import base
from tests.tasks.flows.setup.conftest import Workstation

STEPS = {
    "tools",
    "submodules",
    "packages",
    "login",
    "credentials",
    "kubelogin",
    "access",
    "registry",
    "connect",
    "ready",
}
CLUSTER = {"credentials", "kubelogin", "access", "connect", "ready"}


def states(found: dict[str, dict[str, str]]) -> dict[str, set[str]]:
    by_state: dict[str, set[str]] = {}
    for key, step in found.items():
        by_state.setdefault(step["state"], set()).add(key)
    return by_state


def test_the_first_run_does_everything_and_the_second_writes_nothing(workstation: Workstation, capsys):
    assert states(workstation.outcomes(capsys)) == {"done": STEPS}
    assert (workstation.core / "node_modules" / ".modules.yaml").is_file()
    assert (workstation.core / "gitops/team-gitops/values.yaml").is_file()
    frozen = base.frozen_kubeconfig(workstation.settings)
    assert stat.S_IMODE(frozen.stat().st_mode) == 0o600
    before = workstation.kubeconfig.read_bytes()
    workstation.forget_calls()
    assert workstation.setup() == 0
    assert workstation.setup(check=True) == 0
    assert workstation.writes() == []
    assert workstation.calls("get-credentials") == []
    assert workstation.kubeconfig.read_bytes() == before


def test_a_dry_run_on_a_new_machine_names_each_command_and_writes_nothing(workstation: Workstation, capsys):
    before = workstation.fingerprint()
    assert workstation.setup(dry=True) == 0
    said = capsys.readouterr().out
    for key in STEPS:
        assert key in said
    for command in ("pnpm install --frozen-lockfile", "az aks get-credentials", "kubelogin convert-kubeconfig", "az acr login",
                    "git submodule update --init", "telepresence connect", "auth can-i create pods"):  # fmt: skip
        assert f"$ {command}" in said or command in said
    assert workstation.writes() == []
    assert workstation.fingerprint() == before


def test_check_on_a_new_machine_says_that_something_is_missing(workstation: Workstation, capsys):
    before = workstation.fingerprint()
    assert workstation.setup(check=True) == 2
    assert workstation.fingerprint() == before


def test_every_other_context_and_the_current_one_stay(workstation: Workstation):
    mine = (
        "apiVersion: v1\nkind: Config\ncurrent-context: mine\nclusters: [{name: mine, cluster: {server: 'https://mine'}}]\n"
        "users: [{name: mine, user: {token: abc}}]\ncontexts: [{name: mine, context: {cluster: mine, user: mine}}]\n"
    )
    workstation.kubeconfig.parent.mkdir(parents=True)
    workstation.kubeconfig.write_text(mine)
    assert workstation.setup() == 0
    after = yaml.safe_load(workstation.kubeconfig.read_text())
    before = yaml.safe_load(mine)
    assert after["current-context"] == "mine"
    for kind in ("clusters", "users", "contexts"):
        assert after[kind][:1] == before[kind]
        assert len(after[kind]) == 2


def test_what_az_undoes_is_noticed_and_converted_again(workstation: Workstation, capsys):
    assert workstation.setup() == 0
    text = workstation.kubeconfig.read_text()
    workstation.kubeconfig.write_text(text.replace("azurecli", "devicecode").replace("namespace:", "x-namespace:"))
    assert states(workstation.outcomes(capsys, check=True))["pending"] >= {"credentials", "kubelogin"}
    assert workstation.setup() == 0
    after = yaml.safe_load(workstation.kubeconfig.read_text())
    assert after["users"][0]["user"]["exec"]["args"][2] == "azurecli"
    assert after["contexts"][0]["context"]["namespace"] == workstation.settings.cluster.namespace


def test_force_fetches_the_credentials_anew(workstation: Workstation):
    only = ["login", "credentials", "kubelogin"]
    assert workstation.setup(only=only) == 0
    broken = workstation.kubeconfig.read_text().replace("https://", "https://old-")
    workstation.kubeconfig.write_text(broken)
    assert workstation.setup(only=only, force=True) == 0
    assert "old-" not in workstation.kubeconfig.read_text()
    assert "old-" not in base.frozen_kubeconfig(workstation.settings).read_text()


def test_without_a_login_and_a_terminal_the_local_steps_run_and_status_can_say_it_later(
    workstation: Workstation, capsys
):
    workstation.fault("login-gone")
    found = workstation.outcomes(capsys)
    assert found["login"]["state"] == "blocked"
    assert found["login"]["fix"] == "inv aks.login"
    assert found["packages"]["state"] == found["submodules"]["state"] == "done"
    assert {key for key in CLUSTER if found[key]["state"] == "blocked"} == CLUSTER
    assert workstation.setup() == 1
    kept = json.loads((Path(os.environ["REMOTE_DEV_STATE"]) / "setup.json").read_text())
    assert kept["login"]["fix"] == "inv aks.login"
    assert kept["packages"]["state"] == "done"


@pytest.mark.parametrize("code", ["70043", "700082", "50173", "50076", "53003"])
def test_a_login_that_ended_is_explained_by_its_code(workstation: Workstation, capsys, code: str):
    workstation.fault(f"login-{code}")
    login = workstation.outcomes(capsys, only=["login"])["login"]
    assert login["state"] == "blocked"
    assert f"AADSTS{code}" in login["why"]
    assert login["fix"].startswith("inv aks.login")


@pytest.mark.parametrize(
    "changed",
    [
        {"REMOTE_DEV_CLUSTER__CONTEXT": "team-prod"},
        {"REMOTE_DEV_CLUSTER__NAMESPACE": "production"},
        {"REMOTE_DEV_GUARD__PRODUCTION__SERVERS": "*.azmk8s.io*"},
    ],
)
def test_production_by_name_is_refused_before_anything_is_written(workstation: Workstation, changed: dict[str, str]):
    workstation.changed = changed
    with pytest.raises(Refused) as why:
        workstation.setup()
    assert why.value.code == 3
    assert workstation.writes() == []
    assert not workstation.kubeconfig.exists()
    assert not (workstation.core / "node_modules").exists()


@pytest.mark.parametrize("again", [False, True])
def test_production_by_label_is_refused_on_the_first_and_on_a_later_run(workstation: Workstation, again: bool, capsys):
    if again:
        assert workstation.setup(only=["login", "credentials", "kubelogin"]) == 0
    workstation.fault("production-labels")
    workstation.forget_calls()
    capsys.readouterr()
    with pytest.raises(Refused) as why:
        workstation.setup(as_json=True)
    assert why.value.code == 3
    assert json.loads(capsys.readouterr().out)["state"] == "refused"
    assert workstation.writes() == []
    assert not (workstation.core / "node_modules").exists()


def test_labels_that_may_not_be_read_are_refused_too(workstation: Workstation):
    workstation.fault("labels-unreadable")
    with pytest.raises(Refused):
        workstation.setup()
    assert workstation.writes() == []


def test_a_stopped_cluster_blocks_what_needs_it_and_nothing_else(workstation: Workstation, capsys):
    assert workstation.setup(only=["login", "credentials", "kubelogin"]) == 0
    workstation.fault("cluster-stopped")
    found = workstation.outcomes(capsys)
    assert found["credentials"]["state"] == "blocked"
    assert "inv aks.status" in found["credentials"]["fix"]
    assert found["packages"]["state"] == "done"
    assert workstation.calls("telepresence", "connect", "--context") == []


@pytest.mark.parametrize(
    ("fault", "step", "words"),
    [
        ("az-missing", "tools", "az is not installed"),
        ("kubelogin-wrong", "tools", "int128"),
        ("pnpm-missing", "packages", "pnpm is not installed"),
        ("packages-refused", "packages", "the package registry does not answer"),
        ("docker-no-engine", "registry", "Docker"),
        ("docker-missing", "registry", "docker is not installed"),
        ("registry-role", "registry", "AcrPush"),
        ("arm-denied", "credentials", "Cluster User Role"),
        ("rbac-manager", "access", "create pods/portforward"),
        ("manager-missing", "connect", "traffic manager"),
    ],
)
def test_each_fault_is_named_where_it_hurts(workstation: Workstation, capsys, fault: str, step: str, words: str):
    workstation.fault(fault)
    found = workstation.outcomes(capsys)
    assert found[step]["state"] in {"blocked", "unknown"}
    assert words.lower() in f"{found[step]['note']} {found[step]['why']} {found[step]['fix']}".lower()
    assert found[step]["fix"]


def test_a_stale_lock_beside_the_kubeconfig_is_named(workstation: Workstation, capsys, monkeypatch):
    from tasks.tools.kubeconfig import file

    monkeypatch.setattr(file, "_WAIT", 0.1)
    workstation.kubeconfig.parent.mkdir(parents=True)
    lock = Path(f"{workstation.kubeconfig}.lock")
    lock.touch()
    found = workstation.outcomes(capsys, only=["login", "credentials"])
    assert f"rm {lock}" in found["credentials"]["fix"]
    assert lock.exists()
    assert not workstation.kubeconfig.exists()


def test_a_broken_kubeconfig_is_named_and_left_alone(workstation: Workstation, capsys):
    workstation.kubeconfig.parent.mkdir(parents=True)
    workstation.kubeconfig.write_text("clusters: [\n")
    found = workstation.outcomes(capsys, only=["login", "credentials", "packages"])
    assert found["credentials"]["state"] == "blocked"
    assert str(workstation.kubeconfig) in found["credentials"]["note"]
    assert found["packages"]["state"] == "done"
    assert workstation.kubeconfig.read_text() == "clusters: [\n"


def test_a_kubeconfig_that_is_a_folder_is_named(workstation: Workstation, capsys):
    workstation.kubeconfig.mkdir(parents=True)
    found = workstation.outcomes(capsys, only=["login", "credentials"])
    assert (found["credentials"]["state"], found["credentials"]["fix"]) == (
        "blocked",
        f"move it away: mv {workstation.kubeconfig} {workstation.kubeconfig}.broken",
    )


def test_a_certificate_file_that_is_gone_blocks_one_step_and_is_mended_by_its_fix(workstation: Workstation, capsys):
    name = workstation.settings.cluster.context
    workstation.kubeconfig.parent.mkdir(parents=True)
    workstation.kubeconfig.write_text(
        f"clusters: [{{name: c, cluster: {{server: 'https://x', certificate-authority: gone.pem}}}}]\n"
        f"contexts: [{{name: {name}, context: {{cluster: c, user: u}}}}]\nusers: [{{name: u, user: {{token: x}}}}]\n"
    )
    found = workstation.outcomes(capsys, only=["login", "credentials", "packages"])
    assert found["packages"]["state"] == "done"
    assert (found["credentials"]["state"], found["credentials"]["fix"]) == ("blocked", "inv aks.credentials --force")
    assert "gone.pem" in found["credentials"]["note"]
    found = workstation.outcomes(capsys, only=["login", "credentials", "kubelogin"], force=True)
    assert {step["state"] for step in found.values()} == {"done"}


def test_a_submodule_at_another_commit_is_somebodys_work(workstation: Workstation, capsys):
    only = ["submodules"]
    assert workstation.setup(only=only) == 0
    import subprocess

    module = workstation.core / "gitops/team-gitops"
    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "mine"], cwd=module, check=True)
    mine = subprocess.run(["git", "rev-parse", "HEAD"], cwd=module, check=True, capture_output=True).stdout
    found = workstation.outcomes(capsys, only=only)["submodules"]
    assert found["state"] == "done"
    assert "left as it is" in found["note"]
    assert subprocess.run(["git", "rev-parse", "HEAD"], cwd=module, check=True, capture_output=True).stdout == mine


def test_packages_are_installed_again_when_the_lock_file_is_newer(workstation: Workstation, capsys):
    only = ["packages"]
    assert workstation.setup(only=only) == 0
    lock = workstation.core / "pnpm-lock.yaml"
    os.utime(lock)
    lock.write_text(lock.read_text() + "# changed\n")
    assert workstation.outcomes(capsys, only=only, check=True)["packages"]["state"] == "pending"
    assert workstation.setup(only=only) == 0
    workstation.forget_calls()
    assert workstation.setup(only=only) == 0
    assert workstation.calls("pnpm") == []


def test_a_step_that_is_not_known_names_the_nearest(workstation: Workstation):
    with pytest.raises(Trouble) as why:
        workstation.setup(only=["pakages"])
    assert "packages" in why.value.fix
    with pytest.raises(Trouble, match="no step is left"):
        workstation.setup(only=["tools"], skip=["tools"])


def test_steps_are_skipped_and_chosen(workstation: Workstation, capsys):
    assert set(workstation.outcomes(capsys, skip=["registry", "connect", "ready"])) == STEPS - {
        "registry",
        "connect",
        "ready",
    }


def test_every_child_gets_the_frozen_kubeconfig(workstation: Workstation):
    assert workstation.setup() == 0
    frozen = str(base.frozen_kubeconfig(workstation.settings))
    assert {call["kubeconfig"] for call in workstation.box.calls()} == {frozen}


def test_the_service_principal_logs_in_without_a_person(workstation: Workstation, capsys, monkeypatch):
    from sandbox.standins.az.cloud import SERVICE_PRINCIPAL_SECRET, made_id

    workstation.fault("login-gone")
    workstation.setup(only=["login"])
    workstation.fault("login-gone", on=False)
    tenant = "0f0e0d0c-1a1b-4c1d-8e1f-435435435435"
    monkeypatch.setenv("AZURE_TENANT_ID", tenant)
    monkeypatch.setenv("AZURE_CLIENT_ID", made_id(tenant, "robot"))
    monkeypatch.setenv("AZURE_CLIENT_SECRET", SERVICE_PRINCIPAL_SECRET)
    found = workstation.outcomes(capsys, only=["login"])["login"]
    assert found["state"] == "done", found["note"]
    assert SERVICE_PRINCIPAL_SECRET not in workstation.box.log.read_text()


def test_a_hanging_az_ends_at_its_deadline_and_leaves_no_process(workstation: Workstation, capsys):
    workstation.fault("hanging-az")
    workstation.changed = {"REMOTE_DEV_DEADLINES__AZ": "1"}
    began = time.monotonic()
    found = workstation.outcomes(capsys, only=["login", "credentials", "packages"])
    assert time.monotonic() - began < 15
    assert found["login"]["state"] == "unknown"
    assert "no answer in 1 s" in found["login"]["note"]
    assert found["credentials"]["state"] == "blocked"
    assert found["packages"]["state"] == "done"
    ours = f"{workstation.box.path}/bin/az"
    assert not [p for p in Path("/proc").glob("[0-9]*/cmdline") if ours in _read(p)]


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def test_the_credentials_are_fetched_while_the_login_is_tested(workstation: Workstation):
    """And nothing local is written before the guard has had its say."""
    assert workstation.setup() == 0
    starts = {tuple([c["tool"], *c["argv"]][:3]): (c["start"], c["end"]) for c in reversed(workstation.box.calls())}
    token, fetched = starts["az", "account", "get-access-token"], starts["az", "aks", "get-credentials"]
    assert abs(token[0] - fetched[0]) < 0.5
    guard = next(c["end"] for c in workstation.box.calls("kubectl") if "namespace" in c["argv"])
    assert starts["pnpm", "install", "--frozen-lockfile"][0] >= guard


def test_times_are_kept_for_the_run_and_for_each_step(workstation: Workstation):
    assert workstation.setup() == 0
    assert workstation.setup() == 0
    runs = timing.kept("setup")
    assert [run["cold"] for run in runs] == [True, False]
    assert {f"setup.{key}" for key in STEPS} <= {note["what"] for note in timing.kept()}


def test_what_another_version_kept_of_the_steps_is_passed_over():
    from tasks.core.state import store
    from tasks.flows.setup import cli as run

    kept = {"state": "done", "note": "", "fix": "", "seconds": 1.0, "at": 1.0}
    store.write(store.folder(run.FILE), json.dumps({"tools": kept, "login": 5, "connect": {"state": "done"}}))
    assert run.last() == {"tools": kept}
