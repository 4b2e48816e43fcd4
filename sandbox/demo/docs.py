"""The documentation, run: every command line of README.md and docs/*.md in a sandbox, its output put into the page.

A command line is one that starts with `$ ` in a block fenced as ```console. An HTML comment right before the fence says
more, several words apart by `;`:

    show             the output stands in the block; `python -m sandbox.demo.docs` puts it there
    exit N           the commands end with N instead of 0
    until: TEXT      the last command goes on; when it has said TEXT it gets Ctrl-C
    with: FAULT      this fault is planted while the block runs
    before: COMMAND  runs first and is not shown: what the reader has done before
    not run: WHY     only where no sandbox can stand in
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

from sandbox import control, sample
from sandbox.control import Box
from tasks.core import ports, ui
from tasks.core.config.catalogue import catalogue, read
from tasks.core.config.settings import settings
from tasks.core.errors import Trouble
from tasks.core.repository import repository_root

_BLOCK = re.compile(r"(?:^<!-- (?P<marks>.+?) -->\n)?^```console\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_LIMIT = 120.0  # seconds for one command
_INTERRUPTED = (0, 130)


@dataclass(frozen=True)
class Block:
    """A console block: its commands, and what its comment says. start, end: of its body in the page."""

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
    """README.md and the pages of docs/, as a reader finds them."""
    return [root / "README.md", *sorted((root / "docs").glob("*.md"))]


def blocks(text: str) -> list[Block]:
    """The console blocks of a page, in order. Raises Trouble for a word in a comment that is not known."""
    return [_block(found) for found in _BLOCK.finditer(text)]


def _block(found: re.Match[str]) -> Block:
    body = found["body"]
    known: dict[str, str] = {}
    for word in (found["marks"] or "").split(";"):
        name, _, value = word.strip().partition(":") if ":" in word else word.strip().partition(" ")
        if name not in {"", "show", "exit", "until", "with", "before", "not run"}:
            raise Trouble(f"a comment before a console block says '{word.strip()}'", fix="see sandbox/demo/docs.py")
        known[name] = value.strip()
    return Block(
        commands=tuple(line[2:] for line in body.splitlines() if line.startswith("$ ")),
        body=body,
        start=found.start("body"),
        end=found.end("body"),
        show="show" in known,
        exit=int(known.get("exit") or 0),
        until=known.get("until", ""),
        fault=known.get("with", ""),
        before=known.get("before", ""),
        not_run=known.get("not run", ""),
    )


class Stage:
    """A sandbox with a core repository as the page's reader has it. Commands see what those before them did.

    ports: as the page has them -> as they are on this stage, so that several can play side by side.
    """

    def __init__(self, box: Box, core: Path, folder: Path, ports: dict[str, str]) -> None:
        self.box, self.core, self.folder, self.ports = box, core, folder, ports
        program = folder / "bin" / "inv"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{core}/tasks.py" "$@"\n')
        program.chmod(0o755)
        self.env = box.environment(PATH=f"{program.parent}:{box.env['PATH']}", CI="true", SUITE=str(repository_root()))

    def play(self, block: Block) -> str:
        """Run the block; its body with what the commands said. Raises Trouble when one ends in another way."""
        if block.before:
            self.run(block.before)
        if block.fault:
            control.fault(self.box, block.fault)
        try:
            return "".join(
                f"$ {command}\n{self._said(command, block, block.until if command is block.commands[-1] else '')}"
                for command in block.commands
            )
        finally:
            if block.fault:
                control.fault(self.box, block.fault, on=False)

    def _said(self, command: str, block: Block, until: str) -> str:
        code, said = self.run(command, until)
        expected = _INTERRUPTED if until else (block.exit,)
        if code not in expected or until not in said:
            raise Trouble(
                f"$ {command}: exit {code} instead of {expected[-1]}\n{said}", fix="mend the page or the command"
            )
        return self.shown(said)

    def run(self, command: str, until: str = "") -> tuple[int, str]:
        """One command line as a person types it; exit code and output, both streams as a terminal mixes them."""
        own = re.sub(r"^\./scripts/inv\b", "inv", command)
        for page, here in self.ports.items():
            own = re.sub(rf"\b{page}\b", here, own)
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as out:
            process = subprocess.Popen(
                ["bash", "-c", own],
                env=self.env,
                cwd=self.core,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

            def said() -> str:
                out.seek(0)
                return out.read()

            end = time.monotonic() + _LIMIT
            while until and until not in said() and process.poll() is None and time.monotonic() < end:
                time.sleep(0.05)
            if until and process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
            try:
                code = process.wait(max(1.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                code = process.wait()
            return code, said()

    def shown(self, said: str) -> str:
        """What a page shows: places of this run as a reader's own."""
        for place, name in ((self.core, "~/core"), (self.box.path / "home", "~"), (self.box.path, "/tmp/sandbox")):
            said = said.replace(str(place), name)
        for page, here in self.ports.items():
            said = re.sub(rf"\b{here}\b", page, said)
        lines = [line.rstrip() for line in said.splitlines()]
        return "".join(f"{line}\n" for line in lines)


