"""Names without a slash and without an extension that are paths because of where they are written.

A word such as `base` is a path as an item of a kustomization or after `chart:`, and just a word anywhere else.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

_NAME = r"""([\w.@+-][\w.@+/-]*)"""
# path: base, "context": "app", chart=base, source = ".."
_KEY = re.compile(
    r"""(?:^|[\s{,(["'-])["']?(?:path|paths|context|dir|directory|chart|chartPath|chart_path|folder|base|bases|source|src|file|"""
    r"""dockerfile|main|build|workingDirectory|working-directory|working_directory|rawYaml|valuesFile|valuesFiles|"""
    rf"""env_file|include|includes|extends|templatePath|configFile|deps|only)["']?\s*[:=]\s*[\[(]*\s*["']?{_NAME}"""
)
_ITEM = re.compile(rf"""^\s*-\s+["']?{_NAME}["']?\s*$""")
_FLOW = re.compile(r"""[\[,]\s*["']?([\w.@+/-]+)["']?\s*(?=[,\]])""")
# source lib, . lib, cd app, kubectl apply -k base, helm install NAME chart, include common (Make)
_COMMAND = re.compile(
    rf"""(?:^|[\s;&|("'`])(?:source|\.|cd|pushd|bash|sh|-k|-f|-C|--file|--values|-?-chdir|--kustomize|-?include|sinclude|use)[ =]+["']?{_NAME}"""
)
_HELM = re.compile(r"\bhelm\s+(?:install|upgrade|template|lint|dep(?:endency)?|package|push)\b(.*)")
_KUSTOMIZE = re.compile(r"\bkustomize\s+build\b(.*)")
_COPY = re.compile(r"^\s*(?:COPY|ADD)\s+(.*)", re.IGNORECASE)
_EMBED = re.compile(r"^//go:embed\s+(.*)")
# Tilt: docker_build('image', 'app'), kustomize('base'), load('x', 'y')
_CALL = re.compile(
    r"\b(?:docker_build\w*|custom_build|kustomize|helm|k8s_yaml|load\w*|include|read_\w+|listdir|watch_file|docker_compose|"
    r"templatefile|file|fileset|loadTextContent|loadYamlContent|loadJsonContent|helm_resource)\s*\((.*)"
)
# CMake: add_subdirectory(app). Gradle: includeBuild "app". Maven: <module>app</module>
_PROJECT = re.compile(
    rf"""(?:\badd_subdirectory\s*\(\s*|\bincludeBuild[\s(]+|<(?:module|relativePath)>\s*)["']?{_NAME}"""
)
_STRING = re.compile(r"""["']([\w.@+/-]+)["']""")
_WORDS = re.compile(r"[\w.@+/-]+")
_LISTS = re.compile(
    r"(?:^|/)(?:pnpm-workspace\.ya?ml|kustomization\.ya?ml|Kustomization|skaffold\.ya?ml|helmfile[^/]*\.ya?ml|[^/]*compose[^/]*\.ya?ml)$"
)
_DOCKERFILE = re.compile(r"(?:^|/)(?:Dockerfile|Containerfile)[^/]*$|\.Dockerfile$")
_ALL_WORDS = (_HELM, _KUSTOMIZE, _EMBED)


def bare_names(path: str, line: str) -> Iterator[str]:
    """The words of this line of code that name a file or folder."""
    for rule in (_KEY, _COMMAND, _PROJECT):
        yield from (match[1] for match in rule.finditer(line))
    for rule in _ALL_WORDS:
        match = rule.search(line)
        if match:
            yield from _WORDS.findall(match[1])
    call = _CALL.search(line)
    if call:
        yield from _STRING.findall(call[1])
    yield from _of_kind(path, line)


def _of_kind(path: str, line: str) -> Iterator[str]:
    """The words that are paths in this kind of file."""
    if _LISTS.search(path):
        for rule in (_ITEM, _FLOW):
            yield from rule.findall(line)
    elif posixpath.basename(path) == "package.json":  # "workspaces": ["app"]
        yield from _FLOW.findall(line)
    elif _DOCKERFILE.search(path):
        copy = _COPY.match(line)
        if copy:
            yield from _WORDS.findall(copy[1])
