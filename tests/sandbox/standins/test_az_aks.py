"""az aks and az acr as recorded: kubeconfig files and their side effects, start and stop, the registry's login."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.sandbox.workstation import Workstation

GET = ("aks", "get-credentials", "--resource-group", "Ameide-Dev", "--name", "ameide-dev-aks")
USER = "clusterUser_Ameide-Dev_ameide-dev-aks"
CONVERTED = ["get-token", "--login", "azurecli", "--server-id", "6dae42f8-4368-4678-94ff-3960e28e3630"]


@pytest.fixture
def workstation(tmp_path: Path) -> Workstation:
    return Workstation(tmp_path).login()


def kubeconfig(path: Path):
    return yaml.safe_load(path.read_text())


def args(path: Path) -> list[str]:
    return list(kubeconfig(path)["users"][0]["user"]["exec"]["args"])


def test_the_first_time_it_merges_and_runs_kubelogin_by_itself(workstation: Workstation):
    done = workstation.az(*GET)
    assert (done.exit, done.out) == (0, "")
    assert done.err == (
        f'WARNING: Merged "ameide-dev-aks" as current context in {workstation.kubeconfig}\n'
        "WARNING: Converted kubeconfig to use Azure CLI authentication.\n"
    )
    assert args(workstation.kubeconfig) == CONVERTED
    assert workstation.kubeconfig.stat().st_mode & 0o777 == 0o600
    assert ("kubelogin", "convert-kubeconfig", "-l", "azurecli") in workstation.calls


def test_the_second_time_the_converted_user_is_another_object(workstation: Workstation):
    workstation.az(*GET)
    done = workstation.az(*GET)
    assert done.exit == 1
    assert done.err == f"ERROR: A different object named {USER} already exists in users in your kubeconfig file.\n"
    assert workstation.az(*GET, "--overwrite-existing").exit == 0


def test_overwriting_loses_the_namespace_and_moves_the_current_context(workstation: Workstation):
    workstation.az(*GET)
    data = kubeconfig(workstation.kubeconfig)
    data["contexts"][0]["context"]["namespace"] = "ameide"
    data["contexts"].append({"name": "other", "context": {"cluster": "c", "user": "u"}})
    data["current-context"] = "other"
    workstation.kubeconfig.write_text(yaml.safe_dump(data))
    workstation.az(*GET, "--overwrite-existing")
    after = kubeconfig(workstation.kubeconfig)
    assert after["current-context"] == "ameide-dev-aks"
    contexts = {one["name"]: one["context"] for one in after["contexts"]}
    assert "namespace" not in contexts["ameide-dev-aks"]
    assert "other" in contexts


def test_an_identical_entry_merges_silently(workstation: Workstation):
    workstation.set_fault("kubelogin-missing")
    first, second = workstation.az(*GET), workstation.az(*GET)
    assert (first.exit, second.exit) == (0, 0)
    assert "requires kubelogin. Please install kubelogin from https://github.com/Azure/kubelogin" in first.err
    assert "devicecode" in args(workstation.kubeconfig)


def test_with_another_file_kubelogin_converts_the_wrong_one(workstation: Workstation, tmp_path: Path):
    """az runs it without --kubeconfig, so the target is not converted although az reports it."""
    done = workstation.az(*GET, "--file", str(tmp_path / "other"))
    assert "Converted kubeconfig" in done.err
    assert "devicecode" in args(tmp_path / "other")


def test_the_first_entry_of_kubeconfig_is_the_target(workstation: Workstation, tmp_path: Path):
    a, b = tmp_path / "a", tmp_path / "b"
    workstation.az(*GET, KUBECONFIG=f"{a}:{b}")
    assert args(a) == CONVERTED
    assert not b.exists()
    done = workstation.az(*GET, KUBECONFIG=f":{b}")
    assert "WARNING: Invalid path '' defined in KUBECONFIG.\n" in done.err
    assert workstation.kubeconfig.exists()


@pytest.mark.parametrize("form", ["dash", "relative"])
def test_a_path_without_a_folder_is_not_converted(workstation: Workstation, form: str):
    done = workstation.az(*GET, "-f", "-" if form == "dash" else "kc.yaml")
    assert done.exit == 0
    assert "WARNING: Error running kubelogin: [Errno 2] No such file or directory: ''\n" in done.err
    assert (yaml.safe_load(done.out)["kind"] == "Config") if form == "dash" else done.out == ""


def test_a_failing_kubelogin_is_only_a_warning(workstation: Workstation):
    workstation.set_fault("kubelogin-wrong")
    done = workstation.az(*GET)
    assert done.exit == 0
    assert (
        "WARNING: Failed to convert kubeconfig with kubelogin: Command '['kubelogin', 'convert-kubeconfig'" in done.err
    )


def test_context_renames_context_and_cluster_but_not_the_user(workstation: Workstation):
    workstation.az(*GET, "--context", "mine")
    data = kubeconfig(workstation.kubeconfig)
    assert (data["contexts"][0]["name"], data["clusters"][0]["name"], data["users"][0]["name"]) == (
        "mine",
        "mine",
        USER,
    )


def test_a_symlink_is_refused_and_an_open_mode_is_reported(workstation: Workstation, tmp_path: Path):
    workstation.kubeconfig.parent.mkdir()
    workstation.kubeconfig.symlink_to(tmp_path / "real")
    assert "is a symbolic link. Refusing to write to prevent symlink-following attacks.\n" in workstation.az(*GET).err
    workstation.kubeconfig.unlink()
    workstation.kubeconfig.write_text("")
    workstation.kubeconfig.chmod(0o644)
    assert f'WARNING: {workstation.kubeconfig} has permissions "644".' in workstation.az(*GET).err
    assert workstation.kubeconfig.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("text", "said"),
    [("a: [b", "ERROR: Error parsing "), ("kind: Config\n", "ERROR: No such key 'clusters' in existing config")],
)
def test_a_file_that_is_not_a_kubeconfig(workstation: Workstation, text: str, said: str):
    workstation.kubeconfig.parent.mkdir()
    workstation.kubeconfig.write_text(text)
    done = workstation.az(*GET)
    assert done.exit == 1
    assert done.err.startswith(said)
    assert workstation.kubeconfig.read_text() == text


@pytest.mark.parametrize(
    ("argv", "exit", "said"),
    [
        (
            "-g Nope -n x",
            3,
            "ERROR: (ResourceGroupNotFound) Resource group 'Nope' could not be found.\nCode: ResourceGroupNotFound\n",
        ),
        (
            "-g Ameide-Dev -n nope",
            3,
            "ERROR: (ResourceNotFound) The Resource 'Microsoft.ContainerService/managedClusters/nope' under ",
        ),
        (
            "-g Ameide-Dev -n ameide-dev-aks --admin",
            1,
            "ERROR: (BadRequest) Getting static credential is not allowed because",
        ),
        ("-g Ameide-Dev -n ameide-dev-aks --format x", 1, "ERROR: --format can only be azure or exec.\n"),
        (
            "-g Ameide-Dev -n ameide-dev-aks --subscription nope",
            1,
            "WARNING: Subscription 'nope' not recognized.\nERROR: Subscription 'nope' not found.",
        ),
    ],
)
def test_what_azure_refuses(workstation: Workstation, argv: str, exit: int, said: str):
    done = workstation.az("aks", "get-credentials", *argv.split())
    assert (done.exit, done.writes) == (exit, False)
    assert done.err.startswith(said)
    assert not workstation.kubeconfig.exists()


def test_without_a_role_arm_names_action_and_scope(workstation: Workstation):
    workstation.set_fault("arm-denied")
    done = workstation.az(*GET)
    assert done.exit == 1
    assert done.err.startswith("ERROR: (AuthorizationFailed) The client 'developer@example.com' with object id '")
    assert "action 'Microsoft.ContainerService/managedClusters/listClusterUserCredential/action' over scope" in done.err


def test_the_power_state_follows_stop_and_start(workstation: Workstation):
    one = ("-g", "ameide-dev", "-n", "Ameide-Dev-AKS")  # ARM does not care about case
    power = ("aks", "show", *one, "--query", "powerState.code", "-o", "tsv")
    assert workstation.az(*power).out == "Running\n"
    assert workstation.az("aks", "stop", *one).writes
    assert workstation.az(*power).out == "Stopped\n"
    assert not workstation.world.cluster.running
    workstation.az("aks", "start", *one)
    assert workstation.world.cluster.running


def test_a_start_clears_the_fault_cluster_stopped(workstation: Workstation):
    workstation.set_fault("cluster-stopped")
    one = ("-g", "Ameide-Dev", "-n", "ameide-dev-aks")
    assert workstation.az("aks", "show", *one, "--query", "powerState.code", "-o", "tsv").out == "Stopped\n"
    workstation.az("aks", "start", *one)
    assert not workstation.world.fault("cluster-stopped")


def test_the_node_pools(workstation: Workstation):
    query = "agentPoolProfiles[].{name: name, mode: mode, size: vmSize, spot: scaleSetPriority, power: powerState.code}"
    done = workstation.az("aks", "show", "-g", "Ameide-Dev", "-n", "ameide-dev-aks", "--query", query)
    assert json.loads(done.out) == [
        {"mode": "System", "name": "system", "power": "Running", "size": "Standard_B4ms", "spot": None},
        {"mode": "User", "name": "spot", "power": "Running", "size": "Standard_B4ms", "spot": "Spot"},
    ]


def test_role_assignments_follow_the_users_role(workstation: Workstation):
    names = (
        "role",
        "assignment",
        "list",
        "--assignee",
        "developer@example.com",
        "--query",
        "[].roleDefinitionName",
        "-o",
        "tsv",
    )
    assert "AcrPush" in workstation.az(*names).out
    workstation.set_fault("registry-role")
    assert "AcrPush" not in workstation.az(*names).out


class TestRegistry:
    def test_docker_is_logged_in_with_a_token_for_three_hours(self, workstation: Workstation):
        done = workstation.az("acr", "login", "-n", "ameidedev")
        assert (done.exit, done.out, done.err) == (0, "Login Succeeded\n", "")
        kept = json.loads((workstation.home / ".docker" / "config.json").read_text())["auths"]["ameidedev.azurecr.io"]
        assert kept["identitytoken"].count(".") == 2
        assert [call[:2] for call in workstation.calls[1:]] == [("docker", "ps"), ("docker", "login")]

    def test_the_engine_is_checked_before_the_login(self, workstation: Workstation):
        workstation.az("logout")
        workstation.set_fault("docker-no-engine")
        done = workstation.az("acr", "login", "-n", "ameidedev")
        first, second, third, last = done.err.split("\n")[:4]
        assert first == (
            "WARNING: You may want to use 'az acr login -n ameidedev --expose-token' to get a refresh token, which does not "
            "require Docker to be installed."
        )
        assert second.endswith(" An error occurred: DOCKER_COMMAND_ERROR")
        assert (
            third == "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
        )
        assert last == ""

    def test_without_docker(self, workstation: Workstation):
        workstation.set_fault("docker-missing")
        assert (
            "Please verify if Docker client is installed and running.\n"
            in workstation.az("acr", "login", "-n", "ameidedev").err
        )

    def test_the_token_needs_no_engine(self, workstation: Workstation):
        workstation.set_fault("docker-no-engine")
        done = workstation.az("acr", "login", "-n", "ameidedev", "--expose-token", "-o", "json")
        found = json.loads(done.out)
        assert found["accessToken"] == found["refreshToken"]
        assert found["username"] == "00000000-0000-0000-0000-000000000000"
        assert done.err.startswith(
            "WARNING: Note: The token in both the accessToken and refreshToken fields is an ACR Refresh"
        )

    @pytest.mark.parametrize(
        ("fault", "said"),
        [
            (
                "registry-firewall",
                "ERROR: Looks like you don't have access to registry 'ameidedev.azurecr.io'. To see configured",
            ),
            ("registry-role", "Response code: 401. Please try running 'az login' again to refresh permissions.\n"),
            ("login-70043", "ERROR: AADSTS70043: "),
        ],
    )
    def test_refusals(self, workstation: Workstation, fault: str, said: str):
        workstation.set_fault(fault)
        done = workstation.az("acr", "login", "-n", "ameidedev", "--expose-token")
        assert (done.exit, done.out) == (1, "")
        assert said in done.err

    def test_a_registry_that_does_not_exist(self, workstation: Workstation):
        done = workstation.az("acr", "login", "-n", "ameidenope", "--expose-token")
        assert done.err.startswith(
            "WARNING: The resource with name 'ameidenope' and type 'Microsoft.ContainerRegistry/registries' "
        )
        assert "Using 'ameidenope.azurecr.io' as the default registry login server.\n" in done.err
        assert done.err.endswith("Try running 'az acr check-health -n ameidenope --yes' to diagnose this issue.\n")
