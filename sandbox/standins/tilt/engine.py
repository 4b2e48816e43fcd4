"""The process of `tilt up`, `ci` and `down`: it evaluates the Tiltfile and runs its resources until it is stopped.

Recorded from Tilt 0.37.6: a Tiltfile error does not end `up`. On INT, TERM or HUP the process groups of serve commands
get TERM, and after 2.0 s Tilt exits with code 1 even if some still run. A kill leaves all of them running.

"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

from sandbox.standins.tilt import build as building
from sandbox.standins.tilt.kubeconfig import frozen
from sandbox.standins.tilt.options import VERSION_LINE, Options
from sandbox.standins.tilt.runner import Runner
from sandbox.standins.tilt.state import Log, State, Tiltfile, stamp
from starlark_harness import Result, TiltfileError, evaluate

GRACE = 2.0


class Engine:
    """A running Tilt."""

    def __init__(self, options: Options, env: dict[str, str]) -> None:
        self.options, self.log = options, Log()
        self.path = Path(os.path.abspath(options.file))
        self.args = options.args
        self.tiltfile = Tiltfile()
        self.states: dict[str, State] = {}
        self.result: Result | None = None
        self.context, self.server_namespace, self.frozen = frozen(options.context, options.port, env)
        given = {"TILT_HOST": options.host, "TILT_PORT": str(options.port)}
        self.env = {**env, **({"KUBECONFIG": str(self.frozen)} if self.frozen else {}), **given}
        self.given = env
        self.runner = Runner(self.env, self.log)
        self.ended = threading.Event()
        self.code = 0
        self.began = time.time()
        self.lock = threading.RLock()

    @property
    def name(self) -> str:
        """The name in ~/.tilt-dev/config under which clients find it."""
        return "tilt-default" if self.options.port == 10350 else f"tilt-{self.options.port}"

    def run(self) -> int:
        """Run `up` or `ci` until a signal arrives or ci has its result."""
        self.log.say(f"Tilt started on http://{self.options.host}:{self.options.port}/\n{VERSION_LINE}")
        page = _listen(self.options.port)
        if page is None:
            sys.stderr.write(
                f"Error: Tilt cannot start because you already have another process on port {self.options.port}\n"
                "If you want to run multiple Tilt instances simultaneously,\n"
                "use the --port flag or TILT_PORT env variable to set a custom port\n"
                f"Original error: listen tcp 127.0.0.1:{self.options.port}: bind: address already in use\n"
            )
            return 1
        if os.environ.get("DO_NOT_TRACK"):
            self.log.say("Tilt analytics disabled: Environment variable DO_NOT_TRACK=1")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        from sandbox.standins.tilt import api

        api.serve(self)
        self.log.say("\nInitial Build")
        self.load(self.args)
        if self.options.verb == "ci":
            threading.Thread(target=self._judge, daemon=True).start()
        while not self.ended.wait(0.2):
            pass
        self._stop()
        page.close()
        api.forget(self)
        return self.code

    def load(self, args: tuple[str, ...]) -> None:
        """Evaluate the Tiltfile and start its enabled resources. An error keeps the previous ones."""
        self.args = args
        self.tiltfile = Tiltfile()
        try:
            result = self._evaluate(args)
        except TiltfileError as why:
            self.tiltfile.update, self.tiltfile.error, self.tiltfile.ended = "error", str(why), time.time()
            self.log.say(f"ERROR: {why}")
            return
        with self.lock:
            self.result = result
            self.env = self.runner.env = {**self.env, **result.exported}  # Tilt sets them in its own process
            for number, manifest in enumerate(result.manifests.values()):
                state = self.states.get(manifest.name) or State(manifest, number + 2, enabled=False)
                state.manifest = manifest
                self.states[manifest.name] = state
            fresh = [name for name in result.manifests if self._switch(name, name in result.enabled)]
        trouble = self._cluster(result)
        for name in fresh:
            self._begin(name, trouble)

    def set_enabled(self, name: str, enabled: bool) -> None:
        """Enable or disable a resource. Disabling stops its serve command, and deletes it if this Tilt deployed it."""
        if self._switch(name, enabled):
            self._begin(name, "")

    def _switch(self, name: str, enabled: bool) -> bool:
        """Whether the resource is newly enabled and must be started."""
        state = self.states[name]
        if state.enabled == enabled:
            return False
        begins = "pending" if state.manifest.auto_init else "none"
        state.set(enabled=enabled, error="", update=begins if enabled else state.update)
        if not enabled:
            threading.Thread(target=self.runner.disable, args=(state,), daemon=True).start()
        return enabled

    def _begin(self, name: str, trouble: str) -> None:
        state = self.states[name]
        if trouble and state.manifest.kind != "local":
            state.set(update="error", error=trouble)
        elif state.manifest.auto_init:
            self.start(name)
        elif state.manifest.serve:
            state.set(runtime="none")

    def start(self, name: str) -> None:
        """Update a resource now, in the background."""
        assert self.result is not None
        threading.Thread(
            target=self.runner.update, args=(self.states[name], self.states, self.result), daemon=True
        ).start()

    def documents(self) -> list[dict[str, Any]]:
        """The UIResource objects of all resources."""
        with self.lock:
            return [*(s.document() for s in self.states.values()), self.tiltfile.document()]

    def session(self) -> dict[str, Any]:
        """The Session object."""
        ci = {"readinessTimeout": "5m0s", "timeout": "30m0s"}
        return {
            "apiVersion": "tilt.dev/v1alpha1",
            "kind": "Session",
            "metadata": {
                "annotations": {"tilt.dev/resource": "(Tiltfile)"},
                "creationTimestamp": stamp(self.began)[:19] + "Z",
                "name": "Tiltfile",
            },
            "spec": {
                "ci": ci,
                "exitCondition": "ci" if self.options.verb == "ci" else "manual",
                "tiltfilePath": str(self.path),
            },
            "status": {"done": self.ended.is_set(), "pid": os.getpid(), "startTime": stamp(self.began), "targets": []},
        }

    def down(self) -> int:
        """`tilt down`: run the delete commands of the enabled resources."""
        if not self.path.is_file():
            sys.stderr.write(
                f"Error: No Tiltfile found at paths '{self.path}'. Check out https://docs.tilt.dev/tutorial.html\n"
            )
            return 1
        try:
            result = self._evaluate(self.args)
        except TiltfileError as why:
            sys.stderr.write(f"Error: {why}\n")
            return 1
        for name in reversed(result.enabled):
            manifest = result.manifests[name]
            if manifest.kind == "deploy":
                code = building.delete(manifest, self.env, self.log.say)
                if code:
                    sys.stderr.write(f"Error: Deleting k8s entities: delete command exited with status {code}\n")
                    return 1
        return 0

    def _evaluate(self, args: tuple[str, ...]) -> Result:
        began = time.time()
        if self.path.is_file():
            self.log.say(f"Loading Tiltfile at: {self.path}")
        lines: list[str] = []
        warnings: list[str] = []
        try:
            result = evaluate(
                self.path,
                args,
                context=self.context,
                namespace=self.options.namespace or self.server_namespace or "default",
                env={k: v for k, v in self.env.items() if k != "KUBECONFIG"}
                | ({"KUBECONFIG": self.given["KUBECONFIG"]} if "KUBECONFIG" in self.given else {}),
                subcommand=self.options.verb,
                log=lines,
            )
            warnings = self.tiltfile.warnings = result.warnings
        finally:
            for line in lines:
                self.log.say(f"WARNING: {line}" if line in warnings else line)
        self.log.say(f"Successfully loaded Tiltfile ({(time.time() - began) * 1000:.6g}ms)")
        self.tiltfile.update, self.tiltfile.ended = "ok", time.time()
        return result

    def _cluster(self, result: Result) -> str:
        """Check the cluster and the Docker engine before a deploy. Tilt checks the engine even if it builds no image."""
        if not any(result.manifests[name].kind != "local" for name in result.enabled):
            return ""
        problem = building.cluster_problem(self.env)
        if problem:
            text = f"Tilt encountered an error connecting to your Kubernetes cluster:\n\t{problem}\nYou will need to restart Tilt after resolving the issue."
            self.log.say(f"ERROR: Cluster status error: {text}")
            return "cluster connection failed"
        problem = building.engine_problem(self.env)
        if problem:
            self.log.say(f"ERROR: Failed to connect to Docker: {problem}")
            return f"Failed to connect to Docker: {problem}"
        return ""

    def _judge(self) -> None:
        """ci: check whether all resources are ready, one has failed, or the time is up."""
        end = time.monotonic() + self.options.timeout
        while not self.ended.wait(0.1):
            wanted = self._wanted()
            failed = [s.error for s in wanted if "error" in (s.update, s.runtime)]
            if self.tiltfile.error or failed:
                return self._over(1, f"Error: {self.tiltfile.error or failed[0]}\n")
            late = [s for s in wanted if not s.ready]
            if self.tiltfile.update == "ok" and not late:
                self.log.say("SUCCESS. All workloads are healthy.")
                return self._over(0, "")
            if time.monotonic() > end:
                return self._over(1, self._timeout_error(late))
        return None

    def _wanted(self) -> list[State]:
        """The resources that ci waits for."""
        with self.lock:
            return [s for s in self.states.values() if s.enabled and s.manifest.auto_init]

    def _timeout_error(self, late: list[State]) -> str:
        names = ", ".join(f"{s.manifest.name}:{'serve' if s.manifest.serve else 'runtime'}" for s in late)
        return f"Error: Timeout after {self.options.timeout:g}s: {len(late)} resources not ready ({names})\n"

    def _over(self, code: int, problem: str) -> None:
        self.code = code
        sys.stderr.write(problem)
        sys.stderr.flush()
        self.ended.set()

    def _on_signal(self, number: int, frame: Any) -> None:
        if self.ended.is_set():
            os._exit(1)  # a second signal
        # In a thread: `set` would wait here for a lock that `wait` in the main thread may be holding.
        threading.Thread(target=self.ended.set, daemon=True).start()

    def _stop(self) -> None:
        """Stop the serve commands. Tilt exits after the grace period."""
        timer = threading.Timer(GRACE, lambda: os._exit(1))
        timer.daemon = True
        timer.start()
        self.runner.stop(list(self.states.values()))
        timer.cancel()


def _listen(port: int) -> socket.socket | None:
    page = socket.socket()
    page.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        page.bind(("127.0.0.1", port))
        page.listen()
    except OSError:
        return None
    return page


def main() -> None:
    """The entry point: the client replaces itself by this process."""
    given: dict[str, Any] = json.loads(sys.argv[1])
    options = Options(**{**given, "args": tuple(given["args"])})
    try:
        engine = Engine(options, dict(os.environ))
    except OSError as why:  # Go's error text
        sys.stderr.write(f"Error: mkdir {why.filename}: {(why.strerror or '').lower()}\n")
        sys.exit(1)
    code = engine.down() if options.verb == "down" else engine.run()
    sys.stdout.flush()
    os._exit(code)
