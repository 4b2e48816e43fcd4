"""The checks over programs: each defect is reported, and a check changes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from sandbox import control
from sandbox.control import Box
from tasks.core import ports
from tasks.core.config.settings import load
from tasks.core.repository import repository_root
from tests.world import WWW, inv, writes

SETTINGS = load(repository_root(), {})


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    sandbox = control.up()
    control.give_kubeconfig(sandbox)
    yield sandbox
    control.down(sandbox)


@pytest.fixture
def activate_fault(box: Box) -> Iterator[Any]:
    """Activate faults; they are deactivated after the test."""
    names: list[str] = []

    def activate(name: str) -> None:
        names.append(name)
        control.fault(box, name)

    yield activate
    for name in names:
        control.fault(box, name, on=False)


def look(box: Box, *words: str) -> tuple[int, dict[str, dict[str, str]]]:
    done = inv(box, *words, "--json")
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, {f["subject"].rpartition(": ")[2]: f for f in json.loads(done.stdout)["findings"]}


def states(found: dict[str, dict[str, str]], state: str) -> set[str]:
    return {subject for subject, f in found.items() if f["state"] == state}


def test_a_complete_cluster_is_ok_and_a_check_changes_nothing(box):
    before = writes(box)
    code, found = look(box, "aks.check")
    assert (code, states(found, "ok")) == (0, set(found))
    assert look(box, "argo.check", WWW)[0] == 0
    assert inv(box, "aks.status").returncode == 0
    assert writes(box) == before


@pytest.mark.parametrize(
    ("fault", "missing"),
    [
        ("argo-missing", {"namespace argocd", "Argo CD"}),
        ("components-missing", {"Keycloak", "PostgreSQL (CNPG)", "Redis"}),
        ("quota-missing", {"quota"}),
        ("manager-missing", {"traffic manager"}),
        ("manager-old", {"traffic manager"}),
        ("registry-role", {"registry pull", "registry push"}),
        ("pools-dear", {"spot nodes", "B-series nodes", "autoscaling"}),
    ],
)
def test_each_defect_of_the_cluster_is_reported(box, activate_fault, fault, missing):
    activate_fault(fault)
    code, found = look(box, "aks.check")
    assert states(found, "missing") >= missing
    assert states(found, "missing") - missing <= {"registry login"}
    assert code == 1
    assert all(found[subject]["fix"] for subject in missing)
    assert inv(box, "aks.check", "--check").returncode == 2


@pytest.mark.parametrize(
    ("fault", "unknown"),
    [
        ("platform-unreadable", {"Argo CD", "Envoy Gateway"}),
        ("rbac-manager", {"traffic manager"}),
        ("labels-unreadable", {f"namespace {SETTINGS.cluster.namespace}"}),
        ("api-refused", {"API server", "quota", "Keycloak"}),
        ("login-70043", {"power", "registry login", "registry pull"}),
    ],
)
def test_unreadable_parts_are_unknown_not_missing(box, activate_fault, fault, unknown):
    activate_fault(fault)
    code, found = look(box, "aks.check")
    assert states(found, "unknown") >= unknown
    assert not states(found, "missing")
    assert code == 1


def test_without_a_role_each_right_is_missing(box, activate_fault):
    activate_fault("rbac")
    _, found = look(box, "aks.check")
    assert {s for s in states(found, "missing") if s.startswith("may ")} == {
        "may create deployments", "may create httproutes", "may delete pods", "may create pods/portforward", "may get secrets"}  # fmt: skip


def test_a_full_quota_is_a_warning(box, activate_fault):
    activate_fault("quota-full")
    assert look(box, "aks.check")[1]["quota"]["state"] == "warn"


@pytest.mark.parametrize(
    ("fault", "subject", "word"),
    [
        ("argo-wide-rule", "ignore rule", "wide"),
        ("argo-no-rule", "ignore rule", "none"),
        ("argo-drift", "sync policy", "OutOfSync"),
        ("agent-orphaned", "traffic agent", "orphaned"),
        ("agent-wrong-manager", "traffic agent", "wrong manager namespace"),
    ],
)
def test_defects_of_argo_and_agents_are_distinguished(box, activate_fault, fault, subject, word):
    activate_fault(fault)
    code, found = look(box, "argo.check", WWW)
    assert states(found, "missing") == {subject}
    assert word in found[subject]["text"]
    assert code == 1


def test_the_patch_for_gitops_can_be_pasted(box, activate_fault):
    activate_fault("argo-wide-rule")
    out = inv(box, "argo.check", WWW).stdout
    patch = next(p for p in yaml.safe_load_all(out[out.index("# merge patch") : out.index("# pod template")]) if p)
    pointers = [p for rule in patch["spec"]["ignoreDifferences"] for p in rule["jsonPointers"]]
    assert "/spec/template/metadata/annotations/telepresence.io~1restartedAt" in pointers
    assert "/spec/template/metadata/annotations" not in pointers


def test_without_a_service_all_are_checked_with_few_requests(box):
    before = len(box.calls("kubectl"))
    document = json.loads(inv(box, "argo.check", "--json").stdout)
    assert len({f["subject"].partition(":")[0] for f in document["findings"]}) > 5
    assert len([c for c in box.calls("kubectl")[before:] if c["argv"][-1] == "json"]) < 6


def test_a_service_is_found_by_any_name_and_an_unknown_one_names_the_nearest(box):
    assert look(box, "argo.check", "www_ameide_platform")[1]["owner"]["state"] == "ok"
    done = inv(box, "argo.check", "www-ameide-platfrom")
    assert done.returncode == 1
    assert WWW in done.stderr


def test_a_developer_without_rights_learns_each_right_before_there_is_a_kubeconfig():
    sandbox = control.up()
    try:
        control.fault(sandbox, "rbac")
        setup = inv(sandbox, "setup")
        assert setup.returncode == 3
        assert "inv aks.check lists each right" in setup.stderr
        before = tree(sandbox)
        code, found = look(sandbox, "aks.check")
        assert code == 1
        assert found["API server"]["state"] == "ok"
        rights = {subject: f for subject, f in found.items() if subject.startswith("may ")}
        assert len(rights) >= 5
        assert all(f["state"] == "missing" and "ask for" in f["fix"] for f in rights.values()), rights
        assert not [f for f in found.values() if re.search(r"aks\.(credentials|check)", f.get("fix", ""))]
        assert tree(sandbox) == before, "a file was left behind"
    finally:
        control.down(sandbox)


def tree(sandbox: Box) -> set[str]:
    """The kubeconfigs below the sandbox's HOME and state folder."""
    return {str(p) for p in sandbox.path.rglob("*") if p.name in {"config", "kubeconfig"} and "az" not in str(p.parent)}


