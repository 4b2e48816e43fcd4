"""Edits of a kubeconfig that a person wrote: everything else keeps every byte."""

from __future__ import annotations

import pytest
import yaml

from tasks.core.yaml import edit, nodes
from tasks.core.yaml.nodes import Node

PERSON = """\
# my clusters
apiVersion: v1
clusters:
- cluster:
    # the old one
    server: "https://old.example.com"
  name: old   # since 2019
contexts: []   # none yet
users:
- name: old
  user: {token: 0123}

# nothing below
current-context: old
"""
ENTRY = "- name: new\n  cluster:\n    server: https://new.example.com\n"


def with_cluster(text: str, body: str = ENTRY, key: str = "clusters") -> Node:
    """The text's document with these entries at the end of the list."""
    document = yaml.compose(text) or nodes.mapping()
    entries = [*nodes.items(nodes.find(document, key)), *nodes.items(yaml.compose(body))]
    return nodes.with_value(document, key, nodes.sequence(*entries))


def test_an_entry_is_added_and_every_other_byte_stays():
    assert edit.changed(PERSON, with_cluster(PERSON)) == PERSON.replace("contexts:", f"{ENTRY}contexts:")


def test_an_empty_list_gets_its_first_entry():
    wanted = edit.changed(PERSON, with_cluster(PERSON, key="contexts"))
    assert wanted == PERSON.replace("contexts: []", f"contexts:\n{ENTRY.rstrip()}")


def test_a_value_is_set_in_its_place():
    wanted = nodes.with_value(yaml.compose(PERSON), "current-context", nodes.word("new: one"))
    assert edit.changed(PERSON, wanted) == PERSON.replace("current-context: old", "current-context: 'new: one'")


def test_an_entry_of_ours_is_replaced_and_its_neighbours_stay():
    before = PERSON.replace("contexts:", f"{ENTRY}  # ours\ncontexts:")
    document = yaml.compose(before)
    old, ours = nodes.items(nodes.find(document, "clusters"))
    ours = nodes.with_value(ours, "cluster", nodes.mapping(("server", nodes.word("https://newer.example.com"))))
    wanted = nodes.with_value(document, "clusters", nodes.sequence(old, ours))
    assert edit.changed(before, wanted) == before.replace("https://new.", "https://newer.")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing yet",
        "clusters:\n",
        "clusters: null\n",
        "clusters: ~ # none",
        "clusters:\n  - name: indented\n    cluster: {server: x}\n# the end\n",
        "clusters:\n- name: literal\n  cluster:\n    note: |\n      two\n      lines\n\nusers: []\n",
        "clusters:\r\n- name: windows\r\n  cluster: {server: x}\r\n",
        '{"clusters": [{"name": "json", "cluster": {"server": "x"}}]}',
        "clusters: [{name: flow, cluster: {server: x}}]\n",
        "clusters:\n- name: no newline\n  cluster: {server: x}",
        "users: []\n",
    ],
)
def test_it_reads_as_wanted_whatever_was_there_before(text: str):
    wanted = with_cluster(text)
    found = edit.changed(text, wanted)
    assert nodes.plain(yaml.compose(found)) == nodes.plain(wanted)
    assert all(line in found for line in text.splitlines() if line.startswith("#"))
