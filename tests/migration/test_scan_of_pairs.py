"""The scan of the repositories as they were, and of pairs with faults."""

from __future__ import annotations

from collections.abc import Callable

from migration.scan.cli import made_for
from sandbox.legacy.faults_scan import CI_CLUSTERS, PUBLISHED
from tests.migration.conftest import Pair
from tests.migration.scan_repository import paths, values


def test_what_makes_clusters_in_ci_is_listed_by_the_scan_and_by_the_plan(pair: Callable[..., Pair]):
    repos = pair("ci-clusters")
    listed = "\n".join(made_for(str(repos.core)).proposal.person)
    notes = next(result for result in repos.plan((4,)).results if result.key == "RF-44").notes
    for path in CI_CLUSTERS:
        assert path in listed, path
        assert any(note.startswith(path) for note in notes), path


def test_the_step_that_lists_them_changes_and_blocks_nothing(pair: Callable[..., Pair]):
    result = next(result for result in pair("ci-clusters").plan((4,)).results if result.key == "RF-44")
    assert result.state == "done"
    assert (result.changes, result.blocks) == ((), ())
    assert result.notes[0].split()[1] == "places"


def test_words_in_code_and_documents_change_no_proposal(pair: Callable[..., Pair]):
    plain = made_for(str(pair().core)).proposal
    decoys = made_for(str(pair("cluster-decoys").core)).proposal
    assert decoys.mapping == plain.mapping
    assert decoys.services == plain.services
    assert decoys.person == plain.person


def test_a_chart_that_a_release_packages_stays(pair: Callable[..., Pair]):
    found = made_for(str(pair("published-chart").core)).proposal
    folder = f"{PUBLISHED.partition('/')[0]}/"
    assert paths(found, "kept")[folder] == "sure"
    assert folder not in paths(found, "moves")
    assert ".github/workflows/release-client.yml:4" in next(
        row.evidence[0] for row in found.rows("kept") if row.value["path"] == folder
    )


def test_what_the_pair_has_of_the_local_cluster_is_found(pair: Callable[..., Pair]):
    found = made_for(str(pair().core)).proposal
    assert {"infra/docker/local/k3d.yaml", "scripts/infra/ensure-k3d-cluster.sh"} <= paths(found, "superseded").keys()
    assert "k3d-ameide" in values(found, "tiltfile.local")
    assert "localhost:5001" in values(found, "tiltfile.local")
    assert values(found, "dev_container.drop_features") == ["/k3d(:|$)"]
    assert values(found, "post_create.path") == [".devcontainer/postCreate.sh"]
    assert {"infra/argocd/", "infra/azure/", "infra/bicep/"} <= paths(found, "moves").keys()
