"""az, from recordings of 2.91: who is logged in, whether the login works, how errors are read."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from tasks.core import ui
from tasks.core.errors import Absent, Blocked, ToolError, Trouble
from tasks.core.plan.change import perform
from tasks.tools import az
from tasks.tools.az import LoginNeeded, login
from tests.made import settings

TENANT, SUBSCRIPTION = "0f0e0d0c-1a1b-4c1d-8e1f-435435435435", "5f1d2c3b-4a59-4687-9685-435435435436"
LOGGED_OUT = "ERROR: Please run 'az login' to setup account.\n"
DENIED = (
    "ERROR: (AuthorizationFailed) The client 'dev1@ameide.example' does not have authorization to perform action "
    "'Microsoft.ContainerService/managedClusters/listClusterUserCredential/action' over scope '/subscriptions/x'.\n"
    "Code: AuthorizationFailed\nMessage: The client ...\n"
)


def aadsts(code: str) -> str:
    return (
        f"ERROR: AADSTS{code}: Words of Entra about '6dae42f8'. Trace ID: d208 Correlation ID: 229a Timestamp: 2026\n"
        "Run the command below to authenticate interactively; additional arguments may be added as needed:\n"
        'az logout\naz login --tenant "T" --scope "6dae42f8/.default"\n'
    )


def profile(*subscriptions: dict[str, object], content: bytes | None = None) -> None:
    path = Path(os.environ["HOME"]) / ".azure" / "azureProfile.json"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(
        content if content is not None else b"\xef\xbb\xbf" + json.dumps({"subscriptions": subscriptions}).encode()
    )


def subscription(**changed: object) -> dict[str, object]:
    return {
        "id": SUBSCRIPTION, "name": "Ameide Dev", "tenantId": TENANT, "tenantDefaultDomain": "ameide.example",
        "isDefault": True, "user": {"name": "dev1@ameide.example", "type": "user"}, **changed,
    }  # fmt: skip


def test_the_profile_is_read_with_its_byte_order_mark():
    profile(subscription())
    account = az.account(settings())
    assert (account.user, account.subscription, account.tenant) == ("dev1@ameide.example", SUBSCRIPTION, TENANT)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"subscriptions": null}', b"\xff\xfe", b'{"subscriptions": []}']
)
def test_a_broken_or_empty_profile_means_no_login(content: bytes):
    profile(content=content)
    with pytest.raises(LoginNeeded, match="nobody is logged in") as why:
        az.account(settings())
    assert why.value.fix == "inv aks.login"


def test_the_folder_of_azure_config_dir_is_used(monkeypatch, tmp_path: Path):
    profile(subscription())
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path / "other"))
    assert az.accounts() == ()


@pytest.mark.parametrize("wanted", [SUBSCRIPTION.upper(), "ameide dev"])
def test_a_subscription_is_known_by_id_or_name(wanted: str):
    profile(subscription())
    assert az.account(settings(azure__subscription=wanted)).subscription == SUBSCRIPTION


def test_a_subscription_that_the_login_does_not_see_is_named():
    profile(subscription())
    with pytest.raises(LoginNeeded) as why:
        az.account(settings(azure__subscription="Other"))
    assert "'Other' is not among those of dev1@ameide.example" in why.value.what
    assert "Ameide Dev" in why.value.why


def test_another_tenant_needs_another_login():
    profile(subscription())
    assert az.account(settings(azure__tenant="ameide.example")).tenant == TENANT
    with pytest.raises(LoginNeeded, match=r"ameide\.example, not to contoso"):
        az.account(settings(azure__tenant="contoso"))


def test_the_wanted_subscription_need_not_be_the_default_in_the_same_tenant():
    profile(subscription(), subscription(id="two", name="Two", isDefault=False))
    assert az.account(settings(azure__subscription="Two")).subscription == "two"


def test_a_default_in_another_tenant_would_mislead_kubelogin_so_a_person_decides():
    profile(subscription(tenantId="elsewhere"), subscription(id="two", name="Two", isDefault=False))
    with pytest.raises(Blocked) as why:
        az.account(settings(azure__subscription="Two"))
    assert why.value.fix == "az account set --subscription two"


def test_the_token_is_tested_and_only_its_end_is_read(fp):
    fp.register(["az", fp.any()], stdout=b"1795431573\n")
    assert az.token_expiry(settings()) == 1795431573
    (call,) = fp.calls
    assert call[1:] == [
        "account", "get-access-token", "--resource", "6dae42f8-4368-4678-94ff-3960e28e3630",
        "--query", "expires_on", "--output", "json",
    ]  # fmt: skip


def test_an_old_az_without_expires_on_has_answered_all_the_same(fp):
    fp.register(["az", fp.any()], stdout=b"\n")
    assert az.token_expiry(settings()) > time.time()


@pytest.mark.parametrize(
    ("code", "fix"),
    [("70043", "inv aks.login"), ("700082", "inv aks.login"), ("50173", "inv aks.login"), ("53003", "inv aks.login --mode browser"),
     ("50105", "ask an administrator"), ("7000215", "put the right one")],
)  # fmt: skip
def test_a_refusal_of_entra_is_explained_by_its_code(fp, code: str, fix: str):
    fp.register(["az", fp.any()], stderr=aadsts(code).encode(), returncode=1)
    with pytest.raises(LoginNeeded) as why:
        az.token_expiry(settings())
    assert why.value.aadsts == code
    assert f"AADSTS{code}" in why.value.why
    assert fix in why.value.fix
    assert "Trace ID" not in why.value.what
    assert "az logout" not in why.value.text()


def test_logged_out_is_a_case_for_a_login_and_a_dead_network_is_not(fp):
    fp.register(["az", fp.any()], stderr=LOGGED_OUT.encode(), returncode=1)
    with pytest.raises(LoginNeeded):
        az.token_expiry(settings())
    fp.register(
        ["az", fp.any()], stderr=b"ERROR: HTTPSConnectionPool: Temporary failure in name resolution\n", returncode=1
    )
    with pytest.raises(ToolError) as why:
        az.token_expiry(settings())
    assert "VPN" in why.value.fix


def test_credentials_are_read_into_memory_with_everything_pinned(fp):
    fp.register(["az", fp.any()], stdout=b"apiVersion: v1\n", stderr=b"WARNING: Error running kubelogin: ''\n")
    assert az.cluster_credentials(settings(azure__subscription="Two")) == "apiVersion: v1\n"
    (call,) = fp.calls
    assert call[1:] == [
        "aks", "get-credentials", "--resource-group", "Dev", "--name", "dev-aks",
        "--overwrite-existing", "--file", "-", "--subscription", "Two",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("stderr", "code", "fix"),
    [
        (DENIED, 1, "ask the owner of the cluster"),
        (
            "ERROR: (ResourceGroupNotFound) Resource group 'Nope' could not be found.\nCode: x\n",
            3,
            "cluster.resource_group",
        ),
        (
            "WARNING: Subscription 'x' not recognized.\nERROR: Subscription 'x' not found. Check the spelling.\n",
            1,
            "azure.subscription",
        ),
    ],
)
def test_a_missing_role_or_cluster_is_for_a_person(fp, stderr: str, code: int, fix: str):
    fp.register(["az", fp.any()], stderr=stderr.encode(), returncode=code)
    with pytest.raises(Blocked) as why:
        az.cluster_credentials(settings())
    assert fix in why.value.fix
    assert not isinstance(why.value, LoginNeeded)


def test_a_missing_az_is_reported_with_its_source(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Absent) as why:
        az.token_expiry(settings())
    assert "install az" in why.value.fix


def test_the_registry_is_named_by_the_first_label_in_lower_case(fp):
    fp.register(["az", fp.any()], stdout=b"Login Succeeded\n")
    change = az.registry_login(settings())
    perform(change)
    assert change.command == "az acr login --name dev"


def test_a_refused_registry_login_names_the_role(fp):
    said = (
        "WARNING: Unable to get AAD authorization tokens with message: An error occurred: CONNECTIVITY_REFRESH_TOKEN_ERROR\n"
        "Access to registry 'dev.azurecr.io' was denied. Response code: 401. Please try running 'az login' again to refresh permissions.\n"
        "ERROR: Unable to authenticate using AAD or admin login credentials.\n"
    )
    fp.register(["az", fp.any()], stderr=said.encode(), returncode=1)
    with pytest.raises(Trouble) as why:
        perform(az.registry_login(settings()))
    assert "AcrPush" in why.value.fix


# -- the login --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "mode"),
    [
        ({}, "device-code"),
        ({"AZURE_FEDERATED_TOKEN_FILE": "/t", "AZURE_CLIENT_ID": "c", "AZURE_CLIENT_SECRET": "s"}, "federated-token"),
        ({"AZURE_CLIENT_ID": "c", "AZURE_CLIENT_SECRET": "s"}, "service-principal"),
        ({"AZURE_CLIENT_ID": "c", "AZURE_CLIENT_CERTIFICATE_PATH": "/c"}, "service-principal"),
        ({"AZURE_CLIENT_ID": "c"}, "device-code"),
        ({"BROWSER": "/bin/true"}, "browser"),
        ({"BROWSER": "/bin/true", "CODESPACES": "true"}, "device-code"),
        ({"BROWSER": "no-such-program"}, "device-code"),
    ],
)
def test_the_suitable_mode_is_chosen(monkeypatch, variables: dict[str, str], mode: str):
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY", "CODESPACES"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert login.mode(settings()) == mode
    assert login.mode(settings(azure__login="managed-identity")) == "managed-identity"
    assert login.mode(settings(), "browser") == "browser"


def test_an_unknown_mode_names_the_nearest():
    with pytest.raises(Trouble) as why:
        login.mode(settings(), "devicecode")
    assert why.value.fix == "inv aks.login --mode device-code"


@pytest.mark.parametrize("way", ["browser", "device-code"])
def test_without_a_terminal_nobody_is_asked(way, monkeypatch):
    monkeypatch.setattr(ui, "can_ask", lambda: False)
    with pytest.raises(Blocked) as why:
        login.login(settings(), way)
    assert why.value.fix == "inv aks.login"


def test_a_second_factor_is_asked_for_the_cluster(monkeypatch):
    monkeypatch.setattr(ui, "can_ask", lambda: True)
    change = login.login(settings(azure__tenant="T"), "device-code", after=LoginNeeded("x", aadsts="50076"))
    assert change.command == (
        "az login --use-device-code --tenant T --scope 6dae42f8-4368-4678-94ff-3960e28e3630/.default --output none"
    )


def test_missing_variables_are_named():
    with pytest.raises(Blocked, match="AZURE_CLIENT_ID, AZURE_TENANT_ID, AZURE_FEDERATED_TOKEN_FILE"):
        login.login(settings(), "federated-token")


@pytest.fixture
def real_az(tmp_path: Path, monkeypatch) -> Path:
    """A program named az that writes down its arguments and its standard input, and says what it is told to."""
    script = tmp_path / "bin" / "az"
    script.parent.mkdir()
    script.write_text(
        f"#!{sys.executable}\nimport os, sys\n"
        "open(os.environ['NOTES'], 'w').write(repr((sys.argv[1:], sys.stdin.read())))\n"
        "sys.stderr.write(os.environ.get('SAYS', ''))\nsys.exit(int(os.environ.get('EXIT', '0')))\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    return tmp_path / "notes"


def test_the_secret_reaches_az_but_is_in_no_argument(real_az: Path, monkeypatch, capfd):
    for name, value in {"CLIENT_ID": "robot", "CLIENT_SECRET": "s3cret-value", "TENANT_ID": "T"}.items():
        monkeypatch.setenv(f"AZURE_{name}", value)
    change = login.login(settings(), "service-principal")
    assert "s3cret" not in repr(change) + change.command
    perform(change)
    argv, stdin = eval(real_az.read_text())
    assert argv == [
        "login",
        "--service-principal",
        "--username",
        "robot",
        "--tenant",
        "T",
        "--password",
        "@-",
        "--output",
        "none",
    ]
    assert stdin == "s3cret-value"


def test_a_federated_token_stays_in_its_file(real_az: Path, monkeypatch):
    for name, value in {"CLIENT_ID": "robot", "FEDERATED_TOKEN_FILE": "/run/token", "TENANT_ID": "T"}.items():
        monkeypatch.setenv(f"AZURE_{name}", value)
    perform(login.login(settings(), "federated-token"))
    argv, _ = eval(real_az.read_text())
    assert argv[-4:] == ["--federated-token", "@/run/token", "--output", "none"]


def test_the_device_code_is_shown_while_az_waits_and_a_refusal_is_explained(real_az: Path, monkeypatch, capfd):
    monkeypatch.setattr(ui, "can_ask", lambda: True)
    monkeypatch.setenv("SAYS", "To sign in, use a web browser and enter the code B98HKB5BZ\n" + aadsts("53003"))
    monkeypatch.setenv("EXIT", "1")
    with pytest.raises(LoginNeeded) as why:
        perform(login.login(settings(), "device-code"))
    assert "B98HKB5BZ" in capfd.readouterr().err
    assert "AADSTS53003" in why.value.why
    assert why.value.fix == "inv aks.login --mode browser"
