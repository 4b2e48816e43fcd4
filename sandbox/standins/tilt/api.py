"""The connection between clients and a running stand-in for Tilt: an entry in ~/.tilt-dev/config, and one JSON line each way."""

from __future__ import annotations

import json
import os
import socket
import threading
from pathlib import Path
from typing import Any


def serve(engine: Any) -> None:
    """Serve clients in the background and write the port to the config file."""
    line = socket.socket()
    line.bind(("127.0.0.1", 0))
    line.listen(16)
    _edit(_config(os.environ.get("HOME", "/")), engine.name, line.getsockname()[1])
    threading.Thread(target=_accept, args=(engine, line), daemon=True).start()


def forget(engine: Any) -> None:
    """Delete the entry. Tilt does this when it ends by itself, not when it is killed."""
    _edit(_config(os.environ.get("HOME", "/")), engine.name, 0)


def find(home: str, name: str) -> int:
    """The API port of this Tilt; 0 if unknown."""
    return int(_read(_config(home)).get(name, 0))


def ask(port: int, verb: str, **words: Any) -> Any:
    """Send one request. Raises OSError if no Tilt answers."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.sendall(json.dumps({"verb": verb, **words}).encode() + b"\n")
        data = b""
        while more := line.recv(1 << 16):
            data += more
    return json.loads(data)


def _accept(engine: Any, line: socket.socket) -> None:
    while True:
        client, _ = line.accept()
        threading.Thread(target=_one, args=(engine, client), daemon=True).start()


def _one(engine: Any, client: socket.socket) -> None:
    with client, client.makefile("rwb") as stream:
        request = json.loads(stream.readline())
        answer = _answer(engine, str(request["verb"]), request)
        stream.write(json.dumps(answer).encode())


def _answer(engine: Any, verb: str, request: dict[str, Any]) -> Any:
    if verb == "resources":
        return engine.documents()
    if verb == "session":
        return engine.session()
    if verb == "args":
        if tuple(request["args"]) == engine.args:
            return {"same": True}
        engine.log.say(f"\nTilt Args\nTiltfile args changed to: [{' '.join(request['args'])}]")
        engine.load(tuple(request["args"]))
        return {"same": False}
    name = str(request["name"])
    if name not in engine.states:
        return {"error": "missing"}
    if verb == "trigger":
        if not engine.states[name].enabled:
            return {"error": "disabled"}
        engine.start(name)
    else:
        engine.set_enabled(name, verb == "enable")
    return {}


def _config(home: str) -> Path:
    return Path(home, ".tilt-dev", "config")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _edit(path: Path, name: str, port: int) -> None:
    ports = _read(path)
    if port:
        ports[name] = port
    else:
        ports.pop(name, None)
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}")
    new.write_text(json.dumps(ports))
    new.replace(path)
