"""Templates are rendered like Go's templates with Helm's functions."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.standins.go.template import Template, TemplateError
from sandbox.standins.go.template_run import Raised, Run
from sandbox.standins.helm.functions import functions

DATA: dict[str, Any] = {
    "a": {"b": "x", "n": 3, "yes": True, "none": None, "empty": ""},
    "list": [{"n": "p"}, {"n": "q"}],
    "map": {"z": 1, "y": "two"},
    "has": lambda what: what == "apps",
}


def rendered(text: str, data: Any = None) -> str:
    template = Template("t.yaml", text)
    run = Run(functions(), {name: (template, nodes) for name, nodes in template.defines.items()})
    run.functions["include"] = run.named
    return run.text(template, DATA if data is None else data)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{{ .a.b }} {{.a.n}} {{ .a.yes }} [{{ .a.none }}]", "x 3 true []"),
        ("{{- /* said */ -}} a {{- 1 }} {{ 2 -}}  b", "a1 2b"),
        ("{{ if .a.empty }}1{{ else if .a.n }}2{{ else }}3{{ end }}", "2"),
        ("{{ with .a.none }}1{{ else }}2{{ end }}{{ with .a }}{{ .b }}{{ end }}", "2x"),
        ("{{ range .list }}{{ .n }}{{ end }}{{ range .a.none }}1{{ else }}-{{ end }}", "pq-"),
        ("{{ range $i, $v := .list }}{{ $i }}{{ $v.n }}{{ $.a.b }} {{ end }}", "0px 1qx "),
        ("{{ range $k, $v := .map }}{{ $k }}={{ $v }};{{ end }}", "y=two;z=1;"),
        ('{{ range .list }}{{ if eq .n "q" }}{{ break }}{{ end }}{{ .n }}{{ end }}', "p"),
        ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ $x := 9 }}{{ end }}{{ $x }}", "2"),
        ('{{ define "d" }}<{{ . }}>{{ end }}{{ include "d" .a.b | upper }}{{ template "d" 1 }}', "<X><1>"),
        ('{{ .a.none | default "d" | quote }} {{ .a.empty | default 7 }}', '"d" 7'),
        ('{{ (index .list 1).n }} {{ index .map "y" }} {{ len .list }}', "q two 2"),
        ("{{ and .a.yes .a.b }} {{ or .a.empty .a.b }} {{ not .a.yes }}", "x x false"),
        ('{{ and .a.none .a.none.deep }}|{{ .has "apps" }}', "|true"),
        ('{{ "abc" | trunc 2 }} {{ "a-" | trimSuffix "-" }} {{ printf "%s-%d-%q" "a" 3 "b" }}', 'ab a a-3-"b"'),
        ('{{ list 1 2 | join "," }} {{ dict "k" "v" | toJson }} {{ ternary 1 2 true }}', '1,2 {"k":"v"} 1'),
        ("x:{{ toYaml .map | nindent 2 }}", 'x:\n  "y": two\n  z: 1'),
        ("{{ .list }} {{ .map }}", "[map[n:p] map[n:q]] map[y:two z:1]"),
        ("{{ `raw {{ }}` }}{{ '\"' | quote }}", 'raw {{ }}"\\""'),
        ('{{ semverCompare ">=1.21-0" "v1.34.4" }} {{ int "08" }} {{ add 1 2 }} {{ b64enc "a" }}', "true 8 3 YQ=="),
    ],
)
def test_it_renders(text: str, wanted: str):
    assert rendered(text) == wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\n  {{ .a.none.deep }}", 'template: t.yaml:2:5: executing "t.yaml" at <.a.none.deep>: nil pointer evaluating interface {}.deep'),
        ("{{ .a.b.c }}", "can't evaluate field c in type string"),
        ("{{ nope .a }}", 'parse error at (t.yaml:1): function "nope" not defined'),
        ("{{ if .a }}", "unexpected EOF"),
        ("{{ end }}", "unexpected {{end}}"),
        ("{{ range .a.n.x }}{{ end }}", "can't evaluate field x in type float64"),
        ("{{ }} {{ .a | }}", "missing value for command"),
        ("{{ $x }}", "undefined variable '$x'"),
    ],
)  # fmt: skip
def test_an_error_names_its_place(text: str, said: str):
    with pytest.raises(TemplateError) as why:
        rendered(text)
    assert said in str(why.value)


def test_a_required_value_names_line_and_column():
    with pytest.raises(Raised) as why:
        rendered('x\n  must: {{ required "set it" .a.none | quote }}')
    assert (why.value.text, why.value.where) == ("set it", "t.yaml:2:11")