@contextmanager
def stage() -> Iterator[Stage]:
    """A new stage: a core repository with the suite in it, ports of its own; all of it is gone afterwards."""
    s = settings()
    own = {str(catalogue().services[0].ports[0].port): str(ports.free())}
    with tempfile.TemporaryDirectory(prefix="docs-") as name:
        folder = Path(name)
        config = folder / "config"
        shutil.copytree(repository_root() / "config", config, ignore=shutil.ignore_patterns("settings.local.yaml"))
        file = config / "services.yaml"
        text = file.read_text("utf-8")
        for page, here in own.items():
            text = re.sub(rf"\bport: {page}\b", f"port: {here}", text)
        file.write_text(text, encoding="utf-8")
        services = read(file)
        pair = sample.make(folder, services, registry=s.registry.host, submodule=s.repositories.gitops)
        core = sample.suite_in(pair, repository_root())
        shutil.copytree(config, core / "config", dirs_exist_ok=True)
        box = control.up(repo=core)
        try:
            yield Stage(box, core, folder, own)
        finally:
            control.down(box)


def rendered(text: str) -> str:
    """The page with the output of its `show` blocks as it is now. Raises Trouble for a command that does not do as said."""
    found = [block for block in blocks(text) if not block.not_run]
    if not found:
        return text
    pieces, at = [], 0
    with stage() as scene:
        for block in found:
            body = scene.play(block)
            if block.show:
                pieces += [text[at : block.start], body]
                at = block.end
    return "".join([*pieces, text[at:]])


def same(one: str, other: str) -> bool:
    """Do the pages differ in nothing but numbers, ids, blanks, and the order of lines that steps side by side print?"""
    return _plain(one) == _plain(other)


def differences(one: str, other: str) -> list[str]:
    """The lines in which they differ, with `-` and `+`, numbers as 0; none when they are the same."""
    import difflib

    found = difflib.unified_diff(_plain(one), _plain(other), lineterm="", n=0)
    return [line for line in found if line[:1] in "+-" and line[:3] not in ("+++", "---")]


def _plain(text: str) -> list[str]:
    text = re.sub(r"  \d+\.\d s$", "", text, flags=re.MULTILINE)  # progress names seconds only where there were some
    text = re.sub(r"\b[0-9a-f]{6,}\b|\b[a-z0-9]*\d[a-z0-9]*\b", "0", text)
    return sorted(re.sub(r"\d+(?:\.\d+)?", "0", re.sub(r"[ \t]+", " ", text)).splitlines())


def main(words: Sequence[str]) -> None:
    """Bring the named pages, or all, to what the commands say now."""
    root = repository_root()
    for page in [Path(word) for word in words] or pages(root):
        text = page.read_text("utf-8")
        now = rendered(text)
        if not same(text, now):
            page.write_text(now, encoding="utf-8")
        ui.talk(f"{page.name}: {'as it was' if same(text, now) else 'written'}")


if __name__ == "__main__":
    main(sys.argv[1:])
