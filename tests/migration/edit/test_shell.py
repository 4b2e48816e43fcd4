"""The old start script: what is the team's stays or is named, whatever it is wrapped in."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import pytest

from migration import cli as tasks_of
from migration.edit.shell import statements
from migration.edit.shell_choice import Chosen, choose
from migration.edit.shell_commands import commands
from migration.phases.post_create import chosen_from, kept_file
from tests.migration.conftest import Pair, blocks, code_of

LOCAL, OURS = re.compile("k3d|K3D"), re.compile("^set -", re.MULTILINE)


def chosen(script: str) -> Chosen:
    return choose(statements(script), LOCAL, OURS)


def lost(script: str) -> list[str]:
    return [line.text for line in chosen(script).lost]


@pytest.mark.parametrize(
    "script",
    [
        "if ! have k3d; then\n  curl k3d | bash\n  TEAM\nfi",
        'if [ "$MODE" = k3d ]; then\n  k3d up\nelse\n  TEAM\nfi',
        'if [ "$MODE" = k3d ]; then k3d up; elif true; then TEAM; fi',
        "for d in services/*; do\n  TEAM\n  k3d image import x\ndone",
        "while k3d node list; do (cd x && TEAM); done",
        'case "$1" in\n  k3d | local) k3d up ;;\n  *) TEAM ;;\nesac',
        "{ k3d up; TEAM; }",
        "[ -f .env ] && k3d up && TEAM",
        "k3d list || TEAM",
        "TEAM; k3d up",
        "set -e; TEAM",
        'x="$(k3d "$(y)")" && TEAM # k3d',
        "if k3d list; then\n  cat > k3d.yaml <<EOF\nfi x\nEOF\n  TEAM\nfi",
        "setup() {\n  if k3d list; then TEAM; fi\n}\nsetup",
        "setup()\n{\n  if k3d list; then TEAM; fi\n}\nsetup",
        "function setup {\n  k3d up && TEAM\n}\nsetup",
        "k3d up \\\n  --wait && TEAM",
        "if k3d list; then echo $((1 << 2)); TEAM; fi",
    ],
)
def test_a_line_of_the_team_beside_the_local_cluster_is_named(script: str):
    assert lost(script.replace("TEAM", "./team.sh --all")) == ["./team.sh --all"]


def test_a_text_that_names_the_local_cluster_does_not_take_the_command_with_it():
    assert lost("cat >> ~/.bashrc <<RC\nexport A=1\nalias k=k3d\nRC") == ["cat >> ~/.bashrc <<RC"]


@pytest.mark.parametrize(
    "script",
    [
        'if have k3d; then\n  log "k3d: $(k3d version)"\n  return 0\nfi',
        'k3d up || echo "k3d does not start" >&2',
        "if ! k3d list 2>/dev/null; then x=1; k3d up; sleep 1; fi",
        "for i in 1 2; do k3d node list && break; done",
    ],
)
def test_what_only_talks_or_looks_goes_with_it(script: str):
    assert lost(script) == []


@pytest.mark.parametrize("script", ["x=$((1 << 2))\nnpm ci\nk3d up", "((y << 3))\nnpm ci\nk3d up\n"])
def test_a_shift_is_no_here_document(script: str):
    assert [s.code for s in chosen(script).kept if s.code == "npm ci"] == ["npm ci"]


@pytest.mark.parametrize("head", ["main()", "function main", "function main()", "main ( )"])
def test_a_function_with_its_bracket_in_the_next_line_is_one(head: str):
    found = statements(f"{head}\n{{\n  npm ci\n}}\nmain\n")
    assert [s.function for s in found] == ["main", ""]


def test_commands_are_split_where_the_shell_splits_them():
    script = 'a "x;y" | b; c &\n(d >&2)\nfor i in 1 2; do e "${i%;}"; done # f\ng <<X && h\nfi; k\nX\ni=(1 2)\n'
    assert [command.text.strip() for s in statements(script) for command in commands(s)] == [
        'a "x;y" | b', "c", "d >&2", 'e "${i%;}"', "g <<X", "h", "i=(1 2)",
    ]  # fmt: skip


def test_what_is_kept_is_a_script_and_stands_behind_what_was_there():
    found = chosen("one() (\n  npm ci\n)\none\nk3d up\ngo env\n")
    text = kept_file(found, "x", b"#!/bin/bash\ngo env\n./mine.sh\n").decode()
    assert text.startswith("#!/bin/bash\ngo env\n./mine.sh\n")
    assert text.count("go env") == 1
    assert "npm ci" in text
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)


HERE_DOCUMENT_IN_SUBSTITUTION = "x=$(cat <<EOF\nit's here\nEOF\n)\nk3d up\npnpm run team-thing\n"


def kept(script: str) -> list[str]:
    return [s.code for s in chosen(script).kept]


def file_of(script: str, existing: bytes | None = None) -> str:
    return kept_file(chosen(script), "old.sh", existing).decode()


def test_an_apostrophe_in_a_here_document_in_a_substitution_ends_with_it():
    assert kept(HERE_DOCUMENT_IN_SUBSTITUTION) == ["x=$(cat <<EOF\nit's here\nEOF\n)", "pnpm run team-thing"]
    assert "pnpm run team-thing" in file_of(HERE_DOCUMENT_IN_SUBSTITUTION)


@pytest.mark.parametrize(
    "team",
    [
        "cat >.env <<EOF\nA=1\nEOF",
        "if true; then\n  A=1\n  npm ci\nfi",
        'cd "$REPO_ROOT" && npm ci',
        "A=1 npm ci",
        "x=$(npm ci)",
        "export A=1",
    ],
)
def test_what_only_looks_like_a_definition_is_kept(team: str):
    assert team in file_of(f'cd "$REPO_ROOT"\n{team}\nk3d up\n')


def test_definitions_alone_need_no_file_but_the_file_of_the_team_stays():
    script = 'A=1\nlog() { echo "$A"; }\ncd /x\nk3d up\n'
    assert file_of(script) == ""
    assert file_of(script, b"./mine.sh\n") == "./mine.sh\n"


@pytest.mark.parametrize(
    "code",
    [
        "[ a -o b ]\n./team.sh >x\n[ c ]",  # read as one command
        "cat <<EOF ||\nx\nEOF\n./team.sh",  # the text is read as commands
        "cat <<EOF\n  EOF\n./team.sh\nEOF",  # the text ends too early
        "./team.sh <<A <<'B'\nit's\nA\nit's\nB",
        "cat <<EOF; ./team.sh\nit's\nEOF",
        "x=1 y=\n\nfor i in $f; do ./team.sh; done",  # the head of the loop is read as a command
    ],
)
def test_what_the_parser_reads_in_another_way_than_bash_is_not_taken_apart(code: str):
    assert code in file_of(f"{code}\nk3d up\n")
    lines = ["if true; then", *code.split("\n"), "k3d up", "fi"]
    assert [(x.place, x.readable) for x in chosen("\n".join(lines)).lost] == [(f"1-{len(lines)}", False)]


def test_what_bash_cannot_read_blocks_as_a_whole_when_it_names_the_local_cluster():
    script = "npm ci\nif true; then\n  ./team.sh\n"
    assert kept(script) == ["npm ci", "if true; then\n  ./team.sh"]
    assert [(x.place, x.readable) for x in chosen(f"{script}k3d up\n").lost] == [("2-4", False)]
    assert kept(f"{script}k3d up\n") == ["npm ci"]


def test_a_line_separator_of_unicode_ends_no_line_and_crlf_does():
    assert kept("echo 'a\u2028k3d b'\r\nnpm ci \\\r\n  --x\r\n") == ["npm ci \\\n  --x"]


@pytest.mark.parametrize(
    "variable", ["LC_ALL=xx_XX.UTF-8", "BASH_ENV=/dev/stdin", "SHELLOPTS=xtrace", "POSIXLY_CORRECT=1"]
)
def test_the_environment_does_not_change_how_a_script_is_read(variable: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(*variable.split("=", 1))
    statements.cache_clear()
    assert [s.root is None for s in statements("npm ci\ncat <(ls)\n")] == [False, False]


def test_a_comment_about_the_local_cluster_does_not_take_the_command_with_it():
    assert kept("npm ci # no k3d\nk3d up") == ["npm ci # no k3d"]


def test_a_word_that_is_the_name_of_a_dropped_function_is_no_call_of_it():
    assert kept("setup() {\n  k3d up\n}\nsetup\nnpm run setup\n") == ["npm run setup"]


def test_what_calls_a_dropped_function_through_others_is_dropped():
    script = "up() {\n  k3d up\n}\nmain() {\n  up\n  npm ci\n}\nretry() { \"$@\"; }\nretry main\ntrap 'up' EXIT\n"
    assert kept(script) == []
    assert [line.text for line in chosen(script).calls] == ["npm ci"]


def test_lines_of_a_dropped_function_stay_where_it_was_called():
    script = "f() {\n  k3d up\n  npm ci\n}\ngo env\nf\nnpm test\n"
    assert file_of(script).splitlines()[-3:] == ["go env", "npm ci", "npm test"]


@pytest.mark.parametrize("line", ['npm ci --prefix "$dir"', 'npm ci "$1"', "npm ci || return"])
def test_a_line_that_needs_its_function_is_named(line: str):
    assert lost(f"f() {{\n  local dir=x\n  k3d up\n  {line}\n}}\nf\n") == [line]


def test_a_kept_line_keeps_the_variables_and_functions_that_it_needs():
    script = "K3D_A=1\nB=$K3D_A\nC=1\nk3d up $C\nPATH=$PATH:x\nlog() { echo $B; }\nwarn() { log; }\nwarn\n"
    assert kept(script) == ["K3D_A=1", "B=$K3D_A", "PATH=$PATH:x", "log() { echo $B; }", "warn() { log; }", "warn"]
    assert [s.code for s in chosen(script).unused] == ["C=1"]


@pytest.mark.parametrize("path", ['"$DIR/lib/k3d.sh"', "lib/k3d.sh", '"$(dirname "$0")"/../.devcontainer/lib/k3d.sh'])
def test_a_kept_line_keeps_the_file_with_the_function_that_it_calls(path: str):
    files = {".devcontainer/lib/k3d.sh": b"require() {\n  k3d version\n}\n"}
    script = f"source {path}\n. other-k3d.sh\nrequire || exit 1\nk3d up\n".encode()
    found = chosen_from(script, ".devcontainer/postCreate.sh", ["k3d"], [], files.get)
    assert [s.code for s in found.kept] == [f"source {path}", "require || exit 1"]


@pytest.mark.parametrize("team", ["npm ci && k3d up", "k3d up; npm ci", "cd x\nnpm ci\nk3d up"])
@pytest.mark.parametrize("shell", ["bash -c", "sh -ec", "sudo bash -lc", "eval", "su dev -c"])
def test_a_command_in_a_text_for_another_shell_is_named(shell: str, team: str):
    assert lost(f"{shell} '{team}'\n") == [f"{shell} '{team}'".partition("\n")[0]]
    assert lost(f"{shell} 'k3d up && k3d down'\n") == []


FILES = {
    ".devcontainer/lib/helm.sh": b'helm_require_v3() { [ -n "$HELM_BIN" ]; }\nHELM_BIN=helm\n',
    ".devcontainer/lib/all.sh": b'. "$(dirname "${BASH_SOURCE[0]}")/helm.sh"\nrequire() { k3d_version; }\n',
    ".devcontainer/lib/k3d.sh": b"k3d_version() { k3d version; }\n",
}


def with_files(script: str) -> Chosen:
    return chosen_from(script.encode(), ".devcontainer/postCreate.sh", ["k3d", r"\bhelm\b"], [], FILES.get)


@pytest.mark.parametrize(
    "script",
    [
        'source "$D/lib/helm.sh"\nhelm_require_v3\n',
        'source "$D/lib/helm.sh"\necho "$HELM_BIN" >~/helm_bin\n',
        '[ -f "$D/lib/helm.sh" ] && . "$D/lib/helm.sh"\nhelm_require_v3\n',
        'source "$D/lib/all.sh"\nhelm_require_v3\n',
        'source "$D/lib/k3d.sh"\nsource "$D/lib/all.sh"\nrequire\n',
    ],
)
def test_a_kept_line_keeps_the_files_that_it_needs_through_other_files(script: str):
    found = with_files(f"{script}k3d up\n")
    assert [s.code for s in found.kept] == script.splitlines()
    assert not found.lost


def test_a_kept_line_whose_function_cannot_be_kept_is_named():
    found = with_files('up() {\n  source "$D/lib/helm.sh"\n  k3d up\n}\nup\nif helm_require_v3; then\n  npm ci\nfi\n')
    assert [(line.first, line.text) for line in found.lost] == [(6, "if helm_require_v3; then")]


@pytest.mark.parametrize(
    ("script", "named"),
    [
        ('cd "$ROOT"; k3d up\nnpm ci\n', ['cd "$ROOT"']),
        ('cd "$ROOT" && cat >k3d.yaml <<EOF\nx\nEOF\nnpm ci\n', ['cd "$ROOT"']),
        ('(cd "$ROOT"; k3d up)\nnpm ci\n', []),
        ('cd "$ROOT"; k3d up\ncd web\nnpm ci\n', []),
        ('npm ci\ncd "$ROOT"; k3d up\n', []),
    ],
)
def test_a_folder_in_which_kept_lines_run_is_named(script: str, named: list[str]):
    assert lost(script) == named


@pytest.mark.parametrize("document", ["<<EOF; true\nit's\nEOF", "<<EOF &\n<<X\nEOF", "<<A <<EOF\nx\nA\n{\nEOF"])
def test_a_line_below_a_here_document_after_cd_in_a_function_is_kept_or_named(document: str):
    script = f'up() {{\n  k3d up\n  cd "$ROOT"\ncat >x {document}\n  npm ci\n}}\nup\n'
    found = chosen(script)
    assert "npm ci" in "\n".join([*(line.text for line in found.lost), *(line.text for line in found.calls)])


def test_every_line_of_what_cannot_be_read_is_named():
    found = chosen("if k3d list; then\n  cat <<EOF || true; x\nit's\nEOF\n  npm ci\nfi\n")
    assert "npm ci" in "\n".join(map(str, found.lost))


def test_the_file_of_the_team_keeps_every_line_of_a_statement():
    script = "#!/bin/bash\ncat >x <<'EOF'\n#!/bin/bash\nset -e\nEOF\nk3d up\n"
    assert "<<'EOF'\n#!/bin/bash\nset -e\nEOF\n" in file_of(script)
    assert file_of("go env\nk3d up\n", b"go env -w X=1\n# go env\n").splitlines()[-1] == "go env"


@pytest.mark.parametrize(
    "command", ['echo "$(npm ci)"', "x=$(npm ci)", "for d in $(npm ci); do echo; done", "export A=1"]
)
def test_a_command_in_a_substitution_is_named_too(command: str):
    assert len(lost(f"if k3d list; then\n  {command}\nfi")) == 1


def test_a_continued_line_goes_on_where_the_parser_does_not_help():
    code = ["[ a -o b ] \\\n  || ./team.sh >x", "[ c ]"]
    assert kept("\n".join([*code, "k3d up"])) == code


def test_a_command_beside_a_here_document_does_not_take_the_other_one_with_it():
    script = "up() {\n  k3d up\n}\nif k3d list; then\n  ./team.sh <<X && up\nX\n  up <<X || npm ci\nX\nfi\n"
    assert lost(script) == ["./team.sh <<X", "npm ci"]


@pytest.mark.slow
def test_phase_2_keeps_a_line_below_a_here_document_in_a_substitution(pair: Callable[..., Pair]):
    repos, path = pair(), ".devcontainer/postCreate.sh"
    old = (repos.core / path).read_text()
    repos.commit("core", path, f"{old}\n{HERE_DOCUMENT_IN_SUBSTITUTION}".encode(), 0o755)
    assert repos.run(2) == 0
    assert "\npnpm run team-thing\n" in (repos.core / ".devcontainer/postCreate.team.sh").read_text()
    call, setup = 'bash "$team"', '"$root/scripts/inv" setup'
    script = (repos.core / path).read_text()
    assert 0 < script.index(call) < script.index(setup) < script.index("exit 0", script.index(setup))


@pytest.mark.slow
def test_a_line_that_would_be_lost_blocks_until_it_has_a_place(pair: Callable[..., Pair]):
    repos, path = pair(), ".devcontainer/postCreate.sh"
    old = (repos.core / path).read_text()
    repos.commit("core", path, f"{old}\nif have k3d; then\n  ./team.sh --all\nfi\n".encode(), 0o755)
    number = len(old.splitlines()) + 3
    assert (path, "custom", f"{path}:{number}") in blocks(repos.plan((2,)))
    repos.commit("core", ".devcontainer/postCreate.team.sh", b"#!/bin/bash\n./team.sh --all\n", 0o755)
    assert code_of(lambda: tasks_of.phase(repos.flags(yes=True, accept=[path]), 2)) == 0
    text = (repos.core / ".devcontainer/postCreate.team.sh").read_text()
    assert text.startswith("#!/bin/bash\n./team.sh --all\n")
    assert "core.hooksPath .githooks" in text
