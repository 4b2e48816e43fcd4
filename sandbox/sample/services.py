"""The core repository: a workspace with a small program and a development Dockerfile for each service."""

from __future__ import annotations

import json
from pathlib import PurePosixPath

from tasks.core.config.catalogue import Service

_SERVE = '''\
"""Answers every request with who it is. The programs of the sample need no toolchain to run."""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        answer = {"answered_by": "local", "service": sys.argv[1], "path": self.path, "headers": dict(self.headers)}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *words):
        pass


port = int(os.environ.get("PORT") or sys.argv[2])
server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
print(f"{sys.argv[1]} listens on {port}", flush=True)
try:
    server.serve_forever()
except KeyboardInterrupt:
    sys.exit(130)
'''
_WORKER = '''\
"""A worker: it has work to wait for, and no port."""

import time

print("waiting for work", flush=True)
while True:
    time.sleep(1)
'''
_GO = """\
package main

import (
	"encoding/json"
	"net/http"
	"os"
)

func main() {
	port := os.Getenv("PORT")
	if port == "" {
		port = "%(port)d"
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"answered_by": "local", "service": "%(name)s"})
	})
	_ = http.ListenAndServe("127.0.0.1:"+port, nil)
}
"""
_DOCKERFILES = {
    "node": "FROM node:22-alpine\nRUN corepack enable\nWORKDIR /app/%(folder)s\nCOPY . /app\n"
    "RUN pnpm install --frozen-lockfile\nCMD %(command)s\n",
    "python": "FROM python:3.12-slim\nRUN pip install --no-cache-dir uv\nWORKDIR /app/%(folder)s\nCOPY . /app\nCMD %(command)s\n",
    "go": "FROM golang:1.23-alpine\nRUN go install github.com/air-verse/air@v1.61.1\nWORKDIR /app/%(folder)s\nCOPY . /app\n"
    'CMD ["air", "--build.cmd", "go build -o /tmp/app ./cmd/...", "--build.bin", "/tmp/app"]\n',
}

# What the dev commands, their package managers and the suite write.
_IGNORED = (
    "node_modules/", "__pycache__/", ".venv/", ".env", "tilt_config.json", ".remote-dev/", "config/settings.local.yaml",
)  # fmt: skip


def workspace(services: list[Service]) -> dict[str, str]:
    """The core repository's files by path. Scripts of Node services run Python, so that Node need not be installed."""
    content = {
        ".gitignore": "".join(f"{pattern}\n" for pattern in _IGNORED),
        "README.md": "# Services\n\nOne folder for each service below `services/`.\n",
        "package.json": json.dumps({"name": "workspace", "private": True}, indent=2) + "\n",
        "pnpm-workspace.yaml": "packages:\n  - services/*\n",
        "pnpm-lock.yaml": "lockfileVersion: '9.0'\n\nimporters:\n\n  .: {}\n",
        "pyproject.toml": '[project]\nname = "workspace"\nversion = "0"\nrequires-python = ">=3.11"\n',
        "packages/shared/serve.py": _SERVE,
    }
    modules = [s.folder for s in services if s.language == "go"]
    if modules:
        content["go.work"] = "go 1.23\n\nuse (\n" + "".join(f"\t./{folder}\n" for folder in modules) + ")\n"
    for service in services:
        content |= {f"{service.folder}/{name}": text for name, text in _files(service).items()}
    return content


def _files(service: Service) -> dict[str, str]:
    up = "/".join([".."] * len(PurePosixPath(service.folder).parts))
    port = service.ports[0].port if service.ports else 0
    serve = f"python3 {up}/packages/shared/serve.py {service.name} {port}"
    words = {"folder": service.folder, "command": json.dumps(service.dev.command)}
    content = {"Dockerfile.dev": _DOCKERFILES[service.language] % words, "README.md": f"# {service.name}\n"}
    if service.language == "node":
        manifest = {"name": service.name, "private": True, "scripts": {"dev": serve}}
        content["package.json"] = json.dumps(manifest, indent=2) + "\n"
        content["src/index.js"] = f"// {service.name}\n"
    elif service.language == "go":
        content["go.mod"] = f"module example.com/{service.name}\n\ngo 1.23\n"
        command = f"cmd/{PurePosixPath(service.folder).name}"
        content[f"{command}/main.go"] = _GO % {"port": port, "name": service.name}
        content[f"{command}/main.py"] = _program(service.name, port)  # what the sample's `go run` starts
    else:
        module = _module(service)
        content["pyproject.toml"] = f'[project]\nname = "{service.name}"\nversion = "0"\nrequires-python = ">=3.11"\n'
        content[f"{module}.py"] = _program(service.name, port) if service.ports else _WORKER
        if "/" in module:
            content[f"{module.rsplit('/', 1)[0]}/__init__.py"] = ""
    return content


def _program(name: str, port: int) -> str:
    return _SERVE.replace("sys.argv[1]", repr(name)).replace("sys.argv[2]", repr(str(port)))


def _module(service: Service) -> str:
    """The module that the dev command starts: the word after `-m`, or `module:application` of uvicorn."""
    command = service.dev.command
    if "-m" in command:
        return command[command.index("-m") + 1].replace(".", "/")
    named = next((word for word in command if ":" in word), "app:app")
    return named.split(":")[0].replace(".", "/")
