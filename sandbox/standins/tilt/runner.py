"""Run the commands of resources: updates, serve commands, probes. Every child leads its own session."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from urllib.error import URLError
from urllib.request import urlopen

from sandbox.standins.tilt import build as building
from sandbox.standins.tilt.state import Log, State
from starlark_harness import Result
from starlark_harness.model import Command, Probe

PARALLEL = 3


class Runner:
    """Run resources. env: of every child; log: receives their output."""

    def __init__(self, env: Mapping[str, str], log: Log) -> None:
        self.env, self.log = env, log
        self.served: dict[str, subprocess.Popen[str]] = {}
        self.updating: dict[str, subprocess.Popen[str]] = {}
        self.slots = threading.Semaphore(PARALLEL)
        self.alone = threading.Lock()  # held by a command that does not allow parallel ones
        self.stopping = False
        self.count = 0

    def update(self, state: State, states: dict[str, State], result: Result) -> None:
        """Wait for the resource's dependencies, update it, start its serve command."""
        manifest, began = state.manifest, time.time()
        state.set(
            update="pending",
            error="",
            runtime="pending" if manifest.serve or manifest.kind != "local" else "not_applicable",
        )
        self._wait_for_dependencies(state, states)
        if self.stopping or not state.enabled:
            return
        self.count += 1
        self.log.say("\nInitial Build", manifest.name)
        with self.slots:
            try:
                if manifest.kind == "local":
                    self._local(state)
                else:
                    self._deploy(state, result)
                state.built(began, self.count)
            except building.BuildFailed as why:
                state.built(began, self.count, str(why))
                self.log.say(f"ERROR: Build Failed: {why}", manifest.name)
                state.set(update="error", error=str(why))
            except Exception as bug:  # ci would never end with a pending resource
                state.set(update="error", error=f"bug of the stand-in: {bug!r}")
                raise

    def _wait_for_dependencies(self, state: State, states: dict[str, State]) -> None:
        """Wait until every dependency was once ready, or until this resource is disabled."""
        while not self.stopping and state.enabled:
            dependencies = [name for name in state.manifest.resource_deps if name in states]
            state.waiting = tuple(name for name in dependencies if not states[name].ever)
            if not state.waiting:
                break
            time.sleep(0.05)

    def disable(self, state: State) -> None:
        """Stop its serve command and delete its deployment."""
        process = self.served.pop(state.manifest.name, None)
        if process is not None:
            words = " ".join(f'"{word}"' for word in state.manifest.serve.argv) if state.manifest.serve else ""
            self.log.say(f"Resource is disabled, stopping cmd [{words}]", state.manifest.name)
            _end(process, 30)
        if state.deployed:
            building.delete(state.manifest, self.env, lambda text: self.log.say(text, state.manifest.name))
            state.set(deployed=False)
        self.log.say(
            f'Resource "{state.manifest.name}" disabled. To enable/disable it, use the Tilt Web UI.',
            state.manifest.name,
        )
        state.set(update="none", runtime="none", pid=0)

    def stop(self, states: list[State]) -> None:
        """Send SIGTERM to all serve commands, one after the other, and wait for them."""
        self.stopping = True
        for process in [*self.updating.values(), *self.served.values()]:
            _signal(process, signal.SIGTERM)
        for process in [*self.updating.values(), *self.served.values()]:
            process.wait()
            _signal(process, signal.SIGKILL)  # kill the rest of its group

    def _local(self, state: State) -> None:
        manifest = state.manifest
        if manifest.update:
            state.set(update="in_progress")
            if manifest.allow_parallel:
                self._command(state, manifest.update)
            else:
                with self.alone:
                    self._command(state, manifest.update)
            state.set(update="ok")
        else:
            state.set(update="not_applicable")
        old = self.served.pop(manifest.name, None)
        if old is not None:
            _end(old, 30)
        if manifest.serve and not self.stopping and state.enabled:
            self._serve(state, manifest.serve)

    def _command(self, state: State, command: Command) -> None:
        name = state.manifest.name
        self.log.say(f"Running cmd: {command.shown}", name)
        process = self._start(command)
        self.updating[name] = process
        self._read(process, name)
        code = process.wait()
        self.updating.pop(name, None)
        _signal(process, signal.SIGKILL)
        if code != 0:
            raise building.BuildFailed(
                f'Command "{command.shown}" failed: exit status {code if code > 0 else 128 - code}'
            )

    def _serve(self, state: State, command: Command) -> None:
        name, probe = state.manifest.name, state.manifest.probe
        self.log.say(f"Running cmd: {command.shown}", name)
        process = self._start(command)
        self.served[name] = process
        state.set(runtime="pending" if probe else "ok", probed=not probe, pid=process.pid)
        threading.Thread(target=self._read, args=(process, name), daemon=True).start()
        threading.Thread(target=self._watch, args=(process, state), daemon=True).start()
        if probe:
            threading.Thread(target=self._probe, args=(process, state, probe), daemon=True).start()

    def _watch(self, process: subprocess.Popen[str], state: State) -> None:
        code = process.wait()
        _signal(process, signal.SIGKILL)  # kill the rest of its group
        if self.served.get(state.manifest.name) is process and not self.stopping:
            self.served.pop(state.manifest.name, None)
            self.log.say(
                f"ERROR: Server exited with exit code {code if code >= 0 else 128 - code}", state.manifest.name
            )
            state.set(runtime="error", error=f"Process {process.pid} exited with non-zero status")

    def _probe(self, process: subprocess.Popen[str], state: State, probe: Probe) -> None:
        """Probe as long as it runs. Only a change is logged, and the first failure."""
        time.sleep(probe.delay)
        last = ""
        while process.poll() is None and not self.stopping:
            problem = self._probe_problem(probe)
            if not problem:
                state.set(runtime="ok", probed=True)
            elif problem != last:
                self.log.say(f"WARNING: [readiness probe: failure] {problem}", state.manifest.name)
            last = problem
            time.sleep(probe.period)

    def _probe_problem(self, probe: Probe) -> str:
        """Why the probe fails; empty if it passes."""
        try:
            if probe.exec:
                done = subprocess.run(
                    probe.exec, env=dict(self.env), stdin=subprocess.DEVNULL, capture_output=True, timeout=probe.timeout
                )
                return "" if done.returncode == 0 else done.stdout.decode().strip() or f"exit status {done.returncode}"
            if probe.tcp:
                socket.create_connection(probe.tcp, timeout=probe.timeout).close()
                return ""
            assert probe.http is not None
            host, port, path = probe.http
            with urlopen(f"http://{host}:{port}{path or '/'}", timeout=probe.timeout):
                return ""
        except (OSError, URLError, subprocess.TimeoutExpired) as why:
            return str(why)

    def _deploy(self, state: State, result: Result) -> None:
        manifest = state.manifest
        state.set(update="in_progress")

        def say(text: str) -> None:
            self.log.say(text, manifest.name)

        refs = [building.build_and_push(result.images[name], self.env, say, 3) for name in manifest.images]
        say(f"\nSTEP {'3/3' if refs else '1/1'} — Deploying")
        if manifest.apply is None:
            raise building.BuildFailed("k8s_yaml: this stand-in deploys through k8s_custom_deploy only")
        objects = building.apply(manifest, refs, self.env, say, float(result.settings.get("upsert_timeout", 30)))
        state.set(update="ok", deployed=True, runtime="pending")
        threading.Thread(target=self._pods, args=(state, objects), daemon=True).start()

    def _pods(self, state: State, objects: list[dict[str, object]]) -> None:
        """Watch the pods. In a crash loop the runtime stays pending for ever: recorded from a real cluster."""
        restarts = 0
        while not self.stopping and state.enabled and state.deployed:
            state.pod = building.newest_pod(objects, self.env)
            if building.pods_ready(objects, self.env):
                state.set(runtime="ok")
                return
            if state.pod.get("podRestarts", 0) > restarts:
                restarts = state.pod["podRestarts"]
                self.log.say(
                    f"WARNING: Detected container restart. Pod: {state.pod['podName']}. Container: app.",
                    state.manifest.name,
                )
            time.sleep(0.2)

    def _start(self, command: Command) -> subprocess.Popen[str]:
        try:
            return subprocess.Popen(
                command.argv,
                cwd=command.folder,
                env={**self.env, **command.env},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
        except OSError as why:
            raise building.BuildFailed(f'exec: "{command.argv[0]}": {why.strerror}') from None

    def _read(self, process: subprocess.Popen[str], name: str) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.log.say(line.rstrip("\n"), name)


def _signal(process: subprocess.Popen[str], number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass  # the group has ended


def _end(process: subprocess.Popen[str], grace: float) -> None:
    _signal(process, signal.SIGTERM)
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        pass
    _signal(process, signal.SIGKILL)
    process.wait()