def test_stop_and_start_need_confirmation_and_happen_once(box):
    refused = inv(box, "aks.stop")
    assert refused.returncode == 1
    assert "inv aks.stop --yes" in refused.stderr
    assert inv(box, "aks.stop", "--yes").returncode == 0
    assert "Stopped" in inv(box, "aks.status").stdout
    assert "nothing to do" in inv(box, "aks.stop", "--yes").stdout
    assert inv(box, "aks.start", "--check").returncode == 2
    assert inv(box, "aks.start", "--yes").returncode == 0
    assert json.loads(inv(box, "aks.status", "--json").stdout)["power"] == "Running"


def test_a_cluster_in_which_a_colleague_intercepts_is_stopped_only_by_its_name(box):
    colleague = control.as_user(box, "colleague")
    steps = ("setup", "--only", "login", "--only", "credentials", "--only", "kubelogin")
    assert inv(box, *steps, env=colleague).returncode == 0
    made = inv(box, "intercept", WWW, "--no-run", "--port", str(ports.free()), env=colleague)
    assert made.returncode == 0, made.stderr
    refused = inv(box, "aks.stop", "--yes")
    assert refused.returncode == 3
    assert f"intercepts {WWW}" in refused.stderr
    assert f"inv aks.stop --confirm {SETTINGS.cluster.name}" in refused.stderr
    assert json.loads(inv(box, "aks.status", "--json").stdout)["power"] == "Running"
    assert inv(box, "down", env=colleague).returncode == 0
    assert "intercepts" not in inv(box, "aks.stop", "--dry-run").stderr


ASKING = (
    ("setup", "--only", "login", "--only", "credentials", "--only", "kubelogin", "--only", "access"),
    ("tilt.up", "--only", "graph"),
    ("tilt.ci", "--only", "graph"),
    ("tilt.status",),
    ("tilt.down",),
    ("aks.check",),
    ("argo.check",),
)


@pytest.mark.parametrize("fault", ["api-refused", "dns", "cluster-stopped"])
def test_what_could_not_look_exits_with_1_and_names_a_fix_in_every_task(fault):
    sandbox = control.up()
    try:
        control.give_kubeconfig(sandbox)
        steps = ("setup", "--only", "login", "--only", "credentials", "--only", "kubelogin")
        assert inv(sandbox, *steps).returncode == 0
        control.fault(sandbox, fault)
        ended = {words: inv(sandbox, *words) for words in ASKING}
        assert {words: done.returncode for words, done in ended.items()} == dict.fromkeys(ASKING, 1)
        for words, done in ended.items():
            assert "fix: " in done.stdout + done.stderr, (words, done.stdout, done.stderr)
    finally:
        control.down(sandbox)


def test_production_is_never_stopped(box, activate_fault):
    named = inv(box, "aks.stop", "--yes", env={"REMOTE_DEV_CLUSTER__NAME": "some-prod-aks"})
    activate_fault("production-labels")
    labelled = inv(box, "aks.stop", "--yes")
    assert (named.returncode, labelled.returncode) == (3, 3)
    assert json.loads(inv(box, "aks.status", "--json").stdout)["power"] == "Running"


def test_a_hanging_program_ends_at_its_deadline(box, activate_fault):
    activate_fault("hanging-az")
    done = inv(box, "aks.status", env={"REMOTE_DEV_DEADLINES__AZ": "1"})
    assert done.returncode == 1
    assert "no answer in 1 s" in done.stderr
