"""Files that stay, and name by a short relative path what the migration deletes: as each tool writes such paths."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sandbox.legacy.archive import EXECUTABLE, Entry
from sandbox.legacy.model import Draft, Fault

_ODD = "infra/kubernetes/odd"  # in no table of the migration: what is there stays


class Need(NamedTuple):
    """The file, its text, and the path of core that it needs."""

    file: str
    text: str
    target: str
    about: str


NEEDS = {
    "kustomization": Need(
        f"{_ODD}/over/kustomization.yaml",
        "resources:\n  - ../../policies/network/default-deny.yaml\n",
        "infra/kubernetes/policies/network/default-deny.yaml",
        "a kustomization that is in no table has a relative resource",
    ),
    "script": Need(
        "scripts/infra/all.sh",
        '#!/usr/bin/env bash\nset -euo pipefail\n. "$(dirname "$0")/ensure-k3d-cluster.sh"\n',
        "scripts/infra/ensure-k3d-cluster.sh",
        'a script sources "$(dirname "$0")/..." from its own folder',
    ),
    "bare-script": Need(
        "scripts/infra/health.sh",
        "#!/usr/bin/env bash\nsource infra-health-check.sh\n",
        "scripts/infra/infra-health-check.sh",
        "a script sources a bare file name",
    ),
    "chart": Need(
        f"{_ODD}/runner/Chart.yaml",
        "apiVersion: v2\nname: runner\nversion: 1.0.0\ndependencies:\n  - name: test-job-runner\n    version: 1.0.0\n"
        "    repository: file://../../charts/test-job-runner\n",
        "infra/kubernetes/charts/test-job-runner/templates/job.yaml",
        "a chart depends on file://../...",
    ),
    "bicep": Need(
        f"{_ODD}/main.bicep",
        "module dns '../../azure/local/main.bicep' = {\n  name: 'dns'\n}\n",
        "infra/azure/local/main.bicep",
        "a Bicep file uses a relative module",
    ),
    "terraform": Need(
        f"{_ODD}/main.tf",
        'locals {\n  buildkit = file("${path.module}/../../docker/buildkitd.toml")\n}\n',
        "infra/docker/buildkitd.toml",
        "Terraform reads ${path.module}/../...",
    ),
    "compose": Need(
        f"{_ODD}/compose.yaml",
        "services:\n  registry:\n    build: ../../docker/local\n",
        "infra/docker/local/k3d.yaml",
        "a compose file builds a relative folder",
    ),
    "dockerfile": Need(
        ".devcontainer/Dockerfile.certs",
        "FROM scratch\nCOPY export-cert.sh /\n",
        ".devcontainer/export-cert.sh",
        "a Dockerfile copies a file beside it",
    ),
    "makefile": Need(
        "tools/dev/Makefile",
        "mode:\n\t./devcontainer-mode.sh\n",
        "tools/dev/devcontainer-mode.sh",
        "a Makefile runs a script beside it",
    ),
    "chain": Need(
        f"{_ODD}/chain.sh",
        "#!/usr/bin/env bash\n. ../../environments/dev/values.sh\nbash ../scripts/run-migrations.sh\n",
        "infra/kubernetes/scripts/run-migrations.sh",
        "a script that is in no table runs another one that moves",
    ),
}
"""Kind -> the file that the fault `needs-KIND` adds, and what it needs."""


def _writer(need: Need) -> Callable[[Draft], None]:
    def write(draft: Draft) -> None:
        draft.core[need.file] = Entry(need.text.encode(), *((EXECUTABLE,) if need.file.endswith(".sh") else ()))

    return write


NEED_FAULTS = tuple(Fault(f"needs-{kind}", need.about, write=_writer(need)) for kind, need in NEEDS.items())
