"""The command after `--`: the client runs it with the pod's environment."""

from __future__ import annotations

from sandbox.protocol.call import Answer
from sandbox.standins.telepresence.run import Run


def start_child(run: Run, words: list[str], environment: dict[str, str], after: str) -> Answer:
    """Let the client run the command. after: what to do when it ends: `leave ID`, `connect` (disconnect) or `keep`."""
    run.user.notes["child"] = (words, run)
    return Answer(run=words, run_env=environment, after=after, stderr="".join(run.err), writes=True)
