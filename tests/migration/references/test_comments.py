"""What is a comment: a path there is reported and does not block, so code must never be taken for one."""

from __future__ import annotations

import pytest

from migration.references.comments import split_comments

VALUES = '''\
"""What this file does: infra/docstring."""
header = """
FROM infra/value
"""
body = """
# infra/text
""" + suffix  # infra/comment
def run():
    """Say infra/docstring, in
    infra/docstring lines."""
    shell(
        \'\'\'
        sh infra/argument
        \'\'\')
    x = 'don\\'t' + "infra/#code"
    """infra/kept-as-code: not the first statement"""
'''


def test_text_between_three_quotes_is_a_comment_only_as_a_docstring():
    code = [line for _, line, _ in split_comments("Tiltfile", VALUES) if "infra" in line]
    comment = [line for _, _, line in split_comments("Tiltfile", VALUES) if "infra" in line]
    assert [line.strip() for line in code] == [
        "FROM infra/value",
        "# infra/text",
        "sh infra/argument",
        "x = 'don\\'t' + \"infra/#code\"",
        '"""infra/kept-as-code: not the first statement"""',
    ]
    assert len(comment) == 4
    assert all("infra/docstring" in line or "infra/comment" in line for line in comment)


TEMPLATE = """\
const globs = `
  infra/*
  deploy/x.yaml /* not a comment \\`
`; // infra/comment
/* infra/comment
 */ const after = 'infra/code' /* infra/comment */ + "a/**/b"
"""


def test_a_template_of_javascript_over_several_lines_is_code():
    rows = list(split_comments("a.ts", TEMPLATE))
    assert [code.strip() for _, code, _ in rows][1:4] == ["infra/*", "deploy/x.yaml /* not a comment \\`", "`;"]
    assert "infra/code" in rows[5][1]
    assert "infra/comment" not in "".join(code for _, code, _ in rows)


@pytest.mark.parametrize("name", ["a.py", "a.sh", "a.ts", "a.html", "a.sql", "Makefile", "a.txt"])
def test_every_character_of_a_line_is_code_or_comment(name: str):
    text = "a # b // c -- d <!-- e --> f /* g */ 'h' \"i\" `j`\n'''k\n\"\"\"l\n*/ m\n"
    for (_, code, comment), line in zip(split_comments(name, text), text.split("\n"), strict=True):
        assert sorted(set((code + comment).split()) - {"<!--", "-->"}) == sorted(set(line.split()) - {"<!--", "-->"})
