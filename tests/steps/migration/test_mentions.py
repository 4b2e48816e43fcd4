"""Paths that texts mention."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.steps.migration.mentions import Words, mentions

WORDS = Words(
    ("/kubernetes", "'kubernetes", '"kubernetes', "k3d.sh", "infra/", "'infra'", '"infra"'),
    ("infra", ".devcontainer/lib"),
)


def found(path: str, text: str, *, comment: bool = False) -> set[str]:
    return {m.pattern for m in mentions(path, text.encode(), WORDS) if m.comment == comment}


@pytest.mark.parametrize(
    ("path", "text", "pattern"),
    [
        ("a.sh", "bash infra/kubernetes/x.sh", "infra/kubernetes/x.sh"),
        ("services/a/run.sh", 'source "$(dirname "$0")/../../infra/kubernetes/x.sh"', "infra/kubernetes/x.sh"),
        (
            "a.sh",
            'ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"\n"${ROOT}/infra/kubernetes/x"',
            "infra/kubernetes/x",
        ),
        ("a.sh", "INFRA_DIR=infra\n$INFRA_DIR/kubernetes/x.sh", "infra/kubernetes/x.sh"),
        ("a.sh", 'X="${X:-infra/kubernetes/x.sh}"', "infra/kubernetes/x.sh"),
        ("a.py", "os.path.join('infra', 'kubernetes', name)", "infra/kubernetes/*"),
        ("a.py", 'ROOT / "infra" / "kubernetes"', "infra/kubernetes"),
        ("Tiltfile", "local('infra/kubernetes/' + layer)", "infra/kubernetes/*"),
        ("a.yml", "paths: [infra/kubernetes/**]", "infra/kubernetes"),
        (".github/CODEOWNERS", "/infra/kubernetes/ @team", "infra/kubernetes"),
        ("Dockerfile", "COPY infra/kubernetes/x /x", "infra/kubernetes/x"),
        ("a.txt", "infra/{kubernetes,bicep}/x", "infra/kubernetes/x"),
        (".devcontainer/postCreate.sh", "source lib/k3d.sh", ".devcontainer/lib/k3d.sh"),
        ("a/go.js", "path.join(__dirname, '../infra/kubernetes')", "infra/kubernetes"),
        ("a.yml", "run: ${{ github.workspace }}/infra/kubernetes/x", "infra/kubernetes/x"),
    ],
)
def test_a_path_is_found(path: str, text: str, pattern: str):
    assert pattern in found(path, text)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.sh", "true # infra/kubernetes/x.sh"),
        ("a.go", "/* infra/kubernetes */ var x = 1"),
        ("a.py", '"""Once: infra/kubernetes."""'),
    ],
)
def test_a_comment_is_told_apart(path: str, text: str):
    assert not found(path, text)
    assert found(path, text, comment=True)


def test_an_url_is_no_path():
    assert not found("a.txt", "see https://example.test/infra/kubernetes/x")


def test_a_binary_file_mentions_nothing():
    assert mentions("a.bin", b"\0infra/kubernetes/x", WORDS) == []


@given(st.text(max_size=300), st.sampled_from(["a.sh", "a.py", "Tiltfile", "a.yaml", "a.ts", "CODEOWNERS", "a.md"]))
def test_no_text_breaks_the_reader(text: str, path: str):
    for mention in mentions(path, (text + " infra/kubernetes/x").encode("utf-8", "surrogatepass"), WORDS):
        assert not mention.pattern.startswith(("/", ".."))
