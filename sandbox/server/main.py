"""The state server of one sandbox: `python -m sandbox.server.main BOX`. It serves clients, daemons and sandbox.control."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import threading
import time
import traceback
from importlib import import_module
from pathlib import Path
from typing import Any

from sandbox.protocol.call import Answer, Call, CallerGone
from sandbox.protocol.line import Line
from sandbox.server.api_endpoint import ApiEndpoint
from sandbox.standins import TABLE
from sandbox.world.state import World
from tasks.core.process.processes import started
from tasks.core.wait import until

LIFETIME = 12 * 3600.0  # seconds after which the sandbox stops by itself


class Server:
    """Serve one world with one thread for each client, daemon or control connection."""

    def __init__(self, world: World, box: Path) -> None:
        self.world, self.box = world, box
        self.ended = threading.Event()
        self._log = threading.Lock()
        self._programs: dict[
            int, float
        ] = {}  # pid -> start time of clients that replaced themselves by another program
        world.dispatch = self.dispatch
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(box / "s"))
        self.listener.listen(128)

    def serve(self) -> None:
        """Accept connections until the server stops."""
        while not self.ended.is_set():
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._attend, args=(connection,), daemon=True).start()

    def _attend(self, connection: socket.socket) -> None:
        line = Line(connection)
        try:
            message = line.receive()
            if message[0] == "call":
                self._client(line, message)
            elif message[0] == "daemon":
                from sandbox.standins.telepresence import daemon

                daemon.attend(self.world, line, message[1])
            elif message[0] == "control":
                self._control(line, message[1], json.loads(message[2]))
        except CallerGone:
            pass  # the client has ended; what it changed stays changed
        finally:
            connection.close()

    # --- clients
    def _client(self, line: Line, message: Any) -> None:
        _, tool, argv, env, cwd, pid, tty = message
        call = Call(
            tool,
            tuple(a.decode("utf-8", "surrogateescape") for a in argv),
            {os.fsdecode(k): os.fsdecode(v) for k, v in env.items()},
            os.fsdecode(cwd),
            pid,
            tty,
            line,
        )
        answer = self.dispatch(call)
        while answer.run:
            line.emit(answer.stderr, error=True)
            line.emit(answer.stdout)
            argv_ = [os.fsencode(a) for a in answer.run]
            line.send(
                "run", argv_, {os.fsencode(k): os.fsencode(v) for k, v in answer.run_env.items()}, bool(answer.after)
            )
            if not answer.after:
                self._programs[pid] = started(pid)
                return
            answer = self._child(call, line, answer.after)
        line.emit(answer.stderr, error=True)
        line.emit(answer.stdout)
        line.send("exit", answer.exit & 255)

    def _child(self, call: Call, line: Line, after: str) -> Answer:
        module = import_module(TABLE[call.tool])
        while True:
            message = line.receive()
            if message[0] == "started":
                if hasattr(module, "started"):
                    module.started(call, self.world, after, message[1])
            elif message[0] == "ended":
                answer: Answer = module.ended(call, self.world, after, message[1])
                return answer

    def dispatch(self, call: Call) -> Answer:
        """Apply the delay, call the stand-in, log. Also used for calls between stand-ins."""
        began = time.time()
        answer: Answer | None = None
        try:
            world = self.world
            if f"hanging-{call.tool}" in world.faults:
                world.hang(call)
            seconds = world.profile.of(call.tool, call.argv) + (2.0 if world.fault("slow-tools") else 0.0)
            if seconds:
                world.wait(call, seconds)
            answer = self._handle(call)
            return answer
        finally:
            self._note(call, began, answer)

    def _handle(self, call: Call) -> Answer:
        name = TABLE[call.tool]
        try:
            module = import_module(name)
        except ModuleNotFoundError as why:
            if why.name != name:
                raise
            return Answer(127, stderr=f"{call.tool}: command not found\n")
        try:
            answer: Answer = module.handle(call, self.world)
            return answer
        except CallerGone:
            raise
        except Exception:  # show a bug in a stand-in at the client instead of closing the connection
            text = traceback.format_exc()
            sys.stderr.write(f"{call.tool} {call.argv}\n{text}")
            sys.stderr.flush()
            return Answer(
                70, stderr=f"{text}sandbox: the stand-in for {call.tool} is broken, see {self.box}/server.log\n"
            )

    def _note(self, call: Call, began: float, answer: Answer | None) -> None:
        entry = {
            "tool": call.tool,
            "argv": list(call.argv),
            "start": began,
            "end": time.time(),
            "exit": answer.exit if answer is not None and not answer.run else None,
            "pid": call.pid,
            "writes": answer.writes if answer is not None else False,
            "kubeconfig": call.env.get("KUBECONFIG", ""),
            "user": call.user,
            "nested": not isinstance(call.line, Line),
        }
        text = json.dumps(entry, ensure_ascii=True) + "\n"
        with self._log, open(self.box / "calls.jsonl", "a", encoding="utf-8") as file:
            file.write(text)

    # --- control
    def _control(self, line: Line, verb: str, arguments: dict[str, Any]) -> None:
        from sandbox.server import apply_fault

        try:
            if verb == "stop":
                self.end()
                answer: Any = {}
            else:
                answer = apply_fault.VERBS[verb](self.world, **arguments)
            reply = {"ok": answer}
        except (KeyError, ValueError, OSError) as why:
            reply = {"error": str(why.args[0] if why.args else why)}
        line.send("reply", json.dumps(reply))

    def end(self) -> None:
        """Stop every process of this sandbox."""
        from sandbox.standins.telepresence import daemon

        daemon.end_all(self.world)
        children = [i.child for c in self.world.clusters.values() for i in c.intercepts if i.child]
        programs = [pid for pid, start in self._programs.items() if start and started(pid) == start]
        for pid in (*children, *programs):
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass  # it has already ended
        self.ended.set()


def main(box: Path) -> None:
    """Build the world, open the socket and the ingress, write ready.json, and serve.

    The server stops on request, when the box is deleted, with the process that the box ends with, or after LIFETIME
    without one. It deletes the box.
    """
    from sandbox.ingress import server as ingress
    from sandbox.server import apply_fault
    from sandbox.standins.az import cli
    from sandbox.world import seed

    options = json.loads((box / "options.json").read_text(encoding="utf-8"))
    world = seed.build(
        box, Path(options["config"]), options["telepresence"], options["latency"], logged_in=options["logged_in"]
    )
    cli.before_the_first_call(world)
    server = Server(world, box)
    front = ingress.start(world)
    world.ingress = f"http://127.0.0.1:{front.server_address[1]}"
    world.api = ApiEndpoint(world)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # In a thread: `ended.set()` in this one would wait for a lock that `ended.wait()` may be holding below.
        signal.signal(number, lambda *_: threading.Thread(target=server.end, daemon=True).start())
    threading.Thread(target=server.serve, daemon=True).start()
    ready = {"pid": os.getpid(), "ingress": world.ingress, "start": started(os.getpid())}
    (box / "ready.tmp").write_text(json.dumps(ready), encoding="utf-8")
    (box / "ready.tmp").rename(box / "ready.json")
    end_at = time.monotonic() + LIFETIME
    if options["ends_with"]:
        end_at = float("inf")
        threading.Thread(target=_end_with, args=(server, *options["ends_with"]), daemon=True).start()
    while not server.ended.wait(1.0):
        if time.monotonic() > end_at or not (box / "options.json").exists():
            server.end()
    server.listener.close()
    front.server_close()
    time.sleep(0.05)  # let the last control answer be sent before the process exits
    apply_fault.release(box)
    until(lambda: _is_deleted(box), every=0.05, for_=10)
    os._exit(0)


def _is_deleted(box: Path) -> bool:
    """Delete the box. Is it gone? A thread or an ending program may write a last file meanwhile."""
    shutil.rmtree(box, ignore_errors=True)
    return not box.exists()


def _end_with(server: Server, pid: int, start: float) -> None:
    """Stop once this process has ended. What was started in the sandbox ends first, as long as the tools still answer."""
    from sandbox.server import owner

    owner.wait_for_end(pid, start)
    owner.end_programs(server.box)
    server.end()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
