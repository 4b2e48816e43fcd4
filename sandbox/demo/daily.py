"""The demo: a developer's first day, shown with the real commands in a sandbox."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox import control
from sandbox.control import Box
from sandbox.demo.output import text_of
from tasks.core import ports, ui
from tasks.core.config.catalogue import Catalogue, Service, catalogue
from tasks.core.config.settings import settings
from tasks.core.errors import Trouble
from tasks.core.repository import repository_root
from tasks.core.wait import until

_PAGE = 'GREETING = "hello from the local process"\n'
_SERVER = '''"""A service in development: it reads page.py again for every request, as a dev server does."""
import http.server, json, os, runpy

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        page = runpy.run_path("page.py")
        answer = {"answered_by": "local", "greeting": page["GREETING"], "from_the_pod": os.environ.get("%s", "")}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass

try:
    http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Page).serve_forever()
except KeyboardInterrupt:
    pass
'''


def run(latency: str = "aks") -> None:
    """Run the demo. Raises Trouble if a step has another result than promised."""
    began = time.monotonic()
    service = demo_service(catalogue(), settings().ingress.environment)
    with tempfile.TemporaryDirectory(prefix="remote-first-demo-") as folder, _world(latency) as box:
        core = _core(Path(folder), service)
        env = box.environment(REMOTE_DEV_REPOSITORIES__CORE=str(core), REMOTE_DEV_PACKAGES__FOLDER=str(core))
        _heading("A new dev container. One command prepares it:")
        _inv(env, "setup")
        _heading("Again: everything is in place, nothing is written:")
        _inv(env, "setup", "--check")
        _heading(f"A request to {service.name} before anything is intercepted:")
        _expect(service, _request(box, service), "baseline")
        _heading("One command routes requests to a local process, which runs with the pod's environment:")
        with _intercepting(env, service) as run:
            answer = _until_local(box, service, run)
            run.show()
            _expect(service, answer, "local")
            if not answer.get("from_the_pod"):
                raise Trouble(
                    "the local process lacks the pod's environment",
                    fix="run inv demo again; if it fails again, this is a bug",
                )
            _heading("The next request shows an edit of the local code:")
            page = _place(core, service) / "page.py"
            ui.say(f"$ sed -i s/hello/edited/ {page.relative_to(core)}")
            page.write_text(_PAGE.replace("hello", "edited"), encoding="utf-8")
            answer = _request(box, service)
            _expect(service, answer, "local")
            if "edited" not in str(answer.get("greeting")):
                raise Trouble(
                    "the next request does not show the edit",
                    fix="run inv demo again; if it fails again, this is a bug",
                )
            _heading("Ctrl-C stops the process and ends the intercept:")
        _expect(service, _until(box, service, "baseline"), "baseline")
        _heading("The status, and the teardown:")
        _inv(env, "status")
        _inv(env, "down")
    ui.say()
    ui.say(f"The demo took {time.monotonic() - began:.0f} s. No process, port or file of it is left.")
    ui.say("The same commands on your own cluster: inv setup, then inv intercept SERVICE.")


def demo_service(known: Catalogue, environment: str) -> Service:
    """The service that the demo intercepts: the first with a port and a host. Raises Trouble without one."""
    for service in known.services:
        if service.ports and service.hosts.get(environment):
            return service
    raise Trouble(
        f"no service of config/services.yaml has a port and a host for '{environment}'",
        fix=f"give a service `ports` and `hosts` with {environment}, or set ingress.environment",
    )


@contextmanager
def _world(latency: str) -> Iterator[Box]:
    box = control.up(latency=latency)
    try:
        yield box
    finally:
        control.down(box)


def _place(core: Path, service: Service) -> Path:
    return core / (service.dev.folder or service.folder)


def _core(folder: Path, service: Service) -> Path:
    """A minimal core repository: one service with a dev command, and a lock file."""
    place = _place(folder, service)
    place.mkdir(parents=True)
    (folder / "package.json").write_text(
        '{"name": "core", "private": true, "dependencies": {"left-pad": "1.3.0"}}\n', encoding="utf-8"
    )
    (folder / "pnpm-lock.yaml").write_text(
        "lockfileVersion: '9.0'\n\nsettings:\n  autoInstallPeers: true\n  excludeLinksFromLockfile: false\n\nimporters:\n\n  .:\n"
        "    dependencies:\n      left-pad:\n        specifier: 1.3.0\n        version: 1.3.0\n\npackages:\n\n  left-pad@1.3.0:\n"
        "    resolution: {integrity: sha512-XI5MPzVNApjAyhQzphX8BkmKsKUxD4LdyK24iZeQGinBN9yTQT3bFlCBy/aVx2HrNcqQGsdot8ghrjyrvMCoEA==}\n\n"
        "snapshots:\n\n  left-pad@1.3.0: {}\n",
        encoding="utf-8",
    )
    scripts = {service.dev.command[-1]: f"{shlex.quote(sys.executable)} server.py"}
    package = {"name": service.name, "private": True, "scripts": scripts}
    (place / "package.json").write_text(json.dumps(package) + "\n", encoding="utf-8")
    (place / "page.py").write_text(_PAGE, encoding="utf-8")
    (place / "server.py").write_text(_SERVER % "APP_GREETING", encoding="utf-8")
    return folder


def _heading(text: str) -> None:
    ui.say()
    ui.say(f"# {text}")


def _inv(env: dict[str, str], *words: str) -> None:
    ui.say(f"$ inv {' '.join(words)}")
    done = subprocess.run(
        _program(*words),
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    for line in done.stdout.splitlines():
        ui.say(f"  {line}")
    if done.returncode:
        raise Trouble(f"inv {' '.join(words)} exited with {done.returncode}", fix=f"inv {' '.join(words)}")


def _program(*words: str) -> list[str]:
    return [sys.executable, str(repository_root() / "tasks.py"), *words]


class _Intercept:
    """The intercept that runs during the demo. Its output is shown at the end of a step."""

    def __init__(self, env: dict[str, str], service: Service) -> None:
        words = ["intercept", service.name, "--port", str(ports.free())]  # two demos can run at the same time
        words += (
            [] if service.dev.command[0] == "pnpm" else ["--", "python3", "server.py"]
        )  # the demo's server is a Python program
        ui.say(f"$ inv {' '.join(words)}")
        self.out = tempfile.TemporaryFile()  # noqa: SIM115  # closed in end()
        self.shown = 0
        self.process = subprocess.Popen(
            _program(*words), env=env, stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.out
        )

    def output(self) -> str:
        """The output since the last `show`."""
        return text_of(self.out.fileno(), self.shown)

    def show(self) -> None:
        """Show the output since the last call."""
        text = self.output()
        for line in text.splitlines():
            ui.say(f"  {line}".rstrip())
        self.shown += len(text.encode())

    def end(self) -> None:
        """Send Ctrl-C and wait."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.show()
        self.out.close()


