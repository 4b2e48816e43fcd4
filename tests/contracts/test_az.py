"""What the suite relies on in the Azure CLI."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tasks.core.config.settings import Settings
from tasks.core.errors import Blocked, ToolError
from tasks.core.plan.change import perform
from tasks.tools import az, docker, versions
from tasks.tools import kubeconfig as kc
from tasks.tools.az import LoginNeeded, login
from tests.contracts.programs import Program

TOOL = "az"
pytestmark = pytest.mark.contract
TOKEN = ("account", "get-access-token", "--resource", "6dae42f8-4368-4678-94ff-3960e28e3630")
EXPIRY = (*TOKEN, "--query", "expires_on", "--output", "json")


def log_in(program: Program) -> None:
    """Log in. For a real az, cluster.env names the folder of an existing login."""
    program.only_real_with("AZURE_CONFIG_DIR")
    if program.is_real:
        program.env["AZURE_CONFIG_DIR"] = program.cluster["AZURE_CONFIG_DIR"]
    else:
        assert program.call("login", "--use-device-code", "--output", "none").exit == 0


@pytest.fixture
def logged_in(program: Program, request: pytest.FixtureRequest) -> Settings:
    """The settings for the suite's wrappers, made after the login: they copy the program's environment."""
    log_in(program)
    settings: Settings = request.getfixturevalue("suite")
    return settings


def credentials(s: Settings, program: Program) -> tuple[str, ...]:
    args = list(az.credentials_args(s))
    for flag, name in (("--resource-group", "RESOURCE_GROUP"), ("--name", "CLUSTER")):
        if program.cluster.get(name):
            args[args.index(flag) + 1] = program.cluster[name]
    return tuple(args)


def test_its_version_is_read(program: Program, suite: Settings):
    found = versions.installed(suite, TOOL)
    assert found is not None
    assert found.version[0].isdigit()


@pytest.mark.parametrize(
    "words", [("account", "show"), EXPIRY, ("aks", "get-credentials", "-g", "G", "-n", "N", "--file", "-")]
)
def test_without_a_login_it_reports_so_only_on_stderr(program: Program, words: tuple[str, ...]):
    done = program.call(*words)
    assert done.exit == 1
    assert done.out == ""
    assert "ERROR: Please run 'az login' to setup account." in done.err


def test_without_a_login_the_wrapper_raises_login_needed(program: Program, suite: Settings):
    assert az.accounts() == ()
    with pytest.raises(LoginNeeded) as why:
        az.token_expiry(suite)
    assert why.value.fix == "inv aks.login"


def test_the_parser_accepts_the_suites_arguments(program: Program, suite: Settings):
    """A wrong flag is exit code 2. A missing login is detected later, with exit code 1."""
    for words in (az.credentials_args(suite), (*EXPIRY, "--only-show-errors")):
        assert program.call(*words).exit == 1, words
    assert program.call(*EXPIRY, "--no-such-flag").exit == 2


@pytest.mark.parametrize(
    "flag",
    [
        "use-device-code",
        "identity",
        "client-id",
        "service-principal",
        "username",
        "password",
        "certificate",
        "tenant",
        "federated-token",
        "scope",
    ],
)
def test_login_has_the_flag_of_each_method(program: Program, flag: str):
    if flag == "client-id" and program.lacks(flag, "login"):
        program.not_tried("this version names a managed identity by --username")
    assert not program.lacks(flag, "login")


def test_a_login_is_in_its_profile_with_a_byte_order_mark(program: Program, logged_in: Settings):
    folder = program.env.get("AZURE_CONFIG_DIR") or str(program.home / ".azure")
    with open(f"{folder}/azureProfile.json", "rb") as file:
        content = file.read()
    one = next(s for s in json.loads(content.decode("utf-8-sig"))["subscriptions"] if s["isDefault"])
    assert {"id", "name", "tenantId", "user", "isDefault"} <= set(one)
    assert {"name", "type"} <= set(one["user"])


def inode(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns


@pytest.fixture
def azure(program: Program, tmp_path: Path) -> Path:
    """The folder of az with a login: of the stand-in, or as files that a real az wrote."""
    if not program.is_real:
        log_in(program)
        return program.home / ".azure"
    folder = tmp_path / "azure"
    folder.mkdir()
    program.env["AZURE_CONFIG_DIR"] = str(folder)
    names = ("homeTenantId", "id", "tenantId")
    one: dict[str, object] = {
        **dict.fromkeys(names, "00000000-0000-4000-8000-000000000001"),
        "environmentName": "AzureCloud",
    }
    one |= {"isDefault": True, "managedByTenants": [], "name": "Dev", "state": "Enabled"}
    one |= {"user": {"name": "developer@example.com", "type": "user"}}
    profile = {"installationId": "00000000-0000-4000-8000-000000000002", "subscriptions": [one]}
    (folder / "azureProfile.json").write_text(json.dumps(profile), encoding="utf-8-sig")
    (folder / "clouds.config").write_text("[AzureCloud]\nsubscription = 00000000-0000-4000-8000-000000000001\n\n")
    (folder / "msal_token_cache.json").write_text("{}")
    return folder


def test_account_set_rewrites_its_files_in_place_even_without_a_change(program: Program, azure: Path):
    files = (azure / "azureProfile.json", azure / "clouds.config")
    contents = [file.read_text("utf-8-sig") for file in files]
    before = [inode(file) for file in files]
    assert (
        program.call("account", "set", "--subscription", "Dev" if program.is_real else subscription(program)).exit == 0
    )
    assert [json.loads(contents[0]), contents[1]] == [
        json.loads(files[0].read_text("utf-8-sig")),
        files[1].read_text("utf-8-sig"),
    ]
    for file, (number, time_before) in zip(files, before, strict=True):
        assert inode(file)[0] == number
        assert inode(file)[1] > time_before


def subscription(program: Program) -> str:
    return str(program.call("account", "show").json["id"])


def test_account_show_touches_none_of_them(program: Program, azure: Path):
    files = [azure / name for name in ("azureProfile.json", "clouds.config", "msal_token_cache.json")]
    before = [inode(file) for file in files]
    assert program.call("account", "show").exit == 0
    assert [inode(file) for file in files] == before


def test_account_clear_keeps_the_profile_and_removes_the_token_cache(program: Program, azure: Path):
    number = inode(azure / "azureProfile.json")[0]
    done = program.call("account", "clear")
    if program.is_real and "Max retries exceeded" in done.err:
        program.not_tried("it asks Entra for its configuration first")
    assert done.exit == 0
    assert inode(azure / "azureProfile.json")[0] == number
    assert json.loads((azure / "azureProfile.json").read_text("utf-8-sig"))["subscriptions"] == []
    assert not (azure / "msal_token_cache.json").exists()


def test_the_expiry_of_a_token_is_a_number_in_the_future(program: Program):
    log_in(program)
    done = program.call(*EXPIRY)
    assert done.exit == 0
    assert float(done.json) > time.time()


def test_the_clusters_kubeconfig_comes_on_stdout(program: Program, logged_in: Settings):
    program.only_real_with("RESOURCE_GROUP", "CLUSTER")
    done = program.call(*credentials(logged_in, program))
    assert done.exit == 0
    found = kc.parse(done.out, "az")
    context = found.context(found.current)
    assert context is not None
    assert context.server.startswith("https://")
    assert not (program.home / ".kube/config").exists()


def test_an_unknown_cluster_is_exit_code_3_with_its_error_code(program: Program, logged_in: Settings):
    program.only_real_with("RESOURCE_GROUP", "CLUSTER")
    args = list(credentials(logged_in, program))
    args[args.index("--name") + 1] = "no-such-cluster"
    done = program.call(*args)
    assert done.exit == 3
    assert "(ResourceNotFound)" in done.err
    assert done.out == ""


@pytest.mark.parametrize("code", ["70043", "700082", "50173", "50076", "53003"])
def test_entras_error_code_is_reported(program: Program, logged_in: Settings, code: str):
    program.fault(f"login-{code}")
    done = program.call(*EXPIRY)
    assert (done.exit, done.out) == (1, "")
    assert f"AADSTS{code}" in done.err
    with pytest.raises(LoginNeeded) as why:
        az.token_expiry(logged_in)
    assert why.value.aadsts == code


def test_a_missing_role_is_not_reported_as_a_missing_login(program: Program, logged_in: Settings):
    program.fault("arm-denied")
    done = program.call(*az.credentials_args(logged_in))
    assert done.exit == 1
    assert "(AuthorizationFailed)" in done.err
    with pytest.raises(Blocked) as why:
        az.cluster_credentials(logged_in)
    assert not isinstance(why.value, LoginNeeded)
    assert "Cluster User Role" in why.value.why


def test_the_registrys_login_checks_the_engine_first(program: Program, suite: Settings):
    if program.is_real:
        program.env["DOCKER_HOST"] = "tcp://127.0.0.1:1"
        if program.call("version", tool="docker").exit == 127:
            program.not_tried("there is no docker client next to it")
    else:
        program.fault("docker-no-engine")
    done = program.call("acr", "login", "--name", "registry")
    assert done.exit == 1
    assert "DOCKER_COMMAND_ERROR" in done.err


def test_the_registrys_login_is_stored_in_dockers_file(program: Program, logged_in: Settings):
    program.only_real_with("REGISTRY")
    perform(az.registry_login(logged_in))
    assert docker.login(logged_in.registry.host).present


def test_a_missing_role_on_the_registry_is_explained(program: Program, logged_in: Settings):
    program.fault("registry-role")
    with pytest.raises((ToolError, LoginNeeded)) as why:
        perform(az.registry_login(logged_in))
    assert "AcrP" in f"{why.value.why}{why.value.fix}"


def test_a_secret_is_read_from_stdin(program: Program, suite: Settings):
    """`--password @-` keeps the secret out of process lists. A wrong secret or no network is exit code 1, without a prompt."""
    words = (
        "login",
        "--service-principal",
        "--username",
        "00000000-0000-4000-8000-000000000000",
        "--tenant",
        "00000000-0000-4000-8000-000000000001",
    )
    done = program.call(*words, "--password", "@-", stdin="not-a-secret", seconds=180)
    assert done.exit == 1
    assert "not-a-secret" not in done.said


def test_a_device_code_is_shown_on_stderr(program: Program, suite: Settings):
    program.only_real_with("AZURE_CONFIG_DIR")
    if program.is_real:
        program.not_tried("it would wait for a user")
    done = program.call("login", "--use-device-code", "--output", "none")
    assert done.exit == 0
    assert "enter the code" in done.err
    assert done.out == ""
    assert login.needs_person("device-code")
