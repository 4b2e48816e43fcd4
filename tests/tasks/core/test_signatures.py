"""Recorded failures of tools, and how the suite explains them."""

from __future__ import annotations

import re

import pytest

from tasks.core import typed
from tasks.core.entra import AADSTS
from tasks.core.process.output import last_line
from tasks.core.signatures import SIGNATURES, explain

FORBIDDEN = 'Error from server (Forbidden): {0}s.{1} is forbidden: User "d@example.com" cannot list resource "{0}s" in API group "{1}" in the namespace "argocd"'
ROUTES = 'Error: could not get information about the resource HTTPRoute "x" in namespace "ameide": httproutes.gateway.networking.k8s.io "x" is forbidden: User "d@example.com" cannot get resource "httproutes" in API group "gateway.networking.k8s.io" in the namespace "ameide"'
# Of real Helm 3.22: the cause stands before the last line.
NO_KIND = """Error: unable to build kubernetes objects from release manifest: resource mapping not found for name: "x" namespace: "" from "": no matches for kind "HTTPRoute" in version "gateway.networking.k8s.io/v1"
ensure CRDs are installed first
"""

# telepresence 2.20.2, as a user, after its root daemon was killed
SOCKET_LEFT = (
    "telepresence connect: error: dial to socket /var/run/telepresence-daemon.socket failed: dial unix"
    " /var/run/telepresence-daemon.socket: context deadline exceeded; remove of unresponsive socket failed: remove"
    " /var/run/telepresence-daemon.socket: permission denied; this usually means that the process has locked up"
)


@pytest.mark.parametrize(
    ("tool", "said", "why", "fix"),
    [
        ("kubectl", FORBIDDEN.format("application", "argoproj.io"), "a right", "list applications in argocd"),
        ("helm", ROUTES, "`edit` does not include httproutes", "edit httproutes (docs/access.md)"),
        ("kubectl", 'nodes is forbidden: User "d" cannot list resource "nodes" in API group "" at the cluster scope', "a right", "the role `edit`"),
        ("helm", NO_KIND, "does not know HTTPRoute (gateway.networking.k8s.io/v1)", "inv aks.check"),
        ("az", "ERROR: AADSTS70043: The refresh token has expired", "(AADSTS70043)", "inv aks.login"),
        ("az", "ERROR: AADSTS999999: new", "AADSTS999999", "login.microsoftonline.com/error?code=999999"),
        ("az", "ERROR: AADSTS50126: Error validating credentials", "declined", "inv aks.login"),
        ("kubectl", "error: unable to load root certificates: unable to parse bytes as PEM block", "certificate", "inv aks.credentials --force"),
        ("az", 'ERROR: Login failed.\nError response from daemon: Get "https://r.io/v2/": tls: failed to verify certificate: x509: certificate signed by unknown authority', "certificate of r.io", "inv aks.registry"),
        ("tilt", 'docker push: pushing image "r.io/www": denied: requested access to the resource is denied', "AcrPush", "inv aks.registry"),
        ("tilt", "docker push: pushing image \"r.io/www\": denied: client with IP '10.98.0.21' is not allowed access. Refer https://aka.ms/acr/firewall to grant access.", "firewall", "connect the VPN"),
        ("az", "(AuthorizationFailed) The client 'd' does not have authorization to perform action 'Microsoft.ContainerService/managedClusters/listClusterUserCredential/action'", "Cluster User Role", "owner of the cluster"),
        ("tilt", "Error: mkdir /home/dev/.local/state: read-only file system", "may not be written", "inv devcontainer.check"),
        ("telepresence", "write /home/dev/.cache/x: no space left on device", "the disk is full", "free some space"),
        ("telepresence", SOCKET_LEFT, "has left its socket", "sudo rm /var/run/telepresence-daemon.socket"),
        ("git", "git@example.com: Permission denied (publickey).", "your ssh key", "ssh-add -l"),
        ("git", "fatal: could not read Username for 'https://x': terminal prompts disabled", "no login", "git fetch"),
        ("git", "fatal: nothing that is known", "", ""),
    ],
)  # fmt: skip
def test_a_failure_is_explained_with_the_names_in_it(tool: str, said: str, why: str, fix: str):
    found = explain(tool, said)
    assert why in found[0]
    assert fix in found[1]
    assert not why or "{" not in "".join(found)


def test_of_several_lines_the_one_that_the_error_shows_is_explained():
    said = "".join(f"Error from server (Forbidden): {FORBIDDEN.format(kind, 'apps')}\n" for kind in ("pod", "job"))
    assert "jobs" in last_line(said)
    assert "list jobs in argocd" in explain("kubectl", said)[1]


@pytest.mark.parametrize(
    ("said", "own", "other"),
    [
        ("unable to find a default route", "telepresence", "kubectl"),
        ("connect ECONNREFUSED 10.0.0.1:443", "pnpm", "az"),
        ("Permission denied (publickey).", "git", "docker"),
    ],
)
def test_a_signature_of_one_tool_does_not_explain_what_another_says(said: str, own: str, other: str):
    assert explain(own, said) != ("", "")
    assert explain(other, said) != explain(own, said)


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("aks.check", FORBIDDEN.format("application", "argoproj.io")),
        ("aks.status", "dial tcp: lookup dev.example: no such host"),
        ("devcontainer.check", "executable kubelogin not found"),
        ("tp.who", "Conflict with intercept www"),
    ],
)
def test_a_command_is_not_named_in_what_it_prints_itself(monkeypatch: pytest.MonkeyPatch, task: str, said: str):
    assert f"; inv {task} " in explain("kubectl", said)[1]
    monkeypatch.setattr(typed, "_running", frozenset({"status"}))
    assert f"; inv {task} " in explain("kubectl", said)[1]
    typed.set_running({task})
    fix = explain("kubectl", said)[1]
    assert fix
    assert f"inv {task}" not in fix


def test_the_cause_is_quoted_and_not_what_helm_adds():
    assert 'no matches for kind "HTTPRoute"' in last_line(NO_KIND)


@pytest.mark.parametrize("signature", SIGNATURES, ids=lambda s: s.why)
def test_a_signature_names_only_what_its_pattern_catches(signature):
    caught = set(re.compile(signature.pattern).groupindex)
    assert set(re.findall(r"\{(\w+)\}", signature.why + signature.fix)) <= caught


def test_each_code_of_entra_has_a_cause_and_a_fix():
    assert all(refusal.why and refusal.fix for refusal in AADSTS.values())


@pytest.mark.parametrize("code", AADSTS)
def test_each_code_of_entra_is_explained_and_not_as_another(code: str):
    refusal = AADSTS[code]
    assert explain("az", f"AADSTS{code}: something.") == (f"{refusal.why} (AADSTS{code})", refusal.fix)
