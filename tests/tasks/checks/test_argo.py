"""Argo CD and an intercept: each defect is distinguished, and the printed patch fixes it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import yaml

from tasks.checks import argo
from tasks.checks.argo import Argo
from tasks.checks.argo import rules as argo_rules
from tasks.checks.finding import Finding, Verdict, missing
from tasks.checks.workload import PREFIXES, locate
from tasks.core.process.tool import Done
from tasks.tools import kubectl
from tests.made import settings

KEY = "telepresence.io/restartedAt"
NARROW = {
    "group": "apps",
    "kind": "Deployment",
    "jsonPointers": [f"/spec/template/metadata/annotations/{KEY.replace('/', '~1')}"],
}
WIDE = {"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/template/metadata/annotations"]}
RESPECT = ["CreateNamespace=true", "RespectIgnoreDifferences=true"]


def deployment(**annotations: str) -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "team", "labels": {"app.kubernetes.io/instance": "apps-web"}},
        "spec": {"selector": {"matchLabels": {"app": "web"}},
                 "template": {"metadata": {"labels": {"app": "web"}, "annotations": annotations}}},
    }  # fmt: skip


def pod(manager: str = "", agent: bool = True) -> dict[str, Any]:
    config = {
        "telepresence.io/agent-config": json.dumps({"managerHost": f"traffic-manager.{manager}.svc.cluster.local"})
    }
    containers = [{"name": "web"}, *([{"name": "traffic-agent"}] if agent else [])]
    return {"kind": "Pod", "metadata": {"name": "web-1", "namespace": "team", "labels": {"app": "web"},
                                        "annotations": config if manager else {}},
            "spec": {"containers": containers}, "status": {"phase": "Running"}}  # fmt: skip


def application(rules=(), options=(), *, heal=False, drift=False, **more: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "apps-web", "namespace": "argocd", **more},
        "spec": {"source": {"repoURL": "https://git.example/gitops", "path": "environments/dev"},
                 "ignoreDifferences": list(rules),
                 "syncPolicy": {"syncOptions": list(options), "automated": {"selfHeal": heal, "prune": True}}},
        "status": {"resources": [{"group": "apps", "kind": "Deployment", "namespace": "team", "name": "web",
                                  "status": "OutOfSync" if drift else "Synced"}]},
    }  # fmt: skip


@pytest.fixture(autouse=True)
def manager(monkeypatch):
    """The traffic manager is in `ambassador`, unless a test removes it."""
    namespaces = {"ambassador"}

    def get(s, kinds, *, name="", namespace="", **more):
        if namespace not in namespaces:
            raise kubectl.NotFound(f"services {name} not found", tool="kubectl", exit=1)
        return [{"metadata": {"name": name}}]

    monkeypatch.setattr(kubectl, "get", get)
    return namespaces


def look(
    app=None, *pods, common: tuple[argo_rules.Rule, ...] | None = (), workload=None, **changed: str
) -> dict[str, Finding]:
    where = locate([workload or deployment(), *pods], ("web",), "team")
    known = Argo(() if app is None else (app,), common)
    return {f.subject: f for f in argo.findings(settings(**changed), where, known)}


def test_a_correct_workload_is_ok_in_every_point():
    found = look(application([NARROW], RESPECT, heal=True), pod("ambassador"),
                 workload=deployment(**{"telepresence.io/inject-traffic-agent": "enabled"}))  # fmt: skip
    assert {f.verdict for f in found.values()} == {Verdict.OK}
    assert "apps-web" in found["owner"].text
    assert "environments/dev" in found["owner"].text


@pytest.mark.parametrize(
    "pointer", ["/spec/template/metadata/annotations", "/spec/template/metadata", "/spec/template"]
)
def test_a_wide_rule_with_respect_is_an_error(pointer):
    rule = look(application([{**WIDE, "jsonPointers": [pointer]}], RESPECT))["ignore rule"]
    assert rule.verdict is Verdict.MISSING
    assert rule.text.startswith("wide")
    assert pointer in rule.text


def test_a_wide_rule_without_respect_is_a_warning():
    assert look(application([WIDE]))["ignore rule"].verdict is Verdict.WARN


@pytest.mark.parametrize(
    "expression", [".spec.template.metadata.annotations", '.spec["template"].metadata.annotations']
)
def test_a_wide_rule_may_be_written_for_jq(expression):
    rule = {"group": "apps", "kind": "Deployment", "jqPathExpressions": [expression]}
    assert "wide" in look(application([rule], RESPECT))["ignore rule"].text


@pytest.mark.parametrize(
    "expression", [f'.spec.template.metadata.annotations["{KEY}"]', f'.spec.template.metadata.annotations."{KEY}"']
)
def test_a_narrow_rule_may_be_written_for_jq(expression):
    rule = {"group": "apps", "kind": "Deployment", "jqPathExpressions": [expression]}
    assert look(application([rule], RESPECT))["ignore rule"].verdict is Verdict.OK


def test_a_rule_for_another_workload_does_not_count():
    for other in ({"kind": "StatefulSet"}, {"name": "api"}, {"namespace": "elsewhere"}, {"group": "batch"}):
        assert look(application([{**NARROW, **other}], RESPECT))["ignore rule"].verdict is Verdict.MISSING


def test_a_narrow_rule_without_respect_is_a_warning():
    rule = look(application([NARROW]))["ignore rule"]
    assert rule.verdict is Verdict.WARN
    assert "RespectIgnoreDifferences" in rule.text


def test_before_2_22_the_key_had_another_name():
    assert (
        look(application([NARROW], RESPECT), telepresence__version="2.19.1")["ignore rule"].verdict is Verdict.MISSING
    )


def test_a_rule_for_all_applications_counts_too():
    data = {
        "resource.customizations.ignoreDifferences.apps_Deployment": yaml.safe_dump(
            {"jsonPointers": NARROW["jsonPointers"]}
        )
    }
    assert look(application(options=RESPECT), common=argo_rules.common(data))["ignore rule"].verdict is Verdict.OK
    wide = {"resource.customizations.ignoreDifferences.all": "jsonPointers: [/spec/template/metadata/annotations]"}
    rule = look(application([NARROW], RESPECT), common=argo_rules.common(wide))["ignore rule"]
    assert "ConfigMap argocd-cm" in rule.fix


def test_unreadable_common_rules_make_it_unknown_not_missing():
    assert look(application(options=RESPECT), common=None)["ignore rule"].verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("heal", "drift", "state"),
    [(True, True, Verdict.MISSING), (False, True, Verdict.WARN), (True, False, Verdict.OK), (False, False, Verdict.OK)],
)
def test_self_heal_is_a_problem_only_with_drift(heal, drift, state):
    policy = look(application([NARROW], RESPECT, heal=heal, drift=drift))["sync policy"]
    assert policy.verdict is state
    assert ("self-heals" in policy.text) is heal


@pytest.mark.parametrize(
    "app", [application(), application([WIDE], RESPECT), application([{**WIDE, "managedFieldsManagers": ["x"]}, NARROW]), application([NARROW], ["Prune=false"])]
)  # fmt: skip
def test_the_printed_patch_fixes_its_finding(app):
    before = look(app)["ignore rule"]
    patch = yaml.safe_load(before.patch)
    patched = merged(app, patch)
    assert look(patched)["ignore rule"].verdict is Verdict.OK
    assert set(app["spec"]["syncPolicy"]["syncOptions"]) <= set(patched["spec"]["syncPolicy"]["syncOptions"])
    assert merged(patched, yaml.safe_load(argo_rules.patch(patched, "Deployment", "web", PREFIXES))) == patched


def merged(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = copy.deepcopy(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def test_the_patch_for_a_generated_application_names_its_applicationset():
    app = application(ownerReferences=[{"kind": "ApplicationSet", "name": "dev"}])
    assert "ApplicationSet dev" in look(app)["ignore rule"].patch


@pytest.mark.parametrize(
    ("value", "state"), [("enabled", Verdict.OK), ("disabled", Verdict.MISSING), ("", Verdict.WARN)]
)
@pytest.mark.parametrize("prefix", PREFIXES)
def test_injection_is_opted_in_forbidden_or_open(prefix, value, state):
    annotations = {f"{prefix}/inject-traffic-agent": value} if value else {}
    assert look(application(), workload=deployment(**annotations))["injection"].verdict is state


def test_an_agent_of_another_manager_differs_from_an_orphaned_one(manager):
    wrong = look(application(), pod("other"))["traffic agent"]
    assert wrong.verdict is Verdict.MISSING
    assert "wrong manager namespace" in wrong.text
    assert "cluster.manager_namespace to other" in wrong.fix
    manager.clear()
    orphaned = look(application(), pod("ambassador"))["traffic agent"]
    assert orphaned.verdict is Verdict.MISSING
    assert "orphaned" in orphaned.text
    assert "web-1" in orphaned.fix


def test_an_agent_that_does_not_name_its_manager_is_ok(manager):
    assert look(application(), pod())["traffic agent"].verdict is Verdict.OK
    assert look(application(), pod("ambassador", agent=False))["traffic agent"].text == "none in its pods yet"


def test_unreadable_applications_are_unknown_but_the_mark_on_the_workload_names_the_owner():
    why = kubectl.Forbidden("kubectl get: forbidden", tool="kubectl", exit=1)
    where = locate([deployment()], ("web",), "team")
    found = {f.subject: f for f in argo.findings(settings(), where, Argo(trouble=why))}
    assert found["owner"].verdict is Verdict.OK
    assert "apps-web" in found["owner"].text
    assert found["ignore rule"].verdict is found["sync policy"].verdict is Verdict.UNKNOWN
    assert "applications.argoproj.io" in found["ignore rule"].fix


def test_a_cluster_without_argo_is_reported():
    why = kubectl.error(
        kubectl.tool(settings())["get", "applications.argoproj.io"],
        Done(1, "", 'error: the server doesn\'t have a resource type "applications"\n', 0.1),
    )
    where = locate([deployment()], ("web",), "team")
    assert argo.findings(settings(), where, Argo(trouble=why))[0] == missing(
        "owner", "Argo CD is not in this cluster", fix="see docs/cluster.md: Argo CD is installed by gitops"
    )


@pytest.mark.parametrize(
    ("metadata", "name"),
    [
        ({"annotations": {"argocd.argoproj.io/tracking-id": "apps-web:apps/Deployment:team/web"}}, "apps-web"),
        ({"annotations": {"argocd.argoproj.io/tracking-id": "argocd_apps-web:apps/Deployment:team/web"}}, "apps-web"),
        ({"labels": {"argocd.argoproj.io/instance": "x"}}, "x"),
        ({}, ""),
        ({"labels": {"app.kubernetes.io/instance": "a"}, "annotations": {"meta.helm.sh/release-name": "a"}}, ""),
    ],
)
def test_the_marks_of_argo_on_a_workload(metadata, name):
    workload = {**deployment(), "metadata": {"name": "web", "namespace": "team", **metadata}}
    assert argo.mark(locate([workload], ("web",), "team")) == name


@pytest.mark.parametrize(
    ("pointer", "wide", "ignored"),
    [
        ("/spec/template/metadata/annotations", True, False),
        ("/spec/template", True, False),
        ("/spec/template/metadata/labels", False, False),
        ("/spec/template/metadata/annotations/a~1b~0c", False, True),
        ("/spec/template/metadata/annotations/other", False, False),
    ],
)
def test_a_rule_is_wide_when_it_covers_all_annotations(pointer: str, wide: bool, ignored: bool):
    entry = {"group": "apps", "kind": "Deployment", "jsonPointers": [pointer]}
    application = {"metadata": {"name": "a"}, "spec": {"ignoreDifferences": [entry]}}
    (rule,) = argo_rules.of_application(application)
    assert rule.is_wide is wide
    assert rule.ignores("a/b~c") is ignored
