"""The stand-in for kubelogin: which users it converts, and how it gets tokens from az."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.sandbox.workstation import SERVER_ID, Workstation

DEVICE_CODE = [
    *("get-token", "--environment", "AzurePublicCloud", "--server-id", SERVER_ID),
    *("--client-id", "80faf920-1908-4b52-b5ef-a8e7bedfc67a", "--tenant-id", "T", "--login", "devicecode"),
]
AZURECLI = ["get-token", "--login", "azurecli", "--server-id", SERVER_ID]
GET_TOKEN = ("get-token", "-l", "azurecli", "--server-id", SERVER_ID)


def config(*users: tuple[str, dict[str, Any]]) -> str:
    entries = [{"name": f"user-{name}", "user": user} for name, user in users]
    contexts = [{"name": name, "context": {"cluster": "c", "user": f"user-{name}"}} for name, _ in users]
    return yaml.safe_dump(
        {"apiVersion": "v1", "kind": "Config", "contexts": contexts, "users": entries, "clusters": []}
    )


def plugin(args: list[str], command: str = "kubelogin") -> dict[str, Any]:
    return {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "args": args,
            "command": command,
            "env": None,
            "installHint": "get it",
            "interactiveMode": "IfAvailable",
            "provideClusterInfo": False,
        }
    }


@pytest.fixture
def workstation(tmp_path: Path) -> Workstation:
    made = Workstation(tmp_path)
    made.kubeconfig.parent.mkdir()
    return made


def user(path: Path, number: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())["users"][number]["user"]["exec"]
    return found


def test_its_version_distinguishes_it_from_int128s_program(workstation: Workstation):
    assert workstation("kubelogin", "--version").out.startswith("kubelogin version \ngit hash: v0.2.22\nGo version: ")
    workstation.set_fault("kubelogin-wrong")
    assert workstation("kubelogin", "--version").out.startswith("kubelogin version v1")
    done = workstation("kubelogin", "convert-kubeconfig", "-l", "azurecli")
    assert (done.exit, done.err) == (1, 'error: unknown command "convert-kubeconfig" for "kubelogin"\n')


@pytest.mark.parametrize(
    ("flags", "args"),
    [
        ("-l azurecli", AZURECLI),
        ("--login=azurecli", AZURECLI),
        ("-l msi", ["get-token", "--login", "msi", "--server-id", SERVER_ID]),
        ("-l workloadidentity", ["get-token", "--login", "workloadidentity", "--server-id", SERVER_ID]),
        ("-l azurecli --tenant-id X", [*AZURECLI, "--tenant-id", "X"]),
        (
            "-l spn --client-id aaaa --client-secret s3cr3t",
            ["get-token", "--login", "spn", "--server-id", SERVER_ID, "--client-id", "aaaa", "--tenant-id", "T",
             "--environment", "AzurePublicCloud", "--client-secret", "s3cr3t"],
        ),
        (
            "",
            ["get-token", "--login", "devicecode", "--server-id", SERVER_ID, "--client-id",
             "80faf920-1908-4b52-b5ef-a8e7bedfc67a", "--tenant-id", "T", "--environment", "AzurePublicCloud"],
        ),
    ],
)  # fmt: skip
def test_the_arguments_after_a_conversion(workstation: Workstation, flags: str, args: list[str]):
    workstation.kubeconfig.write_text(config(("a", plugin(DEVICE_CODE))))
    done = workstation("kubelogin", "convert-kubeconfig", *flags.split())
    assert (done.exit, done.out, done.err, done.writes) == (0, "", "", True)
    found = user(workstation.kubeconfig)
    assert found["args"] == args
    assert found["installHint"] == "get it"
    assert "interactiveMode" not in found
    before = workstation.kubeconfig.read_text()
    assert not workstation("kubelogin", "convert-kubeconfig", *flags.split()).writes
    assert workstation.kubeconfig.read_text() == before


@pytest.mark.parametrize(
    "other", [{"token": "t"}, plugin([], "gke-gcloud-auth-plugin"), {"client-certificate-data": "x"}]
)
def test_other_users_are_left_alone(workstation: Workstation, other: dict[str, Any]):
    text = config(("a", other))
    workstation.kubeconfig.write_text(text)
    done = workstation("kubelogin", "convert-kubeconfig", "-l", "azurecli")
    assert (done.exit, done.out, done.err, done.writes) == (0, "", "", False)
    assert workstation.kubeconfig.read_text() == text


def test_with_a_context_only_its_user_is_rewritten(workstation: Workstation):
    workstation.kubeconfig.write_text(config(("a", plugin(DEVICE_CODE)), ("b", plugin(DEVICE_CODE))))
    workstation("kubelogin", "convert-kubeconfig", "-l", "azurecli", "--context", "b")
    assert (user(workstation.kubeconfig)["args"], user(workstation.kubeconfig, 1)["args"]) == (DEVICE_CODE, AZURECLI)


def test_the_old_auth_provider_becomes_a_plugin(workstation: Workstation):
    workstation.kubeconfig.write_text(
        config(("a", {"auth-provider": {"name": "azure", "config": {"apiserver-id": SERVER_ID}}}))
    )
    workstation("kubelogin", "convert-kubeconfig", "-l", "azurecli")
    assert user(workstation.kubeconfig)["args"] == AZURECLI


def test_every_file_of_kubeconfig_is_converted_in_place(workstation: Workstation):
    a, b = workstation.home / "a", workstation.home / "b"
    for path in (a, b):
        path.write_text(config((path.name, plugin(DEVICE_CODE))))
    done = workstation(
        "kubelogin", "convert-kubeconfig", "-l", "azurecli", KUBECONFIG=f"{workstation.home}/none:{a}:{b}"
    )
    assert done.exit == 0
    assert (user(a)["args"], user(b)["args"]) == (AZURECLI, AZURECLI)


def test_a_symlink_is_kept(workstation: Workstation):
    real = workstation.home / "real"
    real.write_text(config(("a", plugin(DEVICE_CODE))))
    workstation.kubeconfig.symlink_to(real)
    assert workstation("kubelogin", "convert-kubeconfig", "-l", "azurecli").exit == 0
    assert workstation.kubeconfig.is_symlink()
    assert user(real)["args"] == AZURECLI


@pytest.mark.parametrize(
    ("text", "argv", "exit", "said"),
    [
        (None, "convert-kubeconfig -l azurecli", 0, ""),
        ("", "convert-kubeconfig -l azurecli", 0, ""),
        (None, "convert-kubeconfig -l azurecli --kubeconfig /none", 1, "Error: unable to load kubeconfig: stat /none: no such file or directory\n"),
        ("a: [b", "convert-kubeconfig -l azurecli", 1, "Error: unable to load kubeconfig: error loading config file \"@\": yaml: line 1: did not find expected ',' or ']'\n"),
        (config(("a", plugin(DEVICE_CODE))), "convert-kubeconfig -l azurecli --context nope", 1, 'Error: no context exists with the name: "nope"\n'),
        (config(("a", plugin(AZURECLI))), "convert-kubeconfig -l devicecode", 1, "Error: --client-id is required\n"),
        (config(("a", plugin(["get-token"]))), "convert-kubeconfig -l azurecli", 1, "Error: --server-id is required\n"),
        (None, "convert-kubeconfig -l nope", 1, "Error: 'nope' is not a supported login method. Supported method is one of devicecode, interactive, spn, ropc, msi, azurecli, azd, workloadidentity, azurepipelines\n"),
        (None, "convert-kubeconfig --nope", 1, "Error: unknown flag: --nope\n"),
        (None, "version", 1, 'Error: unknown command "version" for "kubelogin"\nRun \'kubelogin --help\' for usage.\n'),
        (None, "get-token -l azurecli", 1, "Error: server-id is required\n"),
        (None, f"get-token -l azd --server-id {SERVER_ID}", 1, "Error: failed to get token: AzureDeveloperCLICredential: executable not found on path\n"),
        (None, f"get-token -l workloadidentity --server-id {SERVER_ID}", 1, "Error: failed to create azidentity credential: client ID cannot be empty\n"),
        (None, "remove-cache-dir", 0, ""),
        (None, "remove-tokens", 0, 'Command "remove-tokens" is deprecated, remove-tokens is deprecated, use remove-cache-dir instead\n'),
    ],
)  # fmt: skip
def test_errors_and_silent_successes(workstation: Workstation, text: str | None, argv: str, exit: int, said: str):
    if text is not None:
        workstation.kubeconfig.write_text(text)
    done = workstation("kubelogin", *argv.split())
    assert (done.exit, done.out, done.err) == (exit, "", said.replace("@", str(workstation.kubeconfig)))
    assert (workstation.kubeconfig.read_text() if workstation.kubeconfig.exists() else None) == text


def test_a_stale_lock_prevents_writing(workstation: Workstation):
    workstation.kubeconfig.write_text(config(("a", plugin(DEVICE_CODE))))
    lock = Path(f"{workstation.kubeconfig}.lock")
    lock.touch()
    done = workstation("kubelogin", "convert-kubeconfig", "-l", "azurecli")
    assert (done.exit, done.err) == (1, f"Error: open {lock}: file exists\n")
    lock.unlink()
    workstation("kubelogin", "convert-kubeconfig", "-l", "azurecli")
    assert not lock.exists()


def test_the_environment_beats_the_flag(workstation: Workstation):
    workstation.kubeconfig.write_text(config(("a", plugin(DEVICE_CODE))))
    workstation("kubelogin", "convert-kubeconfig", "-l", "devicecode", AAD_LOGIN_METHOD="azurecli")
    assert user(workstation.kubeconfig)["args"] == AZURECLI


class TestToken:
    def test_each_call_starts_az(self, workstation: Workstation):
        workstation.login()
        for _ in range(2):
            done = workstation("kubelogin", *GET_TOKEN)
            assert workstation.calls[1:] == [
                ("az", "account", "get-access-token", "-o", "json", "--resource", SERVER_ID)
            ]
        found = json.loads(done.out)
        assert found["kind"] == "ExecCredential"
        assert found["apiVersion"] == "client.authentication.k8s.io/v1beta1"
        assert found["spec"] == {"interactive": False}
        bearer = workstation.world.bearer(found["status"]["token"])
        assert bearer is not None
        assert bearer.name == "developer@example.com"

    def test_the_requested_api_version_is_returned(self, workstation: Workstation):
        info = json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"})
        done = workstation.login()("kubelogin", *GET_TOKEN, KUBERNETES_EXEC_INFO=info)
        assert json.loads(done.out)["apiVersion"] == "client.authentication.k8s.io/v1"

    def test_a_tenant_is_passed_on_even_from_the_environment(self, workstation: Workstation):
        workstation("kubelogin", *GET_TOKEN, AZURE_TENANT_ID="X")
        assert workstation.calls[1][-2:] == ("--tenant", "X")
        workstation("kubelogin", *GET_TOKEN, "--disable-environment-override", AZURE_TENANT_ID="X")
        assert "--tenant" not in workstation.calls[1]

    def test_its_error_contains_the_error_of_az(self, workstation: Workstation):
        done = workstation("kubelogin", *GET_TOKEN)
        assert (done.exit, done.out) == (1, "")
        assert done.err == (
            "Error: failed to get token: AzureCLICredential: ERROR: Please run 'az login' to setup account. To troubleshoot, "
            "visit https://aka.ms/azsdk/go/identity/troubleshoot#azure-cli\n"
        )
        workstation.login().set_fault("login-70043")
        assert "AzureCLICredential: ERROR: AADSTS70043: " in workstation("kubelogin", *GET_TOKEN).err

    def test_without_az(self, workstation: Workstation):
        workstation.set_fault("az-missing")
        assert (
            workstation("kubelogin", *GET_TOKEN).err
            == "Error: failed to get token: AzureCLICredential: executable not found on path\n"
        )

    def test_with_an_az_that_prints_something_else(self, workstation: Workstation):
        workstation.set_fault("az-missing")
        (workstation.box / "bin" / "az").write_text("#!/bin/sh\necho This is not JSON\n")
        (workstation.box / "bin" / "az").chmod(0o700)
        said = "Error: failed to get token: invalid character 'T' looking for beginning of value\n"
        assert workstation("kubelogin", *GET_TOKEN).err == said
