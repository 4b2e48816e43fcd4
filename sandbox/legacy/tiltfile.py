"""The old Tiltfile of about 1,840 lines, assembled from its parts."""

from __future__ import annotations

from sandbox.legacy.archive import fill, part
from sandbox.legacy.definition import Service

_PACKAGES = {
    "node": ("packages/ameide_sdk_ts", "package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml"),
    "go": ("packages/ameide_core_proto", "packages/ameide_sdk_go", "go.work", "go.mod"),
    "python": ("packages/ameide_core_proto", "packages/ameide_sdk_python", "pyproject.toml", "uv.lock"),
}


def tiltfile(services: tuple[Service, ...]) -> str:
    """The text of the Tiltfile with one block for each service and one for its integration test."""
    parts = [part("tiltfile", "head"), part("tiltfile", "packages")]
    parts += [fill(part("tiltfile", "service"), _values(service)) for service in services]
    parts.append(part("tiltfile", "suites"))
    parts += [fill(part("tiltfile", "tests"), _values(service)) for service in services]
    parts += [part("tiltfile", "ops"), part("tiltfile", "foot")]
    return "\n".join(text.strip("\n") + "\n" for text in parts)


def _values(service: Service) -> dict[str, str]:
    return service.placeholders() | {
        "only": "\n".join(f"    '{path}'," for path in _PACKAGES[service.language]),
        "live": _live_update(service),
        "forwards": _forwards(service),
        "links": f"['https://{service.placeholders()['tilthost']}']" if service.route else "[]",
    }


def _live_update(service: Service) -> str:
    folder = f"'services/{service.dir}'"
    if service.language == "node":
        return f"node_live_update({folder}, '{service.name}')"
    if service.language == "go":
        return f"go_live_update({folder}, '{service.dir}')"
    return f"python_live_update({folder})"


def _forwards(service: Service) -> str:
    if not service.ports:
        return "    port_forwards=[],"
    rows = []
    for port in service.ports:
        name, _, number = port.partition(":")
        rows.append(f"        '{number}:{number}',  # {name}")
    return "\n".join(["    port_forwards=[", *rows, "    ],"])
