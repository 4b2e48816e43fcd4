"""kubectl's policy for credential plug-ins, with the texts of kubectl 1.36.2."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.sandbox.workstation import Workstation

REFUSED = "Unable to connect to the server: getting credentials: "
APPLYING = "error occurred while applying preferences "


@pytest.fixture
def workstation(tmp_path: Path) -> Workstation:
    """Logged in, with a kubeconfig whose plug-in is kubelogin."""
    made = Workstation(tmp_path).credentials()
    assert made("kubelogin", "convert-kubeconfig", "-l", "azurecli").exit == 0
    return made


def prefer(workstation: Workstation, policy: str | None, *allowed: object, version: str = "v1beta1") -> Path:
    """Write the preferences. allowed: the list's entries; `()` for an empty list, nothing for no list."""
    content: dict[str, object] = {"apiVersion": f"kubectl.config.k8s.io/{version}", "kind": "Preference"}
    if policy is not None:
        content["credentialPluginPolicy"] = policy
    if allowed:
        content["credentialPluginAllowlist"] = [e for e in allowed if e != ()]
    path = workstation.home / ".kube/kuberc"
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        (None, []),
        ("AllowAll", []),
        ("Allowlist", [{"command": "kubelogin"}]),
        ("Allowlist", [{"name": "kubelogin"}]),
        ("Allowlist", [{"command": "other"}, {"command": "PATH"}]),
    ],
)
def test_an_allowed_plugin_is_started(workstation: Workstation, policy: str | None, allowed: list[dict[str, str]]):
    path = f"{workstation.box}/bin/kubelogin"
    prefer(workstation, policy, *({key: value.replace("PATH", path) for key, value in e.items()} for e in allowed))
    assert workstation("kubectl", "version").exit == 0


@pytest.mark.parametrize(
    ("policy", "allowed", "text"),
    [
        ("DenyAll", [], REFUSED + 'plugin "kubelogin" not allowed: policy set to "DenyAll"'),
        (
            "Allowlist",
            [{"command": "other"}],
            REFUSED + 'plugin path "PATH" is not permitted by the credential plugin allowlist',
        ),
        (
            "Allowlist",
            [{"command": "/elsewhere/kubelogin"}],
            REFUSED + 'plugin path "PATH" is not permitted by the credential plugin allowlist',
        ),
        ("Nope", [], APPLYING + 'unknown plugin policy: "Nope"'),
        ("Allowlist", [], APPLYING + 'credential plugin policy set to "Allowlist", but allowlist is unspecified'),
        (
            "Allowlist",
            [()],
            APPLYING
            + 'credential plugin policy set to "Allowlist", but allowlist is empty; use "DenyAll" policy instead',
        ),
        (
            "AllowAll",
            [{"command": "x"}],
            APPLYING
            + 'misconfigured credential plugin allowlist: plugin policy is "AllowAll" but allowlist is non-nil',
        ),
        ("Allowlist", [{}], APPLYING + "misconfigured credential plugin allowlist: empty allowlist entry #1"),
        ("Allowlist", [{"command": "/a/../b"}], APPLYING + 'non-normalized file path: "/a/../b" vs "/b"'),
    ],
)
def test_what_kubectl_says_otherwise(workstation: Workstation, policy: str, allowed: list[object], text: str):
    prefer(workstation, policy, *allowed)
    done = workstation("kubectl", "version")
    expected = text.replace("PATH", f"{workstation.box}/bin/kubelogin")
    assert (done.exit, done.err) == (1, expected + "\n")
    assert "kubelogin" not in [tool for tool, *_ in workstation.calls]


def test_only_kubectl_obeys_and_only_for_a_plugin(workstation: Workstation):
    prefer(workstation, "DenyAll")
    assert workstation("helm", "list").exit == 0
    assert workstation("kubectl", "config", "current-context").exit == 0


def test_kuberc_names_another_file_or_none(workstation: Workstation, tmp_path: Path):
    path = prefer(workstation, "DenyAll")
    for off in ({"KUBERC": "off"}, {"KUBECTL_KUBERC": "false"}):
        assert workstation("kubectl", "version", **off).exit == 0
    moved = path.rename(tmp_path / "preferences")
    assert workstation("kubectl", "version").exit == 0
    assert "DenyAll" in workstation("kubectl", "version", KUBERC=str(moved)).err
    missing = workstation("kubectl", "version", KUBERC="/none")
    assert missing.err == f"{APPLYING}kuberc error kuberc: open /none: no such file or directory\n"


def test_a_file_that_kubectl_does_not_understand_is_ignored_unless_it_is_named(workstation: Workstation):
    path = workstation.home / ".kube/kuberc"
    path.write_text("{")
    reason = f"no valid preferences found in {path}, use --v=5 to see details"
    done = workstation("kubectl", "version")
    assert (done.exit, done.err) == (0, f"kuberc: no preferences loaded from {path}: {reason}")
    assert workstation("kubectl", "version", KUBERC=str(path)).err == f"{APPLYING}kuberc error kuberc: {reason}\n"


def test_the_older_format_has_no_policy(workstation: Workstation):
    prefer(workstation, "DenyAll", version="v1alpha1")
    assert workstation("kubectl", "version").exit == 0
