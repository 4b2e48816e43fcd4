"""The stand-in for tilt 0.37.6: it evaluates the real Tiltfile and runs its resources. Texts were recorded."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sandbox.protocol.call import Answer, Call
from sandbox.standins import kubeconfig
from sandbox.standins.go.flags import UnknownFlag, Words, parse
from sandbox.standins.tilt import api
from sandbox.standins.tilt.options import VERSION_LINE, Options
from sandbox.standins.tilt.result import document
from sandbox.world.state import World
from starlark_harness import TiltfileError, evaluate

_ROOT = str(Path(__file__).resolve().parents[3])
_EVERYWHERE = "debug/d klog= verbose/v help/h"
_START = "context= file/f= host= namespace= port= log-level= log-resource= log-source= output-snapshot-on-exit= web-mode= webdev-port="
_AT = "host= port="
_FLAGS = {
    "up": f"{_START} legacy stream update-mode=",
    "ci": f"{_START} timeout=",
    "down": "context= delete-namespaces delete-volumes file/f= namespace=",
    "alpha tiltfile-result": "builtin-timings/b context= dur-threshold= file/f=",
    "get": f"{_AT} output/o= selector/l= field-selector= ignore-not-found no-headers watch/w watch-only show-labels",
    "trigger": _AT,
    "enable": f"{_AT} all only labels/l=",
    "disable": f"{_AT} all labels/l=",
    "args": f"{_AT} clear",
    "version": "",
}


def handle(call: Call, world: World) -> Answer:
    """Answer one call of tilt."""
    words = list(call.argv)
    while words and words[0] in {"-v", "--verbose", "-d", "--debug"}:
        words.pop(0)
    if words[:1] == ["--version"]:
        return Answer(stdout=f"{VERSION_LINE}\n")
    if not words or words[0] in {"--help", "-h", "help"}:
        return Answer(stdout=_help(""))
    name = " ".join(words[:2]) if words[0] == "alpha" else words[0]
    if name not in _FLAGS:
        return Answer(1, stderr=f'Error: unknown command "{name}" for "tilt"\n')
    try:
        parsed = parse(words[len(name.split()) :], f"{_FLAGS[name]} {_EVERYWHERE}")
    except UnknownFlag as why:
        _, heading, usage = _help(name).partition("Usage:")
        return Answer(1, f"{why}\n", f"Error: {why}\n{heading}{usage}\n")
    if parsed.on("help"):
        return Answer(stdout=_help(name))
    return _run(call, world, name, parsed)


def _run(call: Call, world: World, name: str, parsed: Words) -> Answer:
    if name == "version":
        return Answer(stdout=f"{VERSION_LINE}\n")
    if name in {"up", "ci", "down"}:
        return _start(call, name, parsed)
    if name == "alpha tiltfile-result":
        return _tiltfile_result(call, parsed, verbose="-v" in call.argv or "--verbose" in call.argv)
    return _client(call, world, name, parsed)


def _start(call: Call, verb: str, parsed: Words) -> Answer:
    """Let the client replace itself by the process that runs the Tiltfile's resources."""
    options = Options(
        verb=verb,
        file=parsed.value("file", "Tiltfile"),
        context=parsed.value("context"),
        namespace=parsed.value("namespace"),
        host=parsed.value("host") or call.env.get("TILT_HOST") or "localhost",
        port=_port(call, parsed),
        args=tuple(parsed.words),
        timeout=_seconds(parsed.value("timeout", "30m")),
    )
    code = f"import sys; sys.path.insert(0, {_ROOT!r}); from sandbox.standins.tilt.engine import main; main()"
    return Answer(run=[sys.executable, "-c", code, json.dumps(asdict(options))], writes=verb != "down")


def _tiltfile_result(call: Call, parsed: Words, *, verbose: bool) -> Answer:
    path = Path(os.path.normpath(os.path.join(call.cwd, parsed.value("file", "Tiltfile"))))
    try:
        config = kubeconfig.load(call)
    except kubeconfig.Broken:
        config = kubeconfig.Kubeconfig([])
    context = parsed.value("context") or config.current
    context = context if context in config.contexts and config.server(context) else ""
    log: list[str] = []
    began = time.monotonic()
    loading = f"Loading Tiltfile at: {path}\n" if path.is_file() else ""
    try:
        result = evaluate(
            path,
            tuple(parsed.words),
            context=context,
            namespace=config.namespace(context) or "default",
            env=call.env,
            subcommand="alpha tiltfile-result",
            log=log,
        )
    except TiltfileError as why:
        return Answer(5, stderr=f"{loading}{''.join(line + chr(10) for line in log)}{why}\n")
    printed = "".join(f"{line}\n" for line in log)
    took = (time.monotonic() - began) * 1000
    stderr = f"{loading}{printed}Successfully loaded Tiltfile ({took:.6g}ms)\n" if verbose else ""
    return Answer(stdout=json.dumps(document(result), indent=2) + "\n", stderr=stderr)


