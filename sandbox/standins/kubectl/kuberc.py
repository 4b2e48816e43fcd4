"""The policy for credential plug-ins in kubectl's preferences: ~/.kube/kuberc, or the file in KUBERC (kubectl 1.35).

The texts were seen on kubectl 1.36.2 (pkg/kuberc, and client-go's exec.go). 1.35 calls a list entry's field `name`, 1.36
`command`. An earlier kubectl knows neither field; aliases and defaults are not supported here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.protocol.call import Call
from sandbox.standins.kubectl.run import Refused
from sandbox.world.state import World

_GROUP = "kubectl.config.k8s.io"
_INVALID = "no valid preferences found in {path}, use --v=5 to see details"
_OFF = ("0", "f", "false")  # strconv.ParseBool, in lower case


@dataclass(frozen=True)
class Policy:
    """kind: "", AllowAll, DenyAll or Allowlist. allowed: the list's entries; None without a list."""

    kind: str = ""
    allowed: tuple[str, ...] | None = None

    def refusal(self, world: World, call: Call, command: str) -> str:
        """Why kubectl does not start this plug-in; empty if it does."""
        if self.kind == "DenyAll":
            return f'plugin "{command}" not allowed: policy set to "DenyAll"'
        if self.kind != "Allowlist" or command in (self.allowed or ()):
            return ""
        path = world.which(call, command)
        if path is None:
            reason = f'exec: "{command}": executable file not found in $PATH'
            return f'plugin path "{command}" cannot be resolved for credential plugin allowlist check: {reason}'
        for entry in self.allowed or ():
            same_name = os.path.basename(entry) == os.path.basename(path)
            if entry == path or (same_name and world.which(call, entry) == path):
                return ""
        return f'plugin path "{path}" is not permitted by the credential plugin allowlist'

    def check(self) -> None:
        """Raise Refused for a policy that does not fit its list."""
        reason = self._misfit()
        if reason:
            raise Refused(f"error occurred while applying preferences {reason}\n")

    def _misfit(self) -> str:
        if self.kind not in ("", "AllowAll", "DenyAll", "Allowlist"):
            return f'unknown plugin policy: "{self.kind}"'
        if self.kind != "Allowlist":
            wrong = f'plugin policy is "{self.kind}" but allowlist is non-nil'
            return "" if self.allowed is None else f"misconfigured credential plugin allowlist: {wrong}"
        if self.allowed is None:
            return 'credential plugin policy set to "Allowlist", but allowlist is unspecified'
        if not self.allowed:
            return 'credential plugin policy set to "Allowlist", but allowlist is empty; use "DenyAll" policy instead'
        return next(
            (
                _misfit_entry(number, entry)
                for number, entry in enumerate(self.allowed, 1)
                if entry != os.path.normpath(entry)
            ),
            "",
        )


def policy(call: Call, world: World) -> Policy:
    """The policy for this call. Raises Refused for a file that kubectl does not accept."""
    named = call.env.get("KUBERC", "")
    if named == "off" or call.env.get("KUBECTL_KUBERC", "").lower() in _OFF:
        return Policy()
    found = _policy(_named(call, named) if named else _default(call, world))
    found.check()
    return found


def _policy(preference: dict[str, Any]) -> Policy:
    entries = preference.get("credentialPluginAllowlist")
    allowed = None if entries is None else tuple(str(e.get("command") or e.get("name") or "") for e in entries)
    return Policy(str(preference.get("credentialPluginPolicy") or ""), allowed)


def _named(call: Call, path: str) -> dict[str, Any]:
    """The preferences in the file that the user named. Raises Refused for one that kubectl cannot use."""
    try:
        return _read(os.path.join(call.cwd, path))
    except FileNotFoundError:
        problem = f"open {path}: no such file or directory"
    except ValueError:
        problem = _INVALID.format(path=path)
    raise Refused(f"error occurred while applying preferences kuberc error kuberc: {problem}\n")


def _default(call: Call, world: World) -> dict[str, Any]:
    """The preferences in the usual file; empty, with a warning, for one that kubectl cannot use."""
    path = os.path.join(call.home, ".kube/kuberc")
    try:
        return _read(path)
    except FileNotFoundError:
        return {}
    except ValueError:
        world.emit(call, f"kuberc: no preferences loaded from {path}: {_INVALID.format(path=path)}", error=True)
        return {}


def _read(path: str) -> dict[str, Any]:
    """The first document that this kubectl knows; empty for a file without documents. Raises ValueError."""
    import yaml

    try:
        documents = [d for d in yaml.safe_load_all(Path(path).read_text(encoding="utf-8")) if d is not None]
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ValueError(path) from None
    for document in documents:
        if isinstance(document, dict) and document.get("kind") == "Preference":
            group, _, version = str(document.get("apiVersion")).partition("/")
            if group == _GROUP and version in ("v1alpha1", "v1beta1"):
                return document if version == "v1beta1" else {}
    if documents:
        raise ValueError(path)
    return {}


def _misfit_entry(number: int, entry: str) -> str:
    if not entry:
        return f"misconfigured credential plugin allowlist: empty allowlist entry #{number}"
    return f'non-normalized file path: "{entry}" vs "{os.path.normpath(entry)}"'
