"""Run every command line of README.md and docs/*.md in `inv sandbox.shell --sample` and update the output in the page.

A command line starts with `$ ` in a block fenced as ```console. An HTML comment right before the fence holds options,
separated by `;`:

    show             the block shows the output; `python -m sandbox.demo.docs` updates it
    exit N           the commands exit with N instead of 0
    until: TEXT      the last command keeps running; Ctrl-C is sent when its output contains TEXT
    with: FAULT      this fault is on while the block runs
    before: COMMAND  a command to run first, not shown: a step that the reader has done before
    not run: WHY     the block cannot run in a sandbox
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox import control
from sandbox.box import load
from sandbox.demo.output import text_of
from sandbox.protocol.call import BOX_VARIABLE
from tasks.core import ports, ui
from tasks.core.config.catalogue import catalogue
from tasks.core.errors import Trouble
from tasks.core.repository import repository_root
from tasks.core.wait import until

_BLOCK = re.compile(r"(?:^<!-- (?P<marks>.+?) -->\n)?^```console\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_LIMIT = 120.0  # seconds for one command
_INTERRUPTED = (0, 130)


@dataclass(frozen=True)
class Block:
    """A console block: its commands and its options. start, end: of its body in the page."""

    commands: tuple[str, ...]
    body: str
    start: int
    end: int
    show: bool = False
    exit: int = 0
    until: str = ""
    fault: str = ""
    before: str = ""
    not_run: str = ""


def pages(root: Path) -> list[Path]:
    """README.md and the pages of docs/."""
    return [root / "README.md", *sorted((root / "docs").glob("*.md"))]


def blocks(text: str) -> list[Block]:
    """The console blocks of a page, in order. Raises Trouble for an unknown option."""
    return [_block(match) for match in _BLOCK.finditer(text)]


def _block(match: re.Match[str]) -> Block:
    body = match["body"]
    known: dict[str, str] = {}
    for word in (match["marks"] or "").split(";"):
        name, _, value = word.strip().partition(":") if ":" in word else word.strip().partition(" ")
        if name not in {"", "show", "exit", "until", "with", "before", "not run"}:
            raise Trouble(f"'{word.strip()}' is not an option of a console block", fix="see sandbox/demo/docs.py")
        known[name] = value.strip()
    return Block(
        commands=tuple(line[2:] for line in body.splitlines() if line.startswith("$ ")),
        body=body,
        start=match.start("body"),
        end=match.end("body"),
        show="show" in known,
        exit=int(known.get("exit") or 0),
        until=known.get("until", ""),
        fault=known.get("with", ""),
        before=known.get("before", ""),
        not_run=known.get("not run", ""),
    )


class Stage:
    """The shell of a reader in a sample repository. Commands see the results of earlier commands.

    env: the variables of that shell
    ports: port in the page -> port of this stage, so that several stages can run at the same time
    """

    def __init__(self, env: dict[str, str], ports: dict[str, str]) -> None:
        self.env, self.ports = {**env, "CI": "true"}, ports
        self.box, self.core = load(Path(env[BOX_VARIABLE])), Path(env["PWD"])

    def play(self, block: Block) -> str:
        """Run the block and return its body with the commands' output. Raises Trouble for an unexpected exit code."""
        if block.before:
            self.run(block.before)
        if block.fault:
            control.fault(self.box, block.fault)
        try:
            return "".join(
                f"$ {command}\n{self._output_of(command, block, block.until if command is block.commands[-1] else '')}"
                for command in block.commands
            )
        finally:
            if block.fault:
                control.fault(self.box, block.fault, on=False)

    def _output_of(self, command: str, block: Block, awaited: str) -> str:
        code, text = self.run(command, awaited)
        expected = _INTERRUPTED if awaited else (block.exit,)
        if code not in expected or awaited not in text:
            raise Trouble(
                f"$ {command}: exit {code} instead of {expected[-1]}\n{text}", fix="fix the page or the command"
            )
        return self.shown(text)

    def run(self, command: str, awaited: str = "") -> tuple[int, str]:
        """Run one command line as typed. Returns the exit code and the output with both streams mixed, as in a terminal."""
        own = command
        for page, here in self.ports.items():
            own = re.sub(rf"\b{page}\b", here, own)
        with tempfile.TemporaryFile() as out:
            process = subprocess.Popen(
                ["bash", "-c", own],
                env=self.env,
                cwd=self.core,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

            def output() -> str:
                return text_of(out.fileno())

            end = time.monotonic() + _LIMIT
            while awaited and awaited not in output() and process.poll() is None and time.monotonic() < end:
                time.sleep(0.05)
            if awaited and process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
            try:
                code = process.wait(max(1.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                code = process.wait()
            return code, output()

    def shown(self, text: str) -> str:
        """The output for the page, with this run's folders and ports replaced by the reader's."""
        for place, name in ((self.core, "~/core"), (self.box.path / "home", "~"), (self.box.path, "/tmp/sandbox")):
            text = text.replace(str(place), name)
        for page, here in self.ports.items():
            text = re.sub(rf"\b{here}\b", page, text)
        lines = [line.rstrip() for line in text.splitlines()]
        return "".join(f"{line}\n" for line in lines)


@contextmanager
def stage() -> Iterator[Stage]:
    """A new stage, with ports of its own. It ends as a reader's shell does, and must leave nothing behind."""
    own = {str(catalogue().services[0].ports[0].port): str(ports.free())}
    with tempfile.TemporaryDirectory(prefix="docs-") as name:
        config = Path(name) / "config"
        shutil.copytree(repository_root() / "config", config, ignore=shutil.ignore_patterns("settings.local.yaml"))
        file = config / "services.yaml"
        text = file.read_text("utf-8")
        for page, here in own.items():
            text = re.sub(rf"\bport: {page}\b", f"port: {here}", text)
        file.write_text(text, encoding="utf-8")
        with _shell("--sample", "--repo", name) as env:
            scene = Stage(env, own)
            yield scene
        if not until(lambda: not scene.box.path.exists(), for_=30):
            raise Trouble(f"the sandbox's shell left {scene.box.path}", fix=f"inv sandbox.down --id {scene.box.id}")


@contextmanager
def _shell(*flags: str) -> Iterator[dict[str, str]]:
    """Open `inv sandbox.shell` and return the variables that its commands get. It ends when its input ends."""
    words = [sys.executable, str(repository_root() / "tasks.py"), "sandbox.shell", *flags]
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=out, env={**os.environ, "SHELL": "/bin/sh"})
        assert process.stdin
        with process.stdin as typed:
            typed.write(b"env -0; echo end\n")
            typed.flush()

            def output() -> str:
                return text_of(out.fileno())

            if not until(lambda: output().endswith("end\n") or process.poll() is not None, every=0.05, for_=_LIMIT):
                process.kill()
            variables = output().split("\0")[:-1]
            yield dict(variable.split("=", 1) for variable in variables)
        process.wait()


def rendered(text: str) -> str:
    """The page with the current output of its `show` blocks. Raises Trouble for an unexpected exit code."""
    to_run = [block for block in blocks(text) if not block.not_run]
    if not to_run:
        return text
    pieces, at = [], 0
    with stage() as scene:
        for block in to_run:
            body = scene.play(block)
            if block.show:
                pieces += [text[at : block.start], body]
                at = block.end
    return "".join([*pieces, text[at:]])


def same(page: str, other: str) -> bool:
    """Are the pages equal, apart from numbers, ids, blanks and the order of lines of parallel steps?"""
    return _plain(page) == _plain(other)


def differences(page: str, other: str) -> list[str]:
    """The lines that differ, marked `-` and `+`, with numbers as 0."""
    import difflib

    lines = difflib.unified_diff(_plain(page), _plain(other), lineterm="", n=0)
    return [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]


def _plain(text: str) -> list[str]:
    text = re.sub(
        r"  \d+\.\d s$", "", text, flags=re.MULTILINE
    )  # progress lines show seconds only for steps that took time
    text = re.sub(r"\b[0-9a-f]{6,}\b|\b[a-z0-9]*\d[a-z0-9]*\b", "0", text)
    return sorted(re.sub(r"\d+(?:\.\d+)?", "0", re.sub(r"[ \t]+", " ", text)).splitlines())


def main(words: Sequence[str]) -> None:
    """Update the named pages, or all, with the commands' current output."""
    root = repository_root()
    for page in [Path(word) for word in words] or pages(root):
        text = page.read_text("utf-8")
        now = rendered(text)
        if not same(text, now):
            page.write_text(now, encoding="utf-8")
        ui.talk(f"{page.name}: {'unchanged' if same(text, now) else 'written'}")


if __name__ == "__main__":
    main(sys.argv[1:])