def _client(call: Call, world: World, name: str, parsed: Words) -> Answer:
    """Run a command that queries or controls a running Tilt."""
    port = _port(call, parsed)
    instance = "tilt-default" if port == 10350 else f"tilt-{port}"
    at = api.find(call.home, instance)
    page = f"http://localhost:{port}/api"
    refused = f"dial tcp 127.0.0.1:{port}: connect: connection refused"
    gone = {
        "trigger": f'Could not connect to Tilt at {page}/trigger: Post "{page}/trigger": {refused}\n',
    }
    if not at:
        return Answer(1, stderr=gone.get(name) or f"Error: No tilt apiserver found: {instance}\n")
    try:
        answer: Answer = _VERBS[name](call, world, at, parsed)
        return answer
    except (OSError, ValueError):
        text = f"The connection to the server 127.0.0.1:{at} was refused - did you specify the right host or port?\n"
        return Answer(1, stderr=gone.get(name) or text)


def _get(call: Call, world: World, at: int, parsed: Words) -> Answer:
    kind = (parsed.words or [""])[0].lower()
    names = parsed.words[1:]
    if kind in {"uiresource", "uiresources"}:
        items, plural = api.ask(at, "resources"), "uiresources"
    elif kind in {"session", "sessions"}:
        items, plural = [api.ask(at, "session")], "sessions"
    else:
        return Answer(1, stderr=f'error: the server doesn\'t have a resource type "{kind}"\n')
    if names:
        items = [item for item in items if item["metadata"]["name"] in names]
        if not items and not parsed.on("ignore-not-found"):
            return Answer(1, stderr=f'Error from server (NotFound): {plural}.tilt.dev "{names[0]}" not found\n')
    single = items[0] if names and items else None
    return Answer(stdout=_formatted(parsed.value("output"), items, plural, single))


def _formatted(form: str, items: list[dict[str, Any]], plural: str, single: dict[str, Any] | None) -> str:
    """The text of `get -o FORM`. JSON is the single object that was requested by name, or a list."""
    if form == "json":
        whole = {"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}}
        return json.dumps(single or whole, indent=4) + "\n"
    if form == "name":
        return "".join(f"{plural[:-1]}.tilt.dev/{i['metadata']['name']}\n" for i in items)
    return _table(items)


def _table(items: list[dict[str, Any]]) -> str:
    rows = [("NAME", "CREATED AT")]
    rows += [(str(i["metadata"]["name"]), i["metadata"]["creationTimestamp"]) for i in items]
    width = max(len(name) for name, _ in rows) + 3
    return "".join(f"{name.ljust(width)}{created}\n" for name, created in rows)


def _trigger(call: Call, world: World, at: int, parsed: Words) -> Answer:
    name = (parsed.words or [""])[0]
    answer = api.ask(at, "trigger", name=name)
    if answer.get("error") == "missing":
        return Answer(1, stderr=f'Error: (404): resource "{name}" does not exist\n')
    if answer.get("error"):
        return Answer(1, stderr=f'Error: resource "{name}" is currently disabled\n')
    return Answer(stdout=f'Successfully triggered update for resource: "{name}"\n', writes=True)


def _switch(verb: str) -> Any:
    def switch(call: Call, world: World, at: int, parsed: Words) -> Answer:
        names = [i["metadata"]["name"] for i in api.ask(at, "resources")]
        for name in names if parsed.on("all") else parsed.words:
            if api.ask(at, verb, name=name).get("error") and not parsed.on("all"):
                return Answer(1, stderr=f'Error: no such resource "{name}"\n')
        return Answer(writes=True)

    return switch


def _args(call: Call, world: World, at: int, parsed: Words) -> Answer:
    args = [] if parsed.on("clear") else list(parsed.words)
    if api.ask(at, "args", args=args)["same"]:
        return Answer(stderr="Tilt is already running with those args -- no action taken\n")
    port = _port(call, parsed)
    return Answer(
        stderr=f"Changed config args for Tilt running at localhost:{port} to [{' '.join(args)}]\n", writes=True
    )


_VERBS: dict[str, Any] = {
    "get": _get,
    "trigger": _trigger,
    "enable": _switch("enable"),
    "disable": _switch("disable"),
    "args": _args,
}


def _port(call: Call, parsed: Words) -> int:
    text = parsed.value("port") or call.env.get("TILT_PORT") or "10350"
    return int(text) if text.isdigit() else 10350


def _seconds(text: str) -> float:
    """Parse a Go duration: 90s, 5m, 1h30m."""
    parts = re.findall(r"([\d.]+)(h|m|s)", text)
    return sum(float(number) * {"h": 3600, "m": 60, "s": 1}[unit] for number, unit in parts)


def _help(name: str) -> str:
    text = (Path(__file__).resolve().parent / "data" / "tilt-help.txt").read_text(encoding="utf-8")
    section = re.search(rf"^== {re.escape(name)}\n(.*?)(?=^== |\Z)", text, re.MULTILINE | re.DOTALL)
    return section[1] if section else ""
