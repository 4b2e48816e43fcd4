"""One run of telepresence: its version's ways, what it prints and how, the session it finds."""

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
from sandbox.world.cluster import Cluster
from sandbox.world.state import User, World

_BUG = (
    '\n\nSee logs for details (1 error found): "{home}/.cache/telepresence/logs/connector.log"\nIf you think you have '
    "encountered a bug, please run `telepresence gather-logs` and attach the telepresence_logs.zip to your github issue "
    "or create a new one: https://github.com/telepresenceio/telepresence/issues/new?template=Bug_report.md ."
)


class Failure(Exception):
    """The command fails with exit 1. prefix: text has `telepresence CMD: error: ` before it (where the version has
    both). logs: 2.19 points to its logs. bare: 2.25 and newer print it without the prefix."""

    def __init__(self, text: str, *, logs: bool = False, bare: bool = False) -> None:
        super().__init__(text)
        self.text, self.logs, self.bare = text, logs, bare


@dataclass
class Run:
    """What a command needs."""

    call: Call
    world: World
    parsed: Parsed
    version: str
    user: User
    err: list[str] = field(default_factory=list)  # deprecations and warnings, each with its newline
    writes: bool = False

    # --- the version's ways
    @property
    def unix_sockets(self) -> bool:
        """Up to 2.25: daemons at fixed unix sockets, a session that another connect collides with."""
        return self.version < "2.26"

    @property
    def old(self) -> bool:
        """2.19: envelopes, texts and shapes of the time before 2.22."""
        return self.version < "2.22"

    @property
    def new(self) -> bool:
        """2.31: --format, detach, random key order."""
        return self.version >= "2.29"

    @property
    def format(self) -> str:
        """json, yaml or "" for text."""
        chosen = self.parsed.one("format") or self.parsed.one("output") or ("json" if self.parsed.on("json") else "")
        return "" if chosen == "default" else chosen

    @property
    def bare_json(self) -> bool:
        """`--format`: the payload without an envelope."""
        return "format" in self.parsed.flags

    # --- output
    def say(self, text: str) -> None:
        """A line of progress on stdout at once; silent where the format is JSON or YAML."""
        if not self.format and self.parsed.one("progress") != "quiet":
            self.world.emit(self.call, text + "\n")

    def warn(self, text: str) -> None:
        """A warning at once: on stdout in 2.19, on stderr later; silent under JSON."""
        if not self.format:
            self.world.emit(self.call, text + "\n", error=not self.old)

    def text(self, text: str) -> Answer:
        """Success with text: under JSON an envelope, or nothing where the version's JSON has nothing."""
        if not self.format:
            return self.answer(text)
        if self.bare_json or not text:
            return self.answer("")
        return self.answer(self.dump({"cmd": self.parsed.command.split()[-1], "stdout": text}))

    def object(self, payload: Any, text: str, clean: bool = False) -> Answer:
        """Success with data: `clean` data has no envelope even under `--output`."""
        if not self.format:
            return self.answer(text)
        if clean or self.bare_json:
            return self.answer(self.dump(payload))
        return self.answer(self.dump({"cmd": self.parsed.command.split()[-1], "stdout": payload}))

    def answer(self, stdout: str, exit: int = 0, stderr: str = "") -> Answer:
        """The end, with the deprecations that came up."""
        return Answer(exit, stdout, "".join(self.err) + stderr, writes=self.writes)

    def failed(self, failure: Failure) -> Answer:
        """The end of a command that failed, in this version's form."""
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
        """JSON or YAML as the version writes it: 2.31 in random key order and without a last newline."""
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
        found = self.world.cluster_at(daemon.server) if daemon else None
        return found or self.world.cluster

    def session(self) -> Daemon | None:
        """The connected daemon that this command would talk to."""
        if self.new and self.world.fault("status-lies"):
            return None
        live = [d for d in self.user.daemons if d.state == "connected" and not d.orphan]
        return live[-1] if live else None

    def idle(self) -> Daemon | None:
        """A daemon that runs without a session (2.19 and 2.25 keep them)."""
        live = [d for d in self.user.daemons if d.state == "idle"]
        return live[-1] if live else None

    def lost(self) -> Daemon | None:
        """A daemon that was killed a moment ago; nothing has noticed yet."""
        span = 6.0 if self.world.profile.connect > 1 else 0.5
        dead = [d for d in self.user.daemons if d.state == "dead" and d.died and time.monotonic() - d.died < span]
        return dead[-1] if dead else None

    def log(self, text: str, name: str = "connector") -> None:
        """A line in a daemon's log file; a log that cannot be written is none."""
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
