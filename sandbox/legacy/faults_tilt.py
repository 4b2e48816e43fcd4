"""Faults of the Tiltfile's own settings, and of the Telepresence script."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sandbox.legacy.archive import Entry
from sandbox.legacy.model import Draft, Fault

_TILTFILE, _SCRIPT = "Tiltfile", "tools/dev/telepresence.sh"
_PARSE = "cfg = config.parse()\n"
_DEFINE = "config.define_"


def _changed(path: str, change: Callable[[str], str]) -> Callable[[Draft], None]:
    def write(draft: Draft) -> None:
        entry = draft.core[path]
        draft.core[path] = replace(entry, data=change(entry.text).encode())

    return write


def _parse_elsewhere(draft: Draft) -> None:
    """Move the settings into a file of tilt/, which parses them when it is loaded."""
    entry = draft.core[_TILTFILE]
    lines = entry.text.splitlines(keepends=True)
    moved = [line for line in lines if line.startswith(_DEFINE) or line == _PARSE]
    kept = "".join(line for line in lines if line not in moved)
    head, load, rest = kept.partition("load('./tilt/infra_layers.tilt'")
    draft.core[_TILTFILE] = replace(entry, data=f"{head}load('./tilt/settings.tilt', 'cfg')\n{load}{rest}".encode())
    draft.core["tilt/settings.tilt"] = Entry("".join(moved).encode())


TILT = (
    Fault(
        "own-intercept",
        "the Tiltfile has a setting named intercept",
        write=_changed(_TILTFILE, lambda text: text.replace(_PARSE, f"config.define_bool('intercept')\n{_PARSE}")),
    ),
    Fault("parse-elsewhere", "a file in tilt/ calls config.parse when the Tiltfile loads it", write=_parse_elsewhere),
    Fault(
        "telepresence-verb",
        "the team's Telepresence script has a verb that no task does",
        write=_changed(
            _SCRIPT, lambda text: text.replace("  leave)", "  gather) telepresence gather-logs ;;\n  leave)")
        ),
    ),
)
