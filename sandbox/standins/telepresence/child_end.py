"""The start and the end of the command after `--`. telepresence does not pass on its exit code."""

from __future__ import annotations

import shlex
import shutil
from typing import Any

from sandbox.protocol.call import Answer, Call
from sandbox.standins.telepresence.engage import end
from sandbox.standins.telepresence.quit import disconnect


def started(call: Call, world: Any, after: str, pid: int) -> None:
    """Record the child's pid: ending the intercept kills the child."""
    intercept = _held(world, after)
    if intercept is not None:
        intercept.child = pid


def ended(call: Call, world: Any, after: str, code: int) -> Answer:
    """Leave the intercept after the child has ended. The exit code is 1 for any failure of the child."""
    words, run = world.user(call).notes.pop("child", ([], None))
    intercept = _held(world, after)
    if intercept is not None:
        intercept.child = 0
        end(world, next(c for c in world.clusters.values() if intercept in c.intercepts), intercept)
    elif after == "connect" and run is not None:
        disconnect(run, stop_daemons=False)
    if code == 0:
        return Answer(0, writes=True)
    if code == 127 and not shutil.which(words[0], path=call.env.get("PATH")):
        return Answer(
            1,
            stderr=f'telepresence {run.parsed.command}: error: exec: "{words[0]}": executable file not found in $PATH\n',
        )
    how = f"exited with {code}" if code > 0 else f"signal: {-code}"
    path = shutil.which(words[0], path=call.env.get("PATH")) or words[0]
    return Answer(
        1, stderr=f"telepresence {run.parsed.command}: error: {path} {shlex.join(words)}: {how}\n", writes=True
    )


def _held(world: Any, after: str) -> Any:
    verb, _, name = after.partition(" ")
    if verb != "leave":
        return None
    return next((i for c in world.clusters.values() for i in c.intercepts if i.id == name and i.ends is None), None)
