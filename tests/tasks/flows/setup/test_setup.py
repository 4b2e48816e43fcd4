"""`inv setup` as a whole, in a sandbox: first run, second run, plans, faults and the guard."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from tasks.core.errors import Refused, Trouble
from tasks.core.state import timing
from tasks.flows.setup import select
from tasks.flows.setup.setup_run import SetupRun
from tasks.flows.status import facts
from tasks.tools import base
from tests.made import settings
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


def states(steps: dict[str, dict[str, str]]) -> dict[str, set[str]]:
    by_state: dict[str, set[str]] = {}
    for key, step in steps.items():
        by_state.setdefault(step["state"], set()).add(key)
    return by_state


def test_the_first_run_completes_all_steps_and_the_second_writes_nothing(workstation: Workstation, capsys):
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


def test_a_dry_run_on_a_new_machine_shows_each_command_and_writes_nothing(workstation: Workstation, capsys):
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


def test_a_check_on_a_new_machine_exits_2(workstation: Workstation, capsys):
    before = workstation.fingerprint()
    assert workstation.setup(check=True) == 2
    assert workstation.fingerprint() == before


def test_other_contexts_and_the_current_one_are_kept(workstation: Workstation):
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


def test_a_conversion_that_az_reverted_is_detected_and_repeated(workstation: Workstation, capsys):
    assert workstation.setup() == 0
    text = workstation.kubeconfig.read_text()
    workstation.kubeconfig.write_text(text.replace("azurecli", "devicecode").replace("namespace:", "x-namespace:"))
    assert states(workstation.outcomes(capsys, check=True))["pending"] >= {"credentials", "kubelogin"}
    assert workstation.setup() == 0
    after = yaml.safe_load(workstation.kubeconfig.read_text())
    assert after["users"][0]["user"]["exec"]["args"][2] == "azurecli"
    assert after["contexts"][0]["context"]["namespace"] == workstation.settings.cluster.namespace


def test_force_fetches_the_credentials_again(workstation: Workstation):
    only = ["login", "credentials", "kubelogin"]
    assert workstation.setup(only=only) == 0
    broken = workstation.kubeconfig.read_text().replace("https://", "https://old-")
    workstation.kubeconfig.write_text(broken)
    assert workstation.setup(only=only, force=True) == 0
    assert "old-" not in workstation.kubeconfig.read_text()
    assert "old-" not in base.frozen_kubeconfig(workstation.settings).read_text()


def test_without_a_login_and_a_terminal_the_local_steps_run_and_the_result_is_kept_for_status(
    workstation: Workstation, capsys
):
    workstation.fault("login-gone")
    steps = workstation.outcomes(capsys)
    assert steps["login"]["state"] == "blocked"
    assert steps["login"]["fix"] == "inv aks.login"
    assert steps["packages"]["state"] == steps["submodules"]["state"] == "done"
    assert {key for key in CLUSTER if steps[key]["state"] == "blocked"} == CLUSTER
    assert workstation.setup() == 1
    kept = json.loads((Path(os.environ["REMOTE_DEV_STATE"]) / "setup.json").read_text())
    assert kept["login"]["fix"] == "inv aks.login"
    assert kept["packages"]["state"] == "done"


@pytest.mark.parametrize("code", ["70043", "700082", "50173", "50076", "53003"])
def test_an_expired_login_is_explained_by_its_code(workstation: Workstation, capsys, code: str):
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


def test_fetched_credentials_of_a_cluster_with_production_tags_are_refused(workstation: Workstation):
    assert workstation.setup(only=["login"]) == 0
    workstation.fault("production-tags")
    workstation.forget_calls()
    with pytest.raises(Refused, match=r"its tag \S+=production"):
        workstation.setup(only=["credentials"])
    assert workstation.writes() == []
    assert not workstation.kubeconfig.exists()


def test_unreadable_labels_are_refused_too(workstation: Workstation):
    workstation.fault("labels-unreadable")
    with pytest.raises(Refused):
        workstation.setup()
    assert workstation.writes() == []


def test_a_stopped_cluster_blocks_only_the_steps_that_need_it(workstation: Workstation, capsys):
    assert workstation.setup(only=["login", "credentials", "kubelogin"]) == 0
    workstation.fault("cluster-stopped")
    steps = workstation.outcomes(capsys)
    assert steps["credentials"]["state"] == "blocked"
    # A look at the API server counts for some seconds: on a slow machine it is looked at again, and Azure says why.
    assert any(command in steps["credentials"]["fix"] for command in ("inv aks.status", "inv aks.start"))
    assert steps["packages"]["state"] == "done"
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
def test_each_fault_is_reported_by_the_step_that_it_affects(
    workstation: Workstation, capsys, fault: str, step: str, words: str
):
    workstation.fault(fault)
    steps = workstation.outcomes(capsys)
    assert steps[step]["state"] in {"blocked", "unknown"}
    assert words.lower() in f"{steps[step]['note']} {steps[step]['why']} {steps[step]['fix']}".lower()
    assert steps[step]["fix"]


def test_a_stale_lock_beside_the_kubeconfig_is_reported(workstation: Workstation, capsys, monkeypatch):
    from tasks.tools.kubeconfig import file

    monkeypatch.setattr(file, "_WAIT", 0.1)
    workstation.kubeconfig.parent.mkdir(parents=True)
    lock = Path(f"{workstation.kubeconfig}.lock")
    lock.touch()
    steps = workstation.outcomes(capsys, only=["login", "credentials"])
    assert f"rm {lock}" in steps["credentials"]["fix"]
    assert lock.exists()
    assert not workstation.kubeconfig.exists()


def test_an_invalid_kubeconfig_is_reported_and_not_changed(workstation: Workstation, capsys):
    workstation.kubeconfig.parent.mkdir(parents=True)
    workstation.kubeconfig.write_text("clusters: [\n")
    steps = workstation.outcomes(capsys, only=["login", "credentials", "packages"])
    assert steps["credentials"]["state"] == "blocked"
    assert str(workstation.kubeconfig) in steps["credentials"]["note"]
    assert steps["packages"]["state"] == "done"
    assert workstation.kubeconfig.read_text() == "clusters: [\n"


def test_a_kubeconfig_that_is_a_folder_is_reported(workstation: Workstation, capsys):
    workstation.kubeconfig.mkdir(parents=True)
    steps = workstation.outcomes(capsys, only=["login", "credentials"])
    assert (steps["credentials"]["state"], steps["credentials"]["fix"]) == (
        "blocked",
        f"move it away: mv {workstation.kubeconfig} {workstation.kubeconfig}.broken",
    )


def test_a_missing_certificate_file_blocks_one_step_and_its_fix_works(workstation: Workstation, capsys):
    name = workstation.settings.cluster.context
    workstation.kubeconfig.parent.mkdir(parents=True)
    workstation.kubeconfig.write_text(
        f"clusters: [{{name: c, cluster: {{server: 'https://x', certificate-authority: gone.pem}}}}]\n"
        f"contexts: [{{name: {name}, context: {{cluster: c, user: u}}}}]\nusers: [{{name: u, user: {{token: x}}}}]\n"
    )
    steps = workstation.outcomes(capsys, only=["login", "credentials", "packages"])
    assert steps["packages"]["state"] == "done"
    assert (steps["credentials"]["state"], steps["credentials"]["fix"]) == ("blocked", "inv aks.credentials --force")
    assert "gone.pem" in steps["credentials"]["note"]
    steps = workstation.outcomes(capsys, only=["login", "credentials", "kubelogin"], force=True)
    assert {step["state"] for step in steps.values()} == {"done"}


def test_a_submodule_at_another_commit_is_not_changed(workstation: Workstation, capsys):
    only = ["submodules"]
    assert workstation.setup(only=only) == 0
    import subprocess

    module = workstation.core / "gitops/team-gitops"
    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "mine"], cwd=module, check=True)
    mine = subprocess.run(["git", "rev-parse", "HEAD"], cwd=module, check=True, capture_output=True).stdout
    submodules = workstation.outcomes(capsys, only=only)["submodules"]
    assert submodules["state"] == "done"
    assert "left as it is" in submodules["note"]
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


def test_an_unknown_step_names_the_nearest(workstation: Workstation):
    with pytest.raises(Trouble) as why:
        workstation.setup(only=["pakages"])
    assert "packages" in why.value.fix
    with pytest.raises(Trouble, match="no step is left"):
        workstation.setup(only=["tools"], skip=["tools"])


def test_skipped_steps_do_not_run(workstation: Workstation, capsys):
    assert set(workstation.outcomes(capsys, skip=["registry", "connect", "ready"])) == STEPS - {
        "registry",
        "connect",
        "ready",
    }


def test_every_child_gets_the_session_kubeconfig(workstation: Workstation):
    assert workstation.setup() == 0
    frozen = str(base.frozen_kubeconfig(workstation.settings))
    assert {call["kubeconfig"] for call in workstation.box.calls()} == {frozen}


def test_the_service_principal_logs_in_without_interaction(workstation: Workstation, capsys, monkeypatch):
    from sandbox.standins.az.cloud import SERVICE_PRINCIPAL_SECRET, made_id

    workstation.fault("login-gone")
    workstation.setup(only=["login"])
    workstation.fault("login-gone", on=False)
    tenant = "0f0e0d0c-1a1b-4c1d-8e1f-435435435435"
    monkeypatch.setenv("AZURE_TENANT_ID", tenant)
    monkeypatch.setenv("AZURE_CLIENT_ID", made_id(tenant, "robot"))
    monkeypatch.setenv("AZURE_CLIENT_SECRET", SERVICE_PRINCIPAL_SECRET)
    login = workstation.outcomes(capsys, only=["login"])["login"]
    assert login["state"] == "done", login["note"]
    assert SERVICE_PRINCIPAL_SECRET not in workstation.box.log.read_text()


def test_a_hanging_az_ends_at_its_deadline_and_leaves_no_process(workstation: Workstation, capsys):
    workstation.fault("hanging-az")
    workstation.changed = {"REMOTE_DEV_DEADLINES__AZ": "1"}
    began = time.monotonic()
    steps = workstation.outcomes(capsys, only=["login", "credentials", "packages"])
    assert time.monotonic() - began < 60
    assert steps["login"]["state"] == "unknown"
    assert "no answer in 1 s" in steps["login"]["note"]
    assert steps["credentials"]["state"] == "blocked"
    assert steps["packages"]["state"] == "done"
    ours = f"{workstation.box.path}/bin/az"
    assert not [p for p in Path("/proc").glob("[0-9]*/cmdline") if ours in _read(p)]


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""


def test_the_credentials_are_fetched_while_the_login_is_tested(workstation: Workstation):
    """And nothing local is written before the guard has answered."""
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


def test_kept_outcomes_of_another_version_are_ignored():
    from tasks.core.state import store
    from tasks.flows.setup import cli as run

    kept = {"state": "done", "note": "", "fix": "", "seconds": 1.0, "at": 1.0}
    store.write(store.folder(run.FILE), json.dumps({"tools": kept, "login": 5, "connect": {"state": "done"}}))
    assert run.last() == {"tools": kept}


def test_each_step_names_commands_with_the_same_effect():
    run = SetupRun(settings())
    assert {step.key: bool(step.commands(run)) for step in select(run.settings)} == dict.fromkeys(STEPS, True)


def test_each_missing_program_has_a_line_with_its_fix(workstation: Workstation, capsys: pytest.CaptureFixture[str]):
    for name in ("pnpm", "telepresence"):
        workstation.fault(f"{name}-missing")
    assert workstation.setup(only=["tools"]) == 1
    said = capsys.readouterr()
    lines = said.out.splitlines()[1:]
    assert [line.split()[:3] for line in lines[::2]] == [["!!", "tools", "telepresence"], ["!!", "tools", "pnpm"]]
    assert all("fix: install " in line for line in lines[1::2])
    assert "is not installed" not in said.err


def test_a_step_with_nothing_to_do_here_is_skipped_and_not_ok(
    workstation: Workstation, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    workstation.changed = {"REMOTE_DEV_PACKAGES__FOLDER": str(tmp_path / "none")}
    assert workstation.setup(only=["packages"]) == 0
    said = capsys.readouterr()
    assert "0 of 1 steps done, 1 skipped" in said.out
    (fact,) = facts.setup(settings())
    assert fact.value == "0 steps done, skipped: packages"
    assert said.err.startswith("-- packages     no package.json in")
    assert workstation.outcomes(capsys, only=["packages"])["packages"]["skipped"] is True


def test_a_submodule_beside_its_pin_names_the_command_that_goes_there(
    workstation: Workstation, capsys: pytest.CaptureFixture[str]
):
    assert workstation.setup(only=["submodules"]) == 0
    gitops = workstation.core / "gitops/team-gitops"
    subprocess.run(["git", "commit", "-q", "--allow-empty", "-m", "x"], cwd=gitops, check=True)
    note = workstation.outcomes(capsys, only=["submodules"])["submodules"]["note"]
    assert "git submodule update --init -- gitops/team-gitops checks out the pinned one" in note


def test_a_kubectl_that_allows_only_kubelogin_is_named_with_the_path_to_allow(workstation: Workstation, capsys):
    kuberc = workstation.kubeconfig.with_name("kuberc")
    kuberc.parent.mkdir(parents=True, exist_ok=True)
    kuberc.write_text(
        "apiVersion: kubectl.config.k8s.io/v1beta1\nkind: Preference\ncredentialPluginPolicy: Allowlist\n"
        "credentialPluginAllowlist: [{name: kubelogin}]\n"
    )
    assert states(workstation.outcomes(capsys)) == {"done": STEPS}
    notes = {step["key"]: step["note"] for step in workstation.outcomes(capsys).values()}
    helper = base.session_folder(workstation.settings) / "credential-helper"
    assert "every kubectl waits for az" in notes["kubelogin"]
    assert str(helper) in notes["kubelogin"]
    assert "credential-helper" not in base.frozen_kubeconfig(workstation.settings).read_text()
