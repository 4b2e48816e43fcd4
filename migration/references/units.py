"""The files that belong together without naming each other: a chart, a Terraform module, a Go package, a Python package.

One of them is of no use without the others. `parts` returns globs of what a file of such a unit needs.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import NamedTuple

from migration.git.objects import Tree
from migration.references.removal import ancestors

# https://helm.sh/docs/topics/charts/#the-chart-file-structure
_CHART_PARTS = ("Chart.yaml", "Chart.lock", "values.yaml", "values.schema.json", "templates/**", "crds/**", "charts/**")
_IN_CHART = re.compile(
    r"(?:Chart\.(?:yaml|lock)|values\.(?:yaml|schema\.json)|(?:templates|crds|charts)/.*)\Z", re.DOTALL
)
# https://developer.hashicorp.com/terraform/language/files: all files of a folder are one module.
_TERRAFORM = re.compile(r"\.(?:tf|tofu)(?:\.json)?\Z")
_TERRAFORM_PARTS = ("*.tf", "*.tofu", "*.tf.json", "terraform.tfvars", "*.auto.tfvars", ".terraform.lock.hcl")
# https://terragrunt.gruntwork.io/docs/reference/hcl/functions/#find_in_parent_folders
_TERRAGRUNT_PARTS = ("terragrunt.hcl", "root.hcl")
# https://www.pulumi.com/docs/iac/concepts/projects/project-file/: where the program starts, unless `main` says otherwise.
_PULUMI_PARTS = ("__main__.py", "index.ts", "index.js", "main.go", "package.json", "requirements.txt", "go.mod")


class Part(NamedTuple):
    """What a file needs because both belong to one unit. pattern: a file or a glob; unit: the unit, for people."""

    pattern: str
    unit: str


def parts(path: str, tree: Tree) -> Iterator[Part]:
    """What this file needs to be of use."""
    folder, name = posixpath.split(path)
    if _TERRAFORM.search(name):
        yield from _in(folder, _TERRAFORM_PARTS, "the same Terraform module")
    elif name.endswith(".go"):
        yield from _in(folder, ("*.go",), "the same Go package")
        yield from _go_module(path, tree)
    elif name.endswith(".py"):
        for above in ancestors(path):
            yield from _in(above, ("__init__.py",), "the same Python package")
    elif name == "terragrunt.hcl":
        for above in ancestors(folder):
            yield from _in(above, _TERRAGRUNT_PARTS, "the same Terragrunt configuration")
    elif name in {"Pulumi.yaml", "Pulumi.yml"}:
        yield from _in(folder, _PULUMI_PARTS, "the same Pulumi project")
    yield from _chart(path, tree)


def _in(folder: str, names: tuple[str, ...], unit: str) -> Iterator[Part]:
    yield from (Part(posixpath.join(folder, name), unit) for name in names)


def _go_module(path: str, tree: Tree) -> Iterator[Part]:
    root = next((folder for folder in ancestors(path) if f"{folder}/go.mod" in tree), None)
    if root:
        yield from _in(root, ("go.mod", "go.sum"), "the same Go module")


def _chart(path: str, tree: Tree) -> Iterator[Part]:
    root = next((folder for folder in ancestors(path) if f"{folder}/Chart.yaml" in tree), None)
    if root and _IN_CHART.match(path[len(root) + 1 :]):
        yield from _in(root, _CHART_PARTS, "the same chart")
