"""One call of telepresence: version differences, output, and the current session."""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.protocol.call import Answer, Call
from sandbox.standins.telepresence.args import Parsed
from sandbox.standins.telepresence.daemon import Daemon
from sandbox.world.cluster import Cluster, Intercept
from sandbox.world.state import User, World

_BUG = (
    '\n\nSee logs for details (1 error found): "{home}/.cache/telepresence/logs/connector.log"\nIf you think you have '
    "encountered a bug, please run `telepresence gather-logs` and attach the telepresence_logs.zip to your github issue "
    "or create a new one: https://github.com/telepresenceio/telepresence/issues/new?template=Bug_report.md ."
)


class Failure(Exception):
    """The command fails with exit code 1.

    logs: 2.19 adds a pointer to its logs; bare: 2.25 and newer print the text without `telepresence CMD: error: `
    """

    def __init__(self, text: str, *, logs: bool = False, bare: bool = False) -> None:
        super().__init__(text)
        self.text, self.logs, self.bare = text, logs, bare


@dataclass
class Run:
    """The context of a command."""

    call: Call
    world: World
    parsed: Parsed
    version: str
    user: User
    err: list[str] = field(default_factory=list)  # deprecations and warnings, each with its newline
    writes: bool = False

    # --- version differences
    @property
    def unix_sockets(self) -> bool:
        """Up to 2.25: daemons listen on fixed Unix sockets, and a second connect conflicts with the session."""
        return self.version < "2.26"

    @property
    def old(self) -> bool:
        """2.19: the JSON envelopes and texts before 2.22."""
        return self.version < "2.22"

    @property
    def new(self) -> bool:
        """2.31: --format, detach, random order of JSON keys."""
        return self.version >= "2.29"

    @property
    def format(self) -> str:
        """The output format: json, yaml, or "" for text."""
        chosen = (
            self.parsed.value("format") or self.parsed.value("output") or ("json" if self.parsed.on("json") else "")
        )
        return "" if chosen == "default" else chosen

    @property
    def bare_json(self) -> bool:
        """Whether JSON has no envelope (`--format`)."""
        return "format" in self.parsed.flags

    # --- output
    def say(self, text: str) -> None:
        """Print a line of progress on stdout immediately. Prints nothing for JSON and YAML."""
        if not self.format and self.parsed.value("progress") != "quiet":
            self.world.emit(self.call, text + "\n")

    def warn(self, text: str) -> None:
        """Print a warning immediately: 2.19 on stdout, newer versions on stderr. Prints nothing for JSON."""
        if not self.format:
            self.world.emit(self.call, text + "\n", error=not self.old)

    def text(self, text: str) -> Answer:
        """Succeed with a text. For JSON it is an envelope, or nothing if the version prints nothing."""
        if not self.format:
            return self.answer(text)
        if self.bare_json or not text:
            return self.answer("")
        return self.answer(self.dump({"cmd": self.parsed.command.split()[-1], "stdout": text}))

    def object(self, payload: Any, text: str, clean: bool = False) -> Answer:
        """Succeed with data. clean: without an envelope even for `--output`."""
        if not self.format:
            return self.answer(text)
        if clean or self.bare_json:
            return self.answer(self.dump(payload))
        return self.answer(self.dump({"cmd": self.parsed.command.split()[-1], "stdout": payload}))

    def answer(self, stdout: str, exit: int = 0, stderr: str = "") -> Answer:
        """The answer with the collected warnings."""
        return Answer(exit, stdout, "".join(self.err) + stderr, writes=self.writes)

    def failed(self, failure: Failure) -> Answer:
        """The answer of a failed command in this version's format."""
        name = self.parsed.command
        if self.format == "yaml":
            if self.old:
                return self.answer(f"cmd: {name.split()[-1]}\nstdout: null\nstderr: null\nerr: {failure.text}\n", 1)
            return self.answer(self.dump({"error": failure.text}), 1)
        if self.format:
            body = {"error": failure.text} if self.bare_json else {"cmd": name.split()[-1], "err": failure.text}
            return self.answer(self.dump(body), 1)
        text = failure.text + (_BUG.format(home=self.call.home) if failure.logs and self.old else "")
        prefix = "" if failure.bare and not self.old else f"telepresence {name}: error: "
        return self.answer("", 1, f"{prefix}{text}\n")

    def dump(self, payload: Any) -> str:
        """JSON or YAML as the version writes it: 2.31 with random key order and without a final newline."""
        if self.format == "yaml":
            import yaml

            return str(yaml.safe_dump(payload, sort_keys=True, allow_unicode=True))
        if self.new:
            return json.dumps(_shuffled(payload), ensure_ascii=False, separators=(",", ":"))
        return json.dumps(payload, ensure_ascii=False, separators=(",", ":")) + "\n"

    # --- state
    @property
    def cluster(self) -> Cluster:
        """The cluster of the current session."""
        daemon = self.session()
        cluster = self.world.cluster_at(daemon.server) if daemon else None
        return cluster or self.world.cluster

    def session(self) -> Daemon | None:
        """The connected daemon that this command would use."""
        if self.new and self.world.fault("status-wrong"):
            return None
        live = [d for d in self.user.daemons if d.state == "connected" and not d.orphan]
        return live[-1] if live else None

    def is_silent(self) -> bool:
        """Whether the session's daemons wait for an API server that never answers: `status`, `list` and `quit` hang then."""
        return self.world.silent() and self.session() is not None

    def engaged_by(self, daemon: Daemon) -> list[Intercept]:
        """The intercepts and replacements of a daemon's session."""
        with self.world.lock:
            return [i for i in self.cluster.intercepts if i.session == daemon.session and i.ends is None]

    def idle(self) -> Daemon | None:
        """A daemon without a session (2.19 and 2.25 keep them running)."""
        live = [d for d in self.user.daemons if d.state == "idle"]
        return live[-1] if live else None

    def starting(self) -> Daemon | None:
        """A daemon that another command has started and not connected yet."""
        live = [d for d in self.user.daemons if d.is_being_connected()]
        return live[-1] if live else None

    def lost(self) -> Daemon | None:
        """A daemon that was killed a moment ago and is not yet known to be dead."""
        span = 6.0 if self.world.profile.connect > 1 else 0.5
        dead = [d for d in self.user.daemons if d.state == "dead" and d.died and time.monotonic() - d.died < span]
        return dead[-1] if dead else None

    def log(self, text: str, name: str = "connector") -> None:
        """Append a line to a daemon's log file. Ignores a log that is not writable."""
        folder = Path(self.call.home, ".cache/telepresence/logs")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with open(folder / f"{name}.log", "a", encoding="utf-8") as file:
                file.write(text + "\n")
        except OSError:
            return


def _shuffled(value: Any) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        random.shuffle(keys)
        return {k: _shuffled(value[k]) for k in keys}
    if isinstance(value, list):
        return [_shuffled(v) for v in value]
    return value
