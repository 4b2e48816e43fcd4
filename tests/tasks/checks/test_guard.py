"""The guard: refuses production by any of its names, and targets that cannot be looked at."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tasks.checks import guard, servers
from tasks.checks.guard import Target
from tasks.core.config.settings import Production, Settings, settings
from tasks.core.errors import FAILED, REFUSED, Problem, Refused, ToolError
from tasks.core.state import store
from tasks.tools import assessed, base, kubectl
from tests.made import settings as made

DEV = "https://dev-aks-dns-1a2b.hcp.westeurope.azmk8s.io:443"
SERVER = "https://prod-aks-dns-1a2b.hcp.westeurope.azmk8s.io:443"


@pytest.mark.parametrize(
    "pattern",
    [
        SERVER,
        "*prod-aks*",
        "prod-aks-dns-1a2b.hcp.westeurope.azmk8s.io",
        "prod-aks-*.azmk8s.io",
        "PROD-AKS-*",
        "https://prod-aks-dns-1a2b.hcp.westeurope.azmk8s.io",
        "https://prod-aks-dns-1a2b.hcp.westeurope.azmk8s.io/",
        "prod-aks-dns-1a2b.hcp.westeurope.azmk8s.io.",
        "prod-aks-*.azmk8s.io:443",
        "prod-aks-*:*",
    ],
)
def test_a_production_server_is_refused_by_its_url_and_by_its_host(pattern: str):
    s = settings()
    s = msgspec.structs.replace(s, guard=msgspec.structs.replace(s.guard, production=Production(servers=[pattern])))
    with pytest.raises(Refused, match="API server"):
        guard.check_names(s, server=SERVER)


@pytest.mark.parametrize(
    "server",
    [
        "https://prod.example",
        "https://prod.example:443",
        "https://PROD.Example:443/",
        "https://prod.example.:443",
        "https://user@prod.example/path",
        "prod.example",
        "prod.example:443",
        " https://prod.example",
        "https://\uff50rod.example",
        "https://prod\u3002example",
    ],
)
@pytest.mark.parametrize("pattern", ["prod.example", "prod.example:443", "https://prod.example", "PROD.EXAMPLE."])
def test_each_spelling_of_a_production_server_is_refused(server: str, pattern: str):
    assert servers.matches(server, pattern)


@pytest.mark.parametrize(
    ("server", "pattern"),
    [
        ("https://prod.example:6443", "prod.example:443"),
        ("http://prod.example", "prod.example:443"),
        ("https://dev.example", "prod.example"),
        ("https://dev.example/prod.example", "prod.example"),
        ("https://prod.example.org", "prod.example"),
        ("https://dev.example", ""),
        ("", "prod.example"),
        ("https://[::1", "::1"),
        ("https://dev.example:port", "dev.example"),
    ],
)
def test_another_server_does_not_match(server: str, pattern: str):
    assert not servers.matches(server, pattern)


def test_an_address_of_version_6_matches_with_and_without_brackets():
    assert servers.matches("https://[fd00::1]:6443", "[fd00::1]")
    assert servers.matches("https://[fd00::1]:6443", "[fd00::*]:6443")
    assert servers.matches("https://[fd00::1]:6443", "fd00::1")
    assert servers.matches("https://[fd00::1]:6443", "fd00::*")
    assert not servers.matches("https://[fd00::2]:6443", "fd00::1")


@pytest.mark.parametrize("pattern", ["fd00::1", "[fd00::1]", "FD00:0:0:0:0:0:0:1", "https://[fd00:0::1]:6443"])
@pytest.mark.parametrize("server", ["https://[fd00:0:0::1]:6443", "https://[FD00::0:1]:6443"])
def test_each_spelling_of_an_address_of_version_6_matches(server: str, pattern: str):
    assert servers.matches(server, pattern)


def test_an_address_of_version_4_inside_one_of_version_6_matches():
    assert servers.matches("https://[::ffff:10.1.2.3]:6443", "10.1.2.3")


@pytest.mark.parametrize("pattern", ["pr\u00fcd.example", "PR\u00dcD.example", "pr\u00fcd*", "xn--prd-ioa.example"])
@pytest.mark.parametrize(
    "server", ["https://pr\u00fcd.example:443", "https://xn--prd-ioa.example", "https://PR\u00dcD.example."]
)
def test_a_name_with_other_letters_matches_in_each_spelling(server: str, pattern: str):
    assert servers.matches(server, pattern)


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ({"cluster__context": "live-eu", "guard__production__contexts": "live-*"}, "the context 'live-eu'"),
        ({"cluster__namespace": "live-shop", "guard__production__namespaces": "live-*"}, "the namespace 'live-shop'"),
        ({"cluster__name": "live-aks", "guard__production__contexts": "live-*"}, "the cluster 'live-aks'"),
    ],
)
def test_the_refusal_shows_the_name_and_the_pattern(setting: dict[str, str], what: str):
    with pytest.raises(Refused) as refused:
        guard.check_names(made(**setting))
    assert refused.value.problem == Problem(
        f"{what} is production", why="it matches 'live-*' of guard.production", fix=guard.NO_WAY, code=REFUSED
    )


def test_another_server_passes():
    guard.check_names(settings(), server="https://ameide-dev-aks-dns-1a2b.hcp.westeurope.azmk8s.io:443")


def test_a_mapped_production_namespace_is_refused():
    s = made(cluster__mapped_namespaces="team, live-shop", guard__production__namespaces="live-*")
    with pytest.raises(Refused, match="the mapped namespace 'live-shop' is production"):
        guard.check_names(s)


def test_a_mapped_namespace_without_a_match_passes():
    guard.check_names(made(cluster__mapped_namespaces="team, shop", guard__production__namespaces="live-*"))


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A cluster that answers `labels` for the namespace, or raises `error`."""
    answer: dict[str, Any] = {"labels": {"team": "shop"}, "error": None}

    def namespace_labels(s: Settings, namespace: str, *, kubeconfig: str) -> dict[str, str]:
        if answer["error"] is not None:
            raise answer["error"]
        return dict(answer["labels"])

    monkeypatch.setattr(kubectl, "namespace_labels", namespace_labels)
    write(DEV)
    return answer


