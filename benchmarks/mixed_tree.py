"""A tree as a company has it: Go, TypeScript, vendored code, charts, manifests, custom resource definitions of megabytes.

The files are generated, always the same for the same number. They refer to each other as real ones do.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

_NOUNS = (
    *("agent", "billing", "catalog", "cluster", "config", "export", "graph", "health"),
    *("index", "ledger", "mailer", "node", "order", "policy", "queue", "route"),
)
_SHARES = (  # part of all files, folder, writer
    (0.25, "services/{noun}/internal/{other}/{number}.go", "go"),
    (0.17, "vendor/github.test/{noun}/{other}/{number}.go", "go"),
    (0.13, "packages/{noun}/src/{other}/{number}.ts", "ts"),
    (0.02, "packages/{noun}/dist/{number}.js", "minified"),
    (0.12, "infra/kubernetes/policies/{noun}/{other}/{number}.yaml", "manifest"),
    (0.003, "infra/kubernetes/policies/crds/{noun}-{number}.yaml", "crd"),
    (0.09, "infra/kubernetes/charts_old/{noun}/templates/{number}.yaml", "template"),
    (0.03, "infra/kubernetes/scripts/for-{noun}/{number}.sh", "script"),
    (0.02, "infra/bicep/{noun}/{number}.bicep", "bicep"),
    (0.04, "services/{noun}/config/{other}/{number}.yaml", "manifest"),
    (0.003, "services/{noun}/config/crd/{number}.yaml", "crd"),
    (0.05, "docs/for-{noun}/{other}-{number}.md", "document"),
    (0.067, "services/{noun}/testdata/{number}.json", "fixture"),
)


def grow(core: Path, files: int) -> None:
    """Add about this many files to the work tree."""
    for path, text in tree(files):
        place = core / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


def tree(files: int) -> Iterator[tuple[str, str]]:
    """The paths with their texts."""
    random = Random(files)
    for share, pattern, kind in _SHARES:
        for number in range(int(share * files)):
            noun, other = random.choice(_NOUNS), random.choice(_NOUNS)
            yield pattern.format(noun=noun, other=other, number=number), _WRITERS[kind](random)


def _words(random: Random, count: int) -> str:
    return " ".join(random.choices(_NOUNS, k=count))


def _go(random: Random) -> str:
    imports = "\n".join(f'\t"github.test/{random.choice(_NOUNS)}/{random.choice(_NOUNS)}"' for _ in range(6))
    body = "\n".join(
        f"// {_words(random, 9)}\nfunc {random.choice(_NOUNS)}{n}(a, b string) error {{\n"
        f'\treturn fmt.Errorf("{_words(random, 5)}: %s/%s", a, b)\n}}\n'
        for n in range(random.randint(5, 60))
    )
    return f"package {random.choice(_NOUNS)}\n\nimport (\n{imports}\n)\n\n{body}"


def _ts(random: Random) -> str:
    imports = "\n".join(f"import {{ x{n} }} from '../{random.choice(_NOUNS)}/{n}';" for n in range(5))
    body = "\n".join(
        f"export const {_words(random, 1)}{n} = '{_words(random, 8)}';" for n in range(random.randint(5, 90))
    )
    return f"{imports}\n{body}\n"


def _minified(random: Random) -> str:
    return ";".join(f"var a{n}='{_words(random, 3)}/{n}'" for n in range(2000)) + "\n"


def _manifest(random: Random) -> str:
    rules = "\n".join(
        f"  - from: {_words(random, 2)}\n    path: /{random.choice(_NOUNS)}/{n}" for n in range(random.randint(3, 40))
    )
    return f"apiVersion: v1\nkind: Policy\nmetadata:\n  name: {random.choice(_NOUNS)}\nspec:\n{rules}\n"


def _crd(random: Random) -> str:
    properties = "\n".join(
        f"          {random.choice(_NOUNS)}{n}:\n            description: |-\n              {_words(random, 14)}\n"
        f"              More: https://example.test/docs/{random.choice(_NOUNS)}/{n} or `a/b`, {{x}}.\n            type: string"
        for n in range(random.randint(500, 4000))
    )
    return f"apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec:\n  versions:\n    - schema:\n{properties}\n"


def _template(random: Random) -> str:
    values = "\n".join(
        f"    {random.choice(_NOUNS)}: {{{{ .Values.{random.choice(_NOUNS)} | quote }}}}"
        for _ in range(random.randint(5, 60))
    )
    return f"apiVersion: v1\nkind: ConfigMap\ndata:\n{values}\n"


def _script(random: Random) -> str:
    lines = "\n".join(f'echo "{_words(random, 6)}"' for _ in range(random.randint(3, 40)))
    return f'#!/usr/bin/env bash\nDIR="$(cd "$(dirname "$0")" && pwd)"\n. "$DIR/0.sh"\n{lines}\n'


def _bicep(random: Random) -> str:
    return "".join(
        f"param {random.choice(_NOUNS)}{n} string = '{_words(random, 3)}'\n" for n in range(random.randint(5, 60))
    )


def _document(random: Random) -> str:
    return "\n\n".join(
        f"{_words(random, 40)}. See [it](../{random.choice(_NOUNS)}/{n}.md)." for n in range(random.randint(3, 30))
    )


def _fixture(random: Random) -> str:
    return json.dumps(
        {f"{random.choice(_NOUNS)}{n}": {"path": f"/{_words(random, 1)}/{n}"} for n in range(random.randint(5, 200))},
        indent=1,
    )


_WRITERS: dict[str, Callable[[Random], str]] = {
    "go": _go, "ts": _ts, "minified": _minified, "manifest": _manifest, "crd": _crd, "template": _template,
    "script": _script, "bicep": _bicep, "document": _document, "fixture": _fixture,
}  # fmt: skip
