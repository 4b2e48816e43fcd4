"""Paths that text files refer to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from migration.references.path_scan import scan
from migration.references.search_terms import SearchTerms

WORDS = SearchTerms(
    ("/kubernetes", "'kubernetes", '"kubernetes', "k3d.sh", "infra/", "'infra'", '"infra"'),
    ("infra", ".devcontainer/lib"),
)


RICH = SearchTerms(
    ("/kubernetes", "'kubernetes", '"kubernetes', "\\kubernetes", "infra.kubernetes", "/bootstrap", "registry-gc.sh", "infra/", "'infra'", '"infra"', "/infra"),
    ("infra", "scripts", "tools"),
    emptied=("infra",),
    areas=("infra/kubernetes/", "scripts/registry-gc.sh", "tools/bootstrap/"),
    file_texts=("cd infra", "cd tools", "pushd tools", "cd scripts", "directory: infra", " infra", "=infra"),
    submodules=("gitops/x",),
)  # fmt: skip


def found(path: str, text: str, *, comment: bool = False) -> set[str]:
    return {m.pattern for m in scan(path, text.encode(), WORDS) if m.comment == comment}


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


def sure_by_path(path: str, text: str) -> dict[str, bool]:
    """The paths in code, and whether each is sure."""
    return {m.pattern: m.sure for m in scan(path, text.encode(), RICH) if not m.comment}


@pytest.mark.parametrize(
    ("path", "text", "pattern"),
    [
        # the file enters the folder first
        ("a.sh", "cd infra && ./kubernetes/x.sh", "infra/kubernetes/x.sh"),
        ("a.sh", 'cd "$ROOT/infra" || exit\nkubernetes/x.sh', "infra/kubernetes/x.sh"),
        ("a.sh", "pushd tools\nbash bootstrap/x.sh", "tools/bootstrap/x.sh"),
        ("a.sh", "(cd scripts && ./registry-gc.sh)", "scripts/registry-gc.sh"),
        ("Dockerfile", "WORKDIR /workspace/infra\nRUN bash kubernetes/x.sh", "infra/kubernetes/x.sh"),
        ("a.yml", "working-directory: infra\nrun: ./kubernetes/x.sh", "infra/kubernetes/x.sh"),
        ("a.py", 'run(["kubernetes/x.sh"], cwd="infra")', "infra/kubernetes/x.sh"),
        # the folder by itself
        ("a.sh", "cd infra", "infra"),
        ("Makefile", "\t$(MAKE) -C infra all", "infra"),
        ("a.yml", "working-directory: infra", "infra"),
        ("a.sh", "find infra -name x", "infra"),
        ("a.sh", "rm -rf ./infra", "infra"),
        ("a.sh", "test -d infra", "infra"),
        ("Dockerfile", "COPY infra /x", "infra"),
        (".github/dependabot.yml", 'directory: "/infra"', "infra"),
        # composed
        ("a.py", 'os.sep.join(["infra", "kubernetes"])', "infra/kubernetes"),
        ("a.py", '"/".join(("infra", "kubernetes"))', "infra/kubernetes"),
        ("a.py", 'Path("infra").joinpath("kubernetes", "x")', "infra/kubernetes/x"),
        ("a.py", 'Path("infra").rglob("*.sh")', "infra/**/*.sh"),
        ("a.rs", 'Path::new("infra").join("kubernetes")', "infra/kubernetes"),
        ("a.java", 'Paths.get("infra", "kubernetes")', "infra/kubernetes"),
        ("a.cs", 'Path.Combine("infra", "kubernetes")', "infra/kubernetes"),
        ("a.py", '"%s/infra/kubernetes" % root', "infra/kubernetes"),
        ("a.tpl", '{{ printf "%s/infra/kubernetes" .root }}', "infra/kubernetes"),
        ("a.sh", 'DIR=infra\nSUB=kubernetes\nls "$DIR/$SUB"', "infra/kubernetes"),
        ("a.sh", "L=tools; for m in a b; do . $L/bootstrap/$m.sh; done", "tools/bootstrap/*.sh"),
        # in other spellings
        ("a.ps1", "& .\\infra\\kubernetes\\x.ps1", "infra/kubernetes/x.ps1"),
        ("a.toml", 'path = "infra\\\\kubernetes"', "infra/kubernetes"),
        ("a.sed", "s#infra\\/kubernetes#x#", "infra/kubernetes"),
        ("a.yaml", "files: ^infra/kubernetes/.*\\.sh$", "infra/kubernetes/**.sh"),
        ("a.ipynb", '"!bash infra/kubernetes/x.sh\\n"', "infra/kubernetes/x.sh"),
        ("a.sh", "/workspace/infra/kubernetes/x.sh", "infra/kubernetes/x.sh"),
        ("a.sh", "~/core/infra/kubernetes/x.sh", "infra/kubernetes/x.sh"),
        ("q/a.ts", 'import x from "../infra/kubernetes/x"', "infra/kubernetes/x.*"),
        ("a.py", "from infra.kubernetes.x import y", "infra/kubernetes/x.py"),
        ("a.sh", "python -m infra.kubernetes.x", "infra/kubernetes/x.py"),
        # comments that a compiler reads
        ("a/b.go", "//go:embed ../infra/kubernetes/x", "infra/kubernetes/x"),
        ("a/b.ts", '/// <reference path="../infra/kubernetes/x.d.ts" />', "infra/kubernetes/x.d.ts"),
    ],
)
def test_other_spellings_of_a_path_are_found(path: str, text: str, pattern: str):
    assert pattern in sure_by_path(path, text)


@pytest.mark.parametrize("text", ["DIR=infra", '["infra"]', "exclude: infra", "- infra"])
def test_a_word_that_may_be_the_folder_is_a_guess(text: str):
    assert sure_by_path("a.yaml", text) == {"infra/*": False}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", "infra = load()"),
        ("a.py", "self.infra.kubernetes(x)"),
        ("a.md", "we build infra for the infra team: infra"),
        ("a.yaml", "infra:\n  - changed"),
        ("a.sh", "echo about infrastructure, infra-team and my infra"),
        ("a.sh", "# cd infra\ntrue"),
        ("a.sh", "cd infra-tools && ls"),
        ("a.sh", "cd /src/gitops/x/infra && ls"),
        ("a.sh", "/src/gitops/x/infra/kubernetes/x.sh"),
        ("a.sh", "cd tools && echo bootstrap done"),
    ],
)
def test_other_words_are_not_taken_for_the_folder(path: str, text: str):
    assert [p for p in sure_by_path(path, text) if p.startswith(("infra", "tools/bootstrap"))] == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.sh", "true # infra/kubernetes/x.sh"),
        ("a.go", "/* infra/kubernetes */ var x = 1"),
        ("a.py", '"""Once: infra/kubernetes."""'),
    ],
)
def test_a_path_in_a_comment_is_marked_as_such(path: str, text: str):
    assert not found(path, text)
    assert found(path, text, comment=True)


def test_a_url_is_not_a_path():
    assert not found("a.txt", "see https://example.test/infra/kubernetes/x")


def test_a_binary_file_has_no_paths():
    assert scan("a.bin", b"\0infra/kubernetes/x", WORDS) == []


@given(st.text(max_size=300), st.sampled_from(["a.sh", "a.py", "Tiltfile", "a.yaml", "a.ts", "CODEOWNERS", "a.md"]))
def test_any_text_can_be_scanned(text: str, path: str):
    for scanned in scan(path, (text + " infra/kubernetes/x").encode("utf-8", "surrogatepass"), WORDS):
        assert not scanned.pattern.startswith(("/", ".."))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_that_windows_wrote_as_utf_16_is_read(encoding: str):
    mark = {"utf-16-le": "\ufeff", "utf-16-be": "\ufeff"}.get(encoding, "")
    data = f"{mark}& infra/kubernetes/x.ps1\r\n".encode(encoding)
    assert {one.pattern for one in scan("a.ps1", data, WORDS)} == {"infra/kubernetes/x.ps1"}


def test_a_line_of_many_letters_ends():
    line = "infra/" + "a" * 300_000 + ' + "b" / ' * 3
    assert scan("a.min.js", line.encode(), RICH) is not None
