"""A small API server for a real kubectl where no cluster may be used: what kubectl says is kubectl's own.

The first part of the path says who asks, for kubectl sends no token without TLS: `allowed` may everything but delete
namespaces, `outsider` nothing, anybody else is unknown.
"""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

NAMESPACE, LABELS, POD = "team", {"kubernetes.io/metadata.name": "team", "stage": "dev"}, "web-1"
_RESOURCES = {
    "v1": [("namespaces", "Namespace", False), ("pods", "Pod", True), ("services", "Service", True)],
    "apps/v1": [("deployments", "Deployment", True)],
    "authorization.k8s.io/v1": [("selfsubjectaccessreviews", "SelfSubjectAccessReview", False)],
    "authentication.k8s.io/v1": [("selfsubjectreviews", "SelfSubjectReview", False)],
}


def _pod(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {},
        "status": {},
    }


def _status(code: int, reason: str, message: str, **details: str) -> tuple[int, dict[str, Any]]:
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    return code, {**body, "reason": reason, "details": details, "code": code}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self._answer(*self._found("GET"))

    def do_POST(self) -> None:
        self._answer(*self._found("POST", self._body()))

    def do_DELETE(self) -> None:
        self._body()
        self._answer(*self._found("DELETE"))

    def _body(self) -> bytes:
        """What was sent: kubectl sends protobuf, in which words can still be found."""
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _found(self, method: str, body: bytes = b"") -> tuple[int, dict[str, Any]]:
        who, _, path = self.path.split("?")[0].strip("/").partition("/")
        if "version" in {who, path}:
            return 200, {"major": "1", "minor": "34", "gitVersion": "v1.34.4"}
        if who not in {"allowed", "outsider"}:
            return _status(401, "Unauthorized", "Unauthorized")
        if path == "api":
            return 200, {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        if path == "apis":
            return 200, {
                "kind": "APIGroupList",
                "apiVersion": "v1",
                "groups": [_group(g) for g in _RESOURCES if "/" in g],
            }
        group = path.removeprefix("apis/").removeprefix("api/")
        if group in _RESOURCES:
            return 200, _resources(group)
        return self._object(method, path.split("/"), who, body)

    def _object(self, method: str, parts: list[str], who: str, body: bytes) -> tuple[int, dict[str, Any]]:
        if parts[-1] == "selfsubjectaccessreviews":
            allowed = who == "allowed" and not (b"delete" in body and b"namespaces" in body)
            return 201, {
                "kind": "SelfSubjectAccessReview",
                "apiVersion": "authorization.k8s.io/v1",
                "status": {"allowed": allowed},
            }
        if parts[-1] == "selfsubjectreviews":
            info = {"username": f"{who}@example.com", "groups": ["system:authenticated"]}
            return 201, {
                "kind": "SelfSubjectReview",
                "apiVersion": "authentication.k8s.io/v1",
                "status": {"userInfo": info},
            }
        if who == "outsider":
            verb = "get" if parts[-2] == "namespaces" else "list"
            kind = "namespaces" if verb == "get" else parts[-1]
            named = f'{kind} "{parts[-1]}"' if verb == "get" else kind
            text = f'{named} is forbidden: User "outsider@example.com" cannot {verb} resource "{kind}" in API group "" in the namespace "{NAMESPACE}"'
            return _status(403, "Forbidden", text, kind=kind)
        if parts[2:] == ["namespaces", NAMESPACE]:
            return 200, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": LABELS}}
        if parts[-1] == "pods":
            return 200, {
                "apiVersion": "v1",
                "kind": "PodList",
                "metadata": {"resourceVersion": "1"},
                "items": [_pod(POD)],
            }
        if parts[-1] == POD and method == "GET":
            return 200, _pod(POD)
        kind, name = parts[-2], parts[-1]
        return _status(404, "NotFound", f'{kind} "{name}" not found', kind=kind, name=name)

    def _answer(self, code: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _group(name: str) -> dict[str, Any]:
    one = {"groupVersion": name, "version": name.partition("/")[2]}
    return {"name": name.partition("/")[0], "versions": [one], "preferredVersion": one}


def _resources(group: str) -> dict[str, Any]:
    verbs = ["create", "delete", "get", "list", "watch"]
    listed = [
        {"name": n, "singularName": "", "kind": k, "namespaced": inside, "verbs": verbs}
        for n, k, inside in _RESOURCES[group]
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group, "resources": listed}


@contextmanager
def serving(tls: tuple[Path, Path] | None = None) -> Iterator[str]:
    """The server's URL while the block runs. tls: the files of its certificate and key."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
