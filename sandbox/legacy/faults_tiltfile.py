"""Faults in the Tiltfile: what an edit must not remove, what it has to find in other files, what cannot be evaluated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sandbox.legacy.archive import Entry
from sandbox.legacy.model import Draft, Fault

_SETTINGS = "CLUSTER = {'context': 'k3d-ameide', 'namespace': 'ameide'}\nprint('namespace ' + CLUSTER['namespace'])\n"
_FUNCTION = "def local_flags():\n    return ['--kube-context=' + K3D_CONTEXT]\n\n\nprint(' '.join(local_flags()))\n\n\n"
_CONDITIONAL = "    if not cfg.get('skip-tests'):\n        default_registry(REGISTRY_HOST)\n"
_IMAGES = """docker_build('registry.localhost:32000/ameide/tools', 'packages', dockerfile_contents='FROM scratch')
k8s_yaml('k8s/tools.yaml')
"""
_MANIFEST = b"""apiVersion: apps/v1
kind: Deployment
metadata: {name: tools}
spec:
  selector: {matchLabels: {app: tools}}
  template:
    metadata: {labels: {app: tools}}
    spec:
      containers:
        - name: tools
          image: registry.localhost:32000/ameide/tools:dev
"""
_TOOLS = Entry(_MANIFEST)
_INCLUDED = b"""# Checks that every developer runs.
local_resource('lint-charts', 'scripts/lint.sh')  # the same in CI

# The local cluster's nodes.
local_resource('local-nodes', 'kubectl --context k3d-ameide get nodes')  # k3d only
allow_k8s_contexts('k3d-ameide')
"""
_COMMENTS = """# Reminds the team of the release day.
local_resource('release-day', 'scripts/release-day.sh')  # on Thursdays
# Asks the local cluster.
local_resource('local-pods', 'kubectl --context k3d-ameide get pods')  # k3d only
# Counts the to-dos.
local_resource('todos', 'scripts/todos.sh')
"""
_FOOT = "\n# ---------------------------------------------------------------------------\n# Packages\n"


def _before(place: str, text: str, *, files: dict[str, Entry] | None = None) -> Callable[[Draft], None]:
    """A fault that inserts a text before this place of the Tiltfile, and adds files to core."""

    def write(draft: Draft) -> None:
        entry = draft.core["Tiltfile"]
        if place not in entry.text:
            raise ValueError(f"the Tiltfile does not hold {place!r}")
        draft.core["Tiltfile"] = replace(entry, data=entry.text.replace(place, text + place, 1).encode())
        draft.core.update(files or {})

    return write


def _conditional_registry(draft: Draft) -> None:
    entry = draft.core["Tiltfile"]
    old = "    default_registry(REGISTRY_HOST)\n"
    draft.core["Tiltfile"] = replace(entry, data=entry.text.replace(old, _CONDITIONAL, 1).encode())


TILTFILE = (
    Fault(
        "tiltfile-settings",
        "a dictionary of the Tiltfile names the local cluster and is used elsewhere",
        write=_before("TILT_REMOTE = ", _SETTINGS),
    ),
    Fault(
        "tiltfile-function",
        "a function of the Tiltfile needs the context of the local cluster",
        write=_before("def helm_flags(", _FUNCTION),
    ),
    Fault(
        "tiltfile-conditional-registry",
        "the Tiltfile calls default_registry under a condition",
        write=_conditional_registry,
        excludes=("no-default-registry",),
    ),
    Fault(
        "tiltfile-local-images",
        "an image and a manifest have the host of the local registry in their names",
        write=_before(_FOOT, "\n" + _IMAGES, files={"k8s/tools.yaml": _TOOLS}),
    ),
    Fault(
        "tiltfile-fixed-manifest",
        "a manifest that is never changed names an image of the local registry",
        write=_before(_FOOT, "\n" + _IMAGES, files={"k8s/tools.yaml": _TOOLS, "services/tools.yaml": _TOOLS}),
    ),
    Fault(
        "tiltfile-included",
        "the Tiltfile includes another one with resources of the local cluster",
        write=_before(_FOOT, "\ninclude('./tilt/checks/Tiltfile')\n", files={"tilt/checks/Tiltfile": Entry(_INCLUDED)}),
    ),
    Fault(
        "tiltfile-data",
        "the Tiltfile's own settings name the local cluster",
        write=_before(
            _FOOT,
            "\nprint(read_json('tilt-settings.json'))\n",
            files={"tilt-settings.json": Entry(b'{\n  "context": "k3d-ameide"\n}\n')},
        ),
    ),
    Fault(
        "tiltfile-comments",
        "resources with comments above and behind them; one belongs to the local cluster",
        write=_before(_FOOT, "\n" + _COMMENTS),
    ),
    Fault(
        "tiltfile-shared-values",
        "the Tiltfile reads shared values of the Helmfile generation",
        write=_before(
            _FOOT,
            "\nwatch_file('infra/kubernetes/values/_shared/apps/apps-graph.yaml')\n",
            files={"infra/kubernetes/values/_shared/apps/apps-graph.yaml": Entry(b"replicas: 1\n")},
        ),
    ),
    Fault(
        "tiltfile-unknown-function",
        "the Tiltfile calls a function that no Tilt of today has",
        write=_before(_FOOT, "\nrepository = local_git_repo('.')\n"),
    ),
)
