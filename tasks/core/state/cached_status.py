"""`inv status --cached`: what the last `inv status` saw, each fact with its age.

It imports very little, so that a prompt or an editor can run it often: `python3 -S -E cached_status.py [--json]`.
"""

from __future__ import annotations

import _signal  # signal itself would import enum

if __name__ == "__main__":  # scripts/inv ignores Ctrl-C until here: from here on it ends this without a traceback
    _signal.signal(_signal.SIGINT, _signal.SIG_DFL)

import json
import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing typing takes longer than everything done here
    from typing import Any

_MARKS = {"ok": "  ", "warn": "! ", "bad": "!!", "unknown": "? "}


def state_folder() -> str:
    """Return the state folder: `$REMOTE_DEV_STATE`, else `remote-dev` in the user's XDG state folder."""
    base = os.environ.get("REMOTE_DEV_STATE")
    if base:
        return os.path.abspath(base)
    home = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(home, "remote-dev")


def path() -> str:
    """Return the file that keeps the last status."""
    return os.path.join(state_folder(), "status.json")


def age(seconds: float) -> str:
    """Return a number of seconds as people write an age."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return f"{max(0, seconds):.0f} s ago"


def _one_line(text: str) -> str:
    """The text without control characters, as `visible.one_line`; this file is run alone, so it imports nothing of ours."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def lines(document: dict[str, Any], now: float) -> list[str]:
    """Return the facts as lines for a person, in the order of their sections."""
    shown = []
    facts = document["facts"]
    width = max((len(f["section"]) for f in facts), default=0)
    names = max((len(f["name"]) for f in facts), default=0)
    before = ""
    for fact in facts:
        section = fact["section"] if fact["section"] != before else ""
        before = fact["section"]
        old = now - fact["at"]
        tail = f"   ({age(old)})" if old > 5 else ""
        value = _one_line(f"{fact['name']:<{names}}  {fact['value']}")
        shown.append(f"{_MARKS.get(fact['state'], '  ')} {section:<{width}}  {value}{tail}".rstrip())
        if fact.get("fix") and fact["state"] != "ok":
            shown.append(f"   {'':<{width}}  {'':<{names}}  fix: {_one_line(fact['fix'])}")
    return shown


def main(words: list[str]) -> int:
    """Print the kept facts. Return the exit code: 1 without facts."""
    as_json = "--json" in words
    try:
        if not os.path.isfile(path()):  # to open a named pipe would wait for its writer
            return _nothing_kept(as_json)
        if os.stat(state_folder()).st_uid != os.geteuid():  # the other tasks refuse such a folder and say why
            return _nothing_kept(as_json)
        with open(path(), encoding="utf-8") as file:
            document = json.load(file)
        shown = lines(document, time.time())
    except (OSError, ValueError, LookupError, AttributeError, TypeError, ArithmeticError, RecursionError):
        return _nothing_kept(as_json)  # a file of another version, or one that is damaged
    unknown = [word for word in words if word != "--json"]
    if unknown:
        sys.stderr.write(f"error: inv status --cached does not know {unknown[0]}\n  fix: inv --help status\n")
        return 1
    return _print(json.dumps({**document, "cached": True}) if as_json else "\n".join(shown))


def _nothing_kept(as_json: bool) -> int:
    sys.stderr.write("error: no status is kept yet\n  fix: inv status\n")
    if as_json:
        error = {"what": "no status is kept yet", "why": "", "fix": "inv status"}
        sys.stdout.write(json.dumps({"schema": 1, "error": error, "exit": 1}) + "\n")
    return 1


def _print(text: str) -> int:
    try:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()
    except OSError as why:  # a full disk is an error, a reader that has ended is not
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(why, BrokenPipeError):
            return 0
        sys.stderr.write(f"error: cannot write the result: {why.strerror}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
