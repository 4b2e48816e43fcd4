"""Settings: sources, order, and one clear line for what is wrong."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tasks.core.config import catalogue
from tasks.core.config.settings import load
from tasks.core.errors import REFUSED, Problem, Refused, Trouble
from tasks.core.repository import repository_root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    place = tmp_path / "repository"
    shutil.copytree(repository_root() / "config", place / "config")
    (place / "config" / "settings.local.yaml").unlink(missing_ok=True)
    return place


def test_the_committed_settings_are_right(root: Path):
    assert load(root, {}).target == "aks"


def test_later_sources_win_and_their_origin_is_kept(root: Path):
    (root / "config/settings.local.yaml").write_text("cluster: {context: from-local}\ntilt: {port: 1000}\n")
    (root / ".env").write_text("REMOTE_DEV_CLUSTER__CONTEXT=from-dotenv\nOTHER=1\n")
    s = load(root, {"REMOTE_DEV_TILT__PORT": "2000"})
    assert (s.cluster.context, s.tilt.port) == ("from-dotenv", 2000)
    assert s.origins["cluster.context"] == "REMOTE_DEV_CLUSTER__CONTEXT (file .env)"
    assert s.origins["tilt.port"] == "REMOTE_DEV_TILT__PORT (environment)"


def test_the_environment_beats_dotenv_and_dotenv_beats_the_local_file(root: Path):
    (root / "config/settings.local.yaml").write_text("tilt: {port: 1000}\ncluster: {context: from-local}\n")
    (root / ".env").write_text("REMOTE_DEV_TILT__PORT=2000\nREMOTE_DEV_CLUSTER__CONTEXT=from-dotenv\n")
    s = load(root, {"REMOTE_DEV_TILT__PORT": "3000"})
    assert (s.tilt.port, s.cluster.context) == (3000, "from-dotenv")
    assert s.origins["tilt.port"] == "REMOTE_DEV_TILT__PORT (environment)"


def test_lists_and_labels_can_be_given_in_the_environment(root: Path):
    s = load(
        root, {"REMOTE_DEV_CLUSTER__MAPPED_NAMESPACES": "a, b", "REMOTE_DEV_GUARD__PRODUCTION__LABELS": "{env: live}"}
    )
    assert s.cluster.mapped_namespaces == ["a", "b"]
    assert s.guard.production.labels["env"] == "live"


GUARD = "REMOTE_DEV_GUARD__PRODUCTION__"
WEAKER = {
    "an empty list": ("guard: {production: {servers: [], contexts: []}}\n", f"{GUARD}NAMESPACES=\n", {}),
    "another list": ("", f"{GUARD}SERVERS=nothing\n", {f"{GUARD}CONTEXTS": "[]", f"{GUARD}NAMESPACES": "a,b"}),
    "no labels": ("guard: {production: {labels: {}}}\n", f"{GUARD}LABELS={{}}\n", {f"{GUARD}LABELS": "{}"}),
    "an empty guard": ("guard: {}\n", "", {}),
    "an empty group": ("guard: {production: {}}\n", "", {}),
}
UNSAFE = {
    "null": ("guard: {production: {servers: null}}\n", {}),
    "no group": ("guard: {production: null}\n", {}),
    "no guard": ("guard: null\n", {}),
    "another value of a label": ("guard: {production: {labels: {ameide.io/environment: x}}}\n", {}),
    "a null label": ("guard: {production: {labels: {ameide.io/environment: null}}}\n", {}),
    "a label in the environment": ("", {f"{GUARD}LABELS": "{ameide.io/environment: x}"}),
    "the whole group": ("", {"REMOTE_DEV_GUARD__PRODUCTION": "{labels: {ameide.io/environment: x}}"}),
    "the whole group as text": ("", {"REMOTE_DEV_GUARD__PRODUCTION": ""}),
    "the whole guard": ("", {"REMOTE_DEV_GUARD": "{production: {labels: {ameide.io/environment: x}}}"}),
}


@pytest.mark.parametrize("case", WEAKER)
def test_an_override_cannot_remove_what_is_production(root: Path, case: str):
    local, dotenv, environment = WEAKER[case]
    committed = load(root, {}).guard.production
    (root / "config/settings.local.yaml").write_text(local)
    (root / ".env").write_text(dotenv)
    found = load(root, environment).guard.production
    assert set(committed.servers) <= set(found.servers)
    assert set(committed.contexts) <= set(found.contexts)
    assert set(committed.namespaces) <= set(found.namespaces)
    assert committed.labels.items() <= found.labels.items()


@pytest.mark.parametrize("case", UNSAFE)
def test_an_override_that_would_replace_what_is_production_is_an_error(root: Path, case: str):
    local, environment = UNSAFE[case]
    (root / "config/settings.local.yaml").write_text(local)
    with pytest.raises(Trouble):
        load(root, environment)


def test_an_override_adds_to_what_is_production(root: Path):
    committed = load(root, {}).guard.production
    (root / "config/settings.local.yaml").write_text("guard: {production: {servers: [eu-*], labels: {tier: live}}}\n")
    found = load(root, {f"{GUARD}SERVERS": "us-*, eu-*", f"{GUARD}LABELS__STAGE": "live"}).guard.production
    assert found.servers == [*committed.servers, "eu-*", "us-*"]
    assert found.labels == {**committed.labels, "tier": "live", "stage": "live"}


def test_a_changed_label_of_production_names_its_place(root: Path):
    (root / ".env").write_text(f"{GUARD}LABELS={{ameide.io/environment: x}}\n")
    with pytest.raises(Refused) as refused:
        load(root, {})
    assert refused.value.problem == Problem(
        f"{GUARD}LABELS (file .env): labels: 'ameide.io/environment' is 'production' in config/settings.yaml,"
        " and an override may only add",
        fix=f"remove it from {GUARD}LABELS (file .env); to change it, edit config/settings.yaml",
        code=REFUSED,
    )


def test_an_empty_variable_is_an_empty_text(root: Path):
    s = load(root, {"REMOTE_DEV_TELEPRESENCE__SLOT": "", "REMOTE_DEV_CLUSTER__MAPPED_NAMESPACES": ""})
    assert (s.telepresence.slot, s.cluster.mapped_namespaces) == ("", [])


def test_a_wrong_variable_is_named_in_the_fix(root: Path):
    with pytest.raises(Trouble, match="unset REMOTE_DEV_INGRESS__ADDRESS"):
        load(root, {"REMOTE_DEV_INGRESS__ADDRESS": "no-url"})


WRONG = {
    "unknown key": ("clustr: {}\n", r"settings\.local\.yaml:1: the key 'clustr' is not known", "cluster"),
    "unknown key below": ("tilt:\n  port: 1\n  prt: 2\n", r"settings\.local\.yaml:3: the key 'tilt\.prt'", "port"),
    "wrong type": ("tilt: {port: many}\n", r"tilt\.port: expected 'int'", "tilt.port"),
    "out of range": ("tilt: {port: 70000}\n", r"tilt\.port", "tilt.port"),
    "a tab": ("tilt:\n\tport: 1\n", r"settings\.local\.yaml:2", "tabs"),
    "a key twice": (
        "tilt: {port: 1}\ntilt: {port: 2}\n",
        r"settings\.local\.yaml:2: the key 'tilt' is here twice",
        "remove",
    ),
    "a list": ("- a\n", r"a mapping is expected", "correct"),
    "a date that does not exist": (
        "azure: {tenant: 2024-13-45}\n",
        r"settings\.local\.yaml:1: '2024-13-45' is not a valid value",
        "quotes",
    ),
    "an alias to itself": ("azure: &a [*a]\n", r"nested too deeply", "correct"),
    "too many brackets": ("azure: " + "[" * 101 + "]" * 101, r":1: nested too deeply: more than 100 levels", "correct"),
    "a namespace that reads as a flag": ("cluster: {namespace: -x}\n", r"cluster\.namespace", "cluster.namespace"),
    "a slot of two lines": ('telepresence: {slot: "a\\nb"}\n', r"telepresence\.slot", "telepresence.slot"),
    "a slot that no header can carry": ("telepresence: {slot: 日本}\n", r"telepresence\.slot", "telepresence.slot"),
    "a header with a blank": ("telepresence: {header: X Y}\n", r"telepresence\.header", "telepresence.header"),
    "a NUL": (
        'repositories: {core: "a\\0b"}\n',
        r"settings\.local\.yaml:1: repositories\.core: it holds",
        "repositories.core",
    ),
    "an endless deadline": ("deadlines: {az: 1.0e+300}\n", r"deadlines\.az", "deadlines.az"),
    "no login mode": ("azure: {login: magic}\n", r"azure\.login", "azure.login"),
}


@pytest.mark.parametrize("case", WRONG)
def test_an_error_is_one_line_with_its_place(root: Path, case: str):
    text, said, fix = WRONG[case]
    (root / "config/settings.local.yaml").write_text(text)
    with pytest.raises(Trouble, match=said) as caught:
        load(root, {})
    assert fix in caught.value.fix
    assert "\n" not in caught.value.what


def test_tabs_are_named_only_where_there_is_one(root: Path):
    for case, (text, _, _) in WRONG.items():
        (root / "config/settings.local.yaml").write_text(text)
        with pytest.raises(Trouble) as caught:
            load(root, {})
        assert ("no tabs" in caught.value.fix) is (case == "a tab"), case


def test_a_binary_file_causes_no_traceback(root: Path):
    (root / "config/settings.local.yaml").write_bytes(b"\x89PNG\r\n\x1a\n\xff\xfe")
    with pytest.raises(Trouble, match="not text in UTF-8"):
        load(root, {})


def test_an_unknown_variable_names_the_nearest_key(root: Path):
    with pytest.raises(Trouble, match="REMOTE_DEV_CLUSTER__CONTXT") as caught:
        load(root, {"REMOTE_DEV_CLUSTER__CONTXT": "x"})
    assert "context" in caught.value.fix


def test_a_variable_below_a_value_is_refused(root: Path):
    with pytest.raises(Trouble, match="nothing below it"):
        load(root, {"REMOTE_DEV_CLUSTER__CONTEXT__X": "x"})


def test_the_catalogue_has_the_twelve_services_and_every_name_finds_its_own():
    found = catalogue.catalogue()
    assert len(found.services) == 12
    for service in found.services:
        for name in service.names:
            assert found.named(name) is service


def test_the_platform_listens_on_3001():
    assert catalogue.catalogue().named("www_ameide_platform").ports[0].port == 3001


@pytest.mark.parametrize(
    ("word", "fix"),
    [
        ("www-ameide-plattform", "www-ameide-platform"),
        ("--help", "inv --help intercept"),
        ("a b", "inv tp.list"),
        ("", "inv tp.list"),
    ],
)
def test_an_unknown_service_is_refused_with_a_fix(word: str, fix: str):
    with pytest.raises(Trouble) as caught:
        catalogue.catalogue().named(word)
    assert fix in caught.value.fix


def test_two_services_cannot_share_a_name(tmp_path: Path):
    path = tmp_path / "services.yaml"
    text = (repository_root() / "config/services.yaml").read_text()
    path.write_text(text.replace("folder: services/www_ameide\n", "folder: services/www_ameide_platform\n", 1))
    with pytest.raises(Trouble, match="'www_ameide_platform' names www-ameide-platform and www-ameide"):
        catalogue.read(path)


@pytest.mark.parametrize("command", ["[]", '[""]'])
def test_a_dev_command_is_at_least_one_word(tmp_path: Path, command: str):
    path = tmp_path / "services.yaml"
    text = (repository_root() / "config/services.yaml").read_text()
    path.write_text(re.sub(r"command: \[.*?\]", f"command: {command}", text, count=1))
    with pytest.raises(Trouble, match=r"services\.yaml:\d+: services.*command"):
        catalogue.read(path)


def test_the_defaults_are_those_of_the_documentation(root: Path):
    s = load(root, {})
    assert (s.azure.login, s.registry.kind, s.ingress.verify_tls, s.packages.frozen) == ("auto", "acr", True, True)
    assert (s.tilt.port, s.tilt.platform, s.tilt.upsert_timeout) == (10350, "linux/amd64", 300)
    assert (s.repositories.core, s.core) == (".", root.resolve())
    assert s.gitops == (root / s.repositories.gitops).resolve()
    assert [getattr(s.budgets, name) for name in ("setup", "connect", "intercept", "clone_to_running")] == [
        300,
        30,
        10,
        600,
    ]
    names = ("az", "login", "kubectl", "telepresence", "connect", "intercept", "packages", "docker", "git")
    assert [getattr(s.deadlines, name) for name in names] == [60, 900, 20, 30, 120, 90, 900, 30, 300]


@pytest.mark.parametrize(
    "mode", ["auto", "browser", "device-code", "managed-identity", "service-principal", "federated-token"]
)
def test_every_way_to_log_in_is_a_value(root: Path, mode: str):
    assert load(root, {"REMOTE_DEV_AZURE__LOGIN": mode}).azure.login == mode


@pytest.mark.parametrize("group", ["azure", "cluster", "deadlines", "tilt"])
def test_settings_cannot_be_changed_while_they_are_used(root: Path, group: str):
    s = load(root, {})
    field = getattr(s, group).__struct_fields__[0]
    with pytest.raises(AttributeError):
        setattr(getattr(s, group), field, "other")


def test_an_unknown_key_of_the_catalogue_is_refused_with_the_nearest(tmp_path: Path):
    path = tmp_path / "services.yaml"
    path.write_text((repository_root() / "config/services.yaml").read_text().replace("health:", "helth:", 1))
    with pytest.raises(Trouble) as failed:
        catalogue.read(path)
    assert "helth" in failed.value.what
    assert "health" in failed.value.text()
