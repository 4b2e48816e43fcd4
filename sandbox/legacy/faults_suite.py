"""Faults of what stands where the suite's own files belong: a team's config/, tasks and files of the same names."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.legacy.archive import Entry
from sandbox.legacy.model import Draft, Fault

CONFIG_PACKAGE = {
    "config/config.go": b'// Package config reads the variables of the services.\npackage config\n\nconst File = "settings.yaml"\n',
    "config/settings.yaml": b"# of the Go services\nlog_level: info\n",
    "config/services.yaml": b"services: {mailer: {class: Mailer}}\n",
}
OWN_TASKS = {
    "tasks.py": b"from invoke import task\n\n\n@task\ndef build(c):\n    c.run('make')\n",
    "tasks/__init__.py": b'"""The background jobs of the product."""\n',
    "tasks/mail.py": b"def send():\n    pass\n",
    "Makefile": b"build:\n\tgo build ./...\n",
}


def _with(files: dict[str, bytes]) -> Callable[[Draft], None]:
    def write(draft: Draft) -> None:
        for path, data in files.items():
            draft.core[path] = Entry(data)

    return write


SUITE = (
    Fault("config-package", "core's config/ is a Go package with files of the same names", write=_with(CONFIG_PACKAGE)),
    Fault("own-tasks", "core has a tasks.py and a tasks/ package of its own", write=_with(OWN_TASKS)),
)
