"""Deletion is closed under need: nothing that remains refers to something that is deleted."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migration.deletion.in_use import check_references
from migration.deletion.verdicts import ProofKind, Verdicts
from migration.git.objects import SYMLINK, Blobs, Entry, Git, Tree
from migration.mapping import ReferenceRules, covering
from migration.references.search import References
from tests.migration.references.reference_graphs import AREAS, ISLAND, LINK, Graph, generate


@dataclass
class Outcome:
    """What a review of references decided."""

    deleted: set[str]
    verdicts: Verdicts


def review(
    texts: dict[str, str],
    areas: tuple[str, ...],
    *,
    doomed: set[str],
    blocked: set[str] = frozenset(),  # type: ignore[assignment]
    barred: set[str] = frozenset(),  # type: ignore[assignment]
    accept: tuple[str, ...] = (),
) -> Outcome:
    """Review the deletion of these files in a repository in memory. blocked: those without a proof"""
    blobs, files = Blobs(Git(None)), {}  # type: ignore[arg-type]  # no git runs: every blob is planned
    for path, text in texts.items():
        mode, data = (SYMLINK, text.removeprefix(LINK)) if text.startswith(LINK) else ("100644", text)
        files[path] = Entry(mode, blobs.plan(data.encode(), 40))
    tree = Tree(files, {})
    core = SimpleNamespace(tree=tree, blobs=blobs, facts=SimpleNamespace(tree=tree))
    mapping = SimpleNamespace(references=ReferenceRules(listed=["**/*.md"]))
    simulation = SimpleNamespace(
        core=core, mapping=mapping, own=frozenset(), accepted=lambda path: any(covering(a)(path) for a in accept)
    )
    verdicts = Verdicts()
    for path in sorted(doomed - blocked):
        verdicts.prove(path, ProofKind.SUPERSEDED, "superseded")
    check_references(simulation, References(simulation, areas), doomed, set(barred), verdicts)  # type: ignore[arg-type]
    return Outcome(set(verdicts.proofs) - barred, verdicts)


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(st.integers(0, 2**32))
def test_nothing_that_remains_refers_to_something_deleted(seed: int):
    random = Random(seed)
    graph = generate(random)
    doomed = graph.doomed
    blocked = {path for path in sorted(doomed) if random.random() < 0.05 and not path.startswith(ISLAND)}
    outcome = review(graph.texts, AREAS, doomed=doomed, blocked=blocked)
    needed = graph.closure((graph.texts.keys() - doomed) | blocked)
    assert explain(graph, needed & outcome.deleted) == []
    assert {path for path in doomed if path.startswith(ISLAND)} <= outcome.deleted


def explain(graph: Graph, lost: set[str]) -> list[str]:
    """Who needs the lost files, with the text that says so."""
    return [
        f"{path} <- {other}: {graph.texts[other]!r}"
        for path in sorted(lost)
        for other in graph.needs
        if path in graph.needed_by(other)
    ]


def doomed_of(texts: dict[str, str], area: str) -> set[str]:
    return {path for path in texts if path.startswith(area)}


@pytest.mark.parametrize(
    ("reader", "text", "target"),
    [
        ("a/over/kustomization.yaml", "resources:\n  - ../b/x.yaml\n", "a/b/x.yaml"),
        ("a/over/kustomization.yaml", "resources:\n  - base\n", "a/over/base/y.yaml"),
        ("a/run.sh", 'source "$(dirname "$0")/common.sh"\n', "a/common.sh"),
        ("a/run.sh", ". ./lib.sh\n", "a/lib.sh"),
        ("a/run.sh", "source lib.sh\n", "a/lib.sh"),
        ("a/run.sh", "source lib\n", "a/lib"),
        ("a/run.sh", 'for f in "$(dirname "$0")"/parts/*.sh; do . "$f"; done\n', "a/parts/one.sh"),
        ("a/chart/Chart.yaml", "dependencies:\n- repository: file://../global\n", "a/global/Chart.yaml"),
        ("a/chart/templates/x.yaml", '{{ .Files.Get "files/x.json" }}\n', "a/chart/files/x.json"),
        ("a/chart/templates/x.yaml", "kind: A\n", "a/chart/templates/_helpers.tpl"),
        ("a/chart/templates/x.yaml", "kind: A\n", "a/chart/Chart.yaml"),
        ("a/mod/main.tf", "x = var.y\n", "a/mod/variables.tf"),
        ("a/mod/main.tf", 'module "x" { source = "../" }\n', "a/main.tf"),
        ("a/pkg/one.go", "package pkg\n", "a/pkg/two.go"),
        ("a/pkg/one.go", "//go:embed page.html\n", "a/pkg/page.html"),
        ("a/pkg/one.go", "//go:embed pages\n", "a/pkg/pages/a.html"),
        ("app/main.go", 'import "host.test/owner/name/a/pkg"\n', "a/pkg/two.go"),
        ("a/one.py", "import helper\n", "a/helper.py"),
        ("a/one.py", "from . import (\n    other,\n    helper,\n)\n", "a/helper.py"),
        ("a/sub/one.py", "from ..helper import x\n", "a/helper.py"),
        ("a/sub/one.py", "x = 1\n", "a/sub/__init__.py"),
        ("a/one.ts", "import x from './two'\n", "a/two.tsx"),
        ("a/one.ts", "import x from './two.js'\n", "a/two.ts"),
        ("a/one.ts", "import x from './two'\n", "a/two/index.ts"),
        ("a/Makefile", "include rules\n", "a/rules"),
        ("services/x/Dockerfile", "COPY a/conf.d /etc/\n", "a/conf.d/x"),
        ("a/svc/Dockerfile", "COPY common/x.py /\n", "a/common/x.py"),
        ("a/infra.bicep", "module x './net.bicep' = {\n", "a/net.bicep"),
        (".github/workflows/ci.yml", "uses: ./a/action\n", "a/action/action.yml"),
        ("a/package.json", '{"workspaces": ["one", "two"]}', "a/two/package.json"),
        ("a/x.sh", 'DIR=parts\ncat "$DIR/one.txt"\n', "a/parts/one.txt"),
        ("a/s/x.sh", '. "$(cd "$(dirname "${BASH_SOURCE[0]}")/.." >/dev/null 2>&1 && pwd)/lib.sh"\n', "a/lib.sh"),
        ("a/x.sh", ". `dirname $0`/lib.sh\n", "a/lib.sh"),
        ("a/action.yml", "run: ${{ github.action_path }}/lib.sh\n", "a/lib.sh"),
        ("a/one.go", "//go:embed *.sql\n", "a/x.sql"),
        ("a/run.sh", "for f in *.yaml; do cat $f; done\n", "a/x.yaml"),
        ("a/run.sh", "curl -d @body.json host\n", "a/body.json"),
        ("a/run.sh", 'source "my lib.sh"\n', "a/my lib.sh"),
        ("x.sh", 'bash "a/x y.sh"\n', "a/x y.sh"),
        ("x.sh", "bash a/x\\ y.sh\n", "a/x y.sh"),
        ("x.yaml", "path: a/x y.yaml\n", "a/x y.yaml"),
        ("x.sh", 'bash "a/x(1).sh"\n', "a/x(1).sh"),
        ("x.sh", 'bash "a/x,y.sh"\n', "a/x,y.sh"),
        ("x.sh", 'bash "a/x&y.sh"\n', "a/x&y.sh"),
        ("a/one.py", 'HERE = Path(__file__).parent\n(HERE / "data" / "x.json").read_text()\n', "a/data/x.json"),
        ("a/one.go", 'filepath.Join("testdata", "x.json")\n', "a/testdata/x.json"),
        ("a/one.py", 'importlib.import_module("sub.helper")\n', "a/sub/helper.py"),
        ("a/one.py", "try: import helper\nexcept ImportError: pass\n", "a/helper.py"),
        ("a/m/terragrunt.hcl", 'include "root" { path = find_in_parent_folders() }\n', "a/terragrunt.hcl"),
    ],
)
def test_what_a_blocked_or_kept_file_needs_stays(reader: str, text: str, target: str):
    texts = {"a/chart/Chart.yaml": "", "a/other/unrelated.bin": "", target: "x\n", reader: text}
    doomed = doomed_of(texts, "a/")
    outcome = review(texts, ("a/",), doomed=doomed, blocked={reader} & doomed)
    assert target not in outcome.deleted
    assert "a/other/unrelated.bin" in outcome.deleted


@pytest.mark.parametrize(
    ("reader", "text"),
    [
        ("a/run.sh", "echo scripts and config\n"),
        ("a/values.yaml", "name: scripts\nconfig: {}\n"),
        ("a/run.sh", "# source common.sh\n"),
        ("a/README.md", "see common.sh and scripts/x.sh\n"),
        ("a/.gitignore", "common.sh\nscripts/\n"),
        ("app/run.sh", "source common.sh; cat config/x.json\n"),
        ("app/x.py", "import config\nscripts = common.sh\n"),
        ("app/x.ts", "import config from './config'\n"),
    ],
)
def test_a_common_word_and_a_name_elsewhere_keep_nothing(reader: str, text: str):
    texts = {reader: text, "a/common.sh": "", "a/scripts/x.sh": "", "a/config/x.json": ""}
    doomed = doomed_of(texts, "a/")
    outcome = review(texts, ("a/",), doomed=doomed, blocked={reader} & doomed)
    assert outcome.deleted == doomed - {reader}


def test_what_a_waiting_step_would_delete_remains_and_keeps_what_it_needs():
    texts = {"tilt/layers.tilt": "k8s_yaml('../infra/helmfiles/a.yaml')\n", "infra/helmfiles/a.yaml": "", "infra/b": ""}
    doomed = set(texts)
    outcome = review(texts, ("infra/", "tilt/layers.tilt"), doomed=doomed, barred={"tilt/layers.tilt"})
    assert outcome.deleted == {"infra/b"}


def test_only_accepting_the_file_that_holds_a_reference_waives_it():
    texts = {"app/run.sh": "bash a/x.sh\n", "a/x.sh": ""}
    for accept, deleted in (((), set()), (("a/x.sh",), set()), (("app/run.sh",), {"a/x.sh"})):
        assert review(texts, ("a/",), doomed={"a/x.sh"}, accept=accept).deleted == deleted
    (block,) = review(texts, ("a/",), doomed={"a/x.sh"}).verdicts.blocks["a/x.sh"]
    assert block.fix.endswith("--accept app/run.sh")
