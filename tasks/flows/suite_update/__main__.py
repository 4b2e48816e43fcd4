"""`python -m tasks.flows.suite_update OPTIONS`, as tasks/flows/suite/cli.py starts it. OPTIONS: a JSON object."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tasks.core import ui
from tasks.core.config.settings import settings
from tasks.core.errors import Trouble
from tasks.core.process.interrupt import take_signals
from tasks.flows.suite_update import cli


def main(options: str) -> int:
    """Run the update. Returns 0, or the Trouble's exit code."""
    take_signals()
    given = json.loads(options)
    try:
        cli.update(settings(), Path(given.pop("root")), given.pop("keep"), **given)
    except Trouble as why:
        if given["json"]:
            ui.failure_as_json(why)
        ui.talk(why.text())
        return int(why.code)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