def write(server: str, cluster: str = "c", **more: str) -> None:
    """Write the session's kubeconfig with this server, and more keys of its cluster."""
    body = ", ".join(f"{key}: '{value}'" for key, value in {"server": server, **more}.items())
    content = f"clusters: [{{name: {cluster}, cluster: {{{body}}}}}]\n"
    content += f"contexts: [{{name: dev, context: {{cluster: {cluster}, user: u}}}}]\n"
    store.write(base.frozen_kubeconfig(made()), content)


def test_an_allowed_target_is_returned(cluster: dict[str, Any]):
    assert guard.assess(made()) == Target(DEV, "dev", "team", {"team": "shop"})


def test_the_server_of_the_kubeconfig_is_compared_with_the_patterns(cluster: dict[str, Any]):
    write(SERVER)
    with pytest.raises(Refused, match="the API server"):
        guard.assess(made(guard__production__servers="prod-aks-*"))


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ({"tls-server-name": "live.example"}, "the tls-server-name 'live.example'"),
        ({"proxy-url": "socks5://Live.example:1080"}, "the proxy-url 'socks5://Live.example:1080'"),
        ({"cluster": "LIVE-aks"}, "the cluster 'LIVE-aks'"),
    ],
)
def test_production_behind_another_address_is_refused(cluster: dict[str, Any], more: dict[str, str], what: str):
    write("https://10.0.0.1", **more)
    with pytest.raises(Refused, match=what):
        guard.assess(made(guard__production__servers="live.example", guard__production__contexts="live-*"))


def test_a_kubeconfig_that_changes_during_the_look_is_looked_at_again(
    cluster: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    servers_seen = iter(["https://dev2.example", "https://live.example"])

    def namespace_labels(s: Settings, namespace: str, *, kubeconfig: str) -> dict[str, str]:
        write(next(servers_seen))  # another run, in another terminal
        return {}

    monkeypatch.setattr(kubectl, "namespace_labels", namespace_labels)
    with pytest.raises(Refused, match=r"the API server 'https://live\.example'"):
        guard.assess(made(guard__production__servers="live.example"))
    assert list(servers_seen) == []


def test_a_write_with_a_kubeconfig_that_was_not_assessed_is_refused(cluster: dict[str, Any]):
    s = made()
    guard.assess(s)
    assert not guard.outdated(s)
    change = kubectl.delete(s, "pod", "web", destroys="the pod")
    write(SERVER)
    assert guard.outdated(s)
    with pytest.raises(Refused, match="the session's kubeconfig changed while this ran"):
        change.run()
    base.frozen_kubeconfig(s).unlink()
    assert guard.outdated(s)


def test_a_kubeconfig_that_nothing_assessed_is_not_outdated(cluster: dict[str, Any]):
    assert not guard.outdated(made())
    assessed.must_be_current(base.frozen_kubeconfig(made()))


def test_a_namespace_with_a_production_label_is_refused(cluster: dict[str, Any]):
    s = made(guard__production__labels="{env: live}")
    cluster["labels"] = {"env": "dev"}
    assert guard.assess(s).labels == {"env": "dev"}
    cluster["labels"] = {"env": "live"}
    with pytest.raises(Refused) as refused:
        guard.assess(s)
    assert refused.value.problem == Problem(
        "the namespace 'team' is production", why="its label env=live", fix=guard.NO_WAY, code=REFUSED
    )


def test_a_missing_namespace_is_refused(cluster: dict[str, Any]):
    cluster["error"] = kubectl.NotFound("kubectl get: not found", tool="kubectl", exit=1)
    with pytest.raises(Refused, match="the namespace 'team' does not exist in the cluster 'dev'") as refused:
        guard.assess(made())
    assert not isinstance(refused.value, guard.UnknownTarget)


@pytest.mark.parametrize(
    ("kind", "why", "fix", "code"),
    [
        (ToolError, "", "", FAILED),
        (kubectl.Unauthorized, "the login has expired", "inv aks.login", FAILED),
        (kubectl.Forbidden, "", "", REFUSED),
    ],
)
def test_a_target_that_cannot_be_looked_at_is_not_changed(
    cluster: dict[str, Any], kind: type[ToolError], why: str, fix: str, code: int
):
    """Only a cluster that refuses the look is a refusal; without an answer the suite could not look."""
    cluster["error"] = kind("kubectl get: no answer", tool="kubectl", why=why, fix=fix)
    with pytest.raises(guard.UnknownTarget, match="dev/team could not be looked at: kubectl get: no answer") as unknown:
        guard.assess(made())
    assert unknown.value.cause is cluster["error"]
    assert unknown.value.code == code
    assert unknown.value.problem == Problem(
        "the target dev/team could not be looked at: kubectl get: no answer",
        why=why or "a target that cannot be looked at might be production, so it is not changed",
        fix=fix or "inv aks.check",
        code=code,
    )