@contextmanager
def _intercepting(env: dict[str, str], service: Service) -> Iterator[_Intercept]:
    run = _Intercept(env, service)
    try:
        yield run
    finally:
        run.end()


def _host(service: Service) -> str:
    return service.hosts[settings().ingress.environment]


def _request(box: Box, service: Service) -> dict[str, object]:
    """One request through the ingress, as a browser would send it."""
    request = urllib.request.Request(box.ingress + "/", headers={"Host": _host(service)})
    try:
        with urllib.request.urlopen(request, timeout=5) as reply:
            answer = json.loads(reply.read())
    except (OSError, ValueError) as why:
        return {"answered_by": "none", "error": str(why)}
    return answer if isinstance(answer, dict) else {}


def _until_local(box: Box, service: Service, run: _Intercept) -> dict[str, object]:
    end = time.monotonic() + 40
    while time.monotonic() < end and run.process.poll() is None:
        answer = _request(box, service)
        if answer.get("answered_by") == "local":
            until(lambda: "reached" in run.output() or run.process.poll() is not None, every=0.1, for_=20)
            return answer
        time.sleep(0.2)
    return {"answered_by": "none"}


def _until(box: Box, service: Service, who: str) -> dict[str, object]:
    end = time.monotonic() + 10
    answer = _request(box, service)
    while answer.get("answered_by") != who and time.monotonic() < end:
        time.sleep(0.2)
        answer = _request(box, service)
    return answer


def _expect(service: Service, answer: dict[str, object], who: str) -> None:
    shown = {k: v for k, v in answer.items() if k in {"answered_by", "service", "greeting", "from_the_pod"}}
    ui.say(f"$ curl -H 'Host: {_host(service)}' $INGRESS/")
    ui.say(f"  {json.dumps(shown, ensure_ascii=False)}")
    if answer.get("answered_by") != who:
        raise Trouble(
            f"expected an answer from {who}, got one from {answer.get('answered_by')}",
            fix="run inv demo again; if it fails again, this is a bug",
        )
