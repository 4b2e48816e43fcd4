"""One call of kubectl: its flags and its connection to the API server."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox.protocol.call import Call
from sandbox.standins import kubeconfig
from sandbox.standins.api_server import Session, Unreachable, reach
from sandbox.standins.credentials import Authenticator, Plugin, no_refusal
from sandbox.world.state import World

_VALUED = {
    "kubeconfig", "context", "cluster", "user", "namespace", "server", "token", "request-timeout", "as", "as-group", "as-uid",
    "v", "output", "selector", "field-selector", "raw", "sort-by", "filename", "subresource", "replicas", "timeout", "template",
    "cascade", "grace-period", "type", "patch", "for", "container", "tail", "since", "field-manager", "cache-dir", "chunk-size",
    "label-columns", "certificate-authority", "client-certificate", "client-key", "tls-server-name", "profile",
    "profile-output", "address", "from-literal", "dry-run", "limit", "validate",
}  # fmt: skip
_SWITCHES = {
    "all-namespaces", "ignore-not-found", "no-headers", "watch", "watch-only", "show-labels", "minify", "raw-config", "flatten",
    "current", "quiet", "list", "overwrite", "all", "force", "wait", "now", "recursive", "server-side", "client", "help",
    "show-kind", "allow-missing-template-keys", "insecure-skip-tls-verify", "match-server-version", "warnings-as-errors",
    "disable-compression", "local", "record", "follow", "previous", "timestamps", "prune", "merge", "show-managed-fields",
    "output-watch-events", "all-containers", "prefix", "ignore-errors", "all-pods", "stdin", "tty", "kustomize", "create-namespace", "short", "force-conflicts",
}  # fmt: skip
_SHORT = {
    "n": "namespace", "o": "output", "l": "selector", "f": "filename", "A": "all-namespaces", "q": "quiet", "w": "watch",
    "s": "server", "c": "container", "h": "help", "R": "recursive", "p": "patch", "v": "v", "i": "stdin", "t": "tty",
}  # fmt: skip
_OPTIONAL = {"dry-run": "unchanged", "raw": "true", "cascade": "background", "validate": "strict", "wait": "true"}


class Refused(Exception):
    """kubectl exits with code 1 and this text on stderr."""


def unknown_kind(word: str) -> Refused:
    """The error about a resource that the API server does not serve. kubectl omits its group (seen with 1.32.4)."""
    plural = word.partition(".")[0]
    return Refused(f'error: the server doesn\'t have a resource type "{plural}"\n')


@dataclass
class Run:
    """A parsed command line: words, and flags by long name."""

    call: Call
    world: World
    words: list[str] = field(default_factory=list)
    flags: dict[str, list[str]] = field(default_factory=dict)
    rest: list[str] = field(default_factory=list)
    writes: bool = False
    refusal: Callable[[World, Call, str], str] = no_refusal  # of the preferences' policy for credential plug-ins

    def value(self, name: str) -> str:
        """The last value of a flag, or ""."""
        return self.flags[name][-1] if name in self.flags else ""

    def on(self, name: str) -> bool:
        """Is this switch set?"""
        return self.value(name) == "true"

    def given(self, name: str) -> bool:
        """Was the flag given, even with an empty value?"""
        return name in self.flags

    def timeout(self) -> float:
        """--request-timeout in seconds. 0 means 30 here, to keep tests short."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)?", self.value("request-timeout") or "0")
        if not match:
            return 30.0
        return float(match.group(1)) * {"ms": 0.001, "m": 60.0, "h": 3600.0}.get(match.group(2) or "s", 1.0) or 30.0

    def session(self) -> tuple[Session, str]:
        """The connection to the API server, and the namespace. Raises Refused."""
        try:
            config = kubeconfig.load(self.call, self.value("kubeconfig"))
        except kubeconfig.Broken as why:
            raise Refused(f"error: {why}\n") from None
        context = self.value("context") or config.current
        if context and context not in config.contexts:
            raise Refused(f"Error in configuration: context was not found for specified context: {context}\n")
        if not context:
            raise Refused(
                "The connection to the server localhost:8080 was refused - did you specify the right host or port?\n"
            )
        try:
            plugin = Plugin.of(config, context)
            asks = Authenticator(plugin, self.call.line, refusal=self.refusal) if plugin else None
            session = reach(self.world, self.call, config, context, self.timeout(), asks)
        except Unreachable as why:
            raise Refused(why.stderr + _words(why, config.server(context))) from None
        return session, self.value("namespace") or config.namespace(context) or "default"


def _words(why: Unreachable, server: str) -> str:
    if why.kind == "refused":
        host = server.split("://", 1)[-1]
        return f"The connection to the server {host} was refused - did you specify the right host or port?\n"
    if why.kind == "unauthorized":
        return "error: You must be logged in to the server (Unauthorized)\n"
    return f"Unable to connect to the server: {why.text}\n"


def parse(call: Call, world: World) -> Run:
    """Parse the command line as pflag does. Raises Refused for an unknown flag."""
    run = Run(call, world)
    rest = list(call.argv)
    config_view = "config" in rest
    while rest:
        word = rest.pop(0)
        if word == "--":
            run.rest = rest
            break
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            _flag(run, name, value if equals else None, rest, word.partition("=")[0], config_view)
        elif word.startswith("-") and len(word) > 1:
            _shorts(run, word, rest, config_view)
        else:
            run.words.append(word)
    return run


def _flag(run: Run, name: str, value: str | None, rest: list[str], shown: str, config_view: bool) -> None:
    verb = run.words[0] if run.words else ""
    see = f"See 'kubectl {verb} --help' for usage." if verb else "See 'kubectl --help' for usage."
    if name not in _VALUED | _SWITCHES:
        raise Refused(f"Error: unknown flag: {shown}\n{see}\n")
    switch = name in _SWITCHES or (name == "raw" and config_view)
    if value is None:
        if switch:
            value = "true"
        elif name in _OPTIONAL and name != "raw":
            value = _OPTIONAL[name]
        elif rest:
            value = rest.pop(0)
        else:
            raise Refused(f"Error: flag needs an argument: {shown}\n{see}\n")
    run.flags.setdefault(name, []).append(value)


def _shorts(run: Run, word: str, rest: list[str], config_view: bool) -> None:
    verb = run.words[0] if run.words else ""
    see = f"See 'kubectl {verb} --help' for usage." if verb else "See 'kubectl --help' for usage."
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        name = _SHORT.get(letter)
        if name is None:
            raise Refused(f"Error: unknown shorthand flag: '{letter}' in {word}\n{see}\n")
        if name in _SWITCHES:
            run.flags.setdefault(name, []).append("true")
            continue
        value = letters.removeprefix("=") if letters else (rest.pop(0) if rest else None)
        if value is None:
            raise Refused(f"Error: flag needs an argument: '{letter}' in {word}\n{see}\n")
        run.flags.setdefault(name, []).append(value)
        return
