"""The stand-in for helm 3.22.0: it renders charts and stores releases in the world's cluster.

Errors are as recorded; where nothing was recorded, the text is from Helm's source.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sandbox.protocol.call import Answer, Call
from sandbox.standins.go.flags import UnknownFlag, parse
from sandbox.standins.helm import local, operations, reading
from sandbox.standins.helm.chart import HelmError
from sandbox.standins.helm.command import Helm
from sandbox.world.state import World

_GLOBAL = (
    "burst-limit= debug kube-apiserver= kube-as-group= kube-as-user= kube-ca-file= kube-context= kube-insecure-skip-tls-verify "
    "kube-tls-server-name= kube-token= kubeconfig= namespace/n= qps= registry-config= repository-cache= repository-config= help/h"
)
_VALUES = "set= set-file= set-json= set-literal= set-string= values/f="
_CHART = (
    "ca-file= cert-file= dependency-update devel insecure-skip-tls-verify key-file= keyring= pass-credentials password= "
    "plain-http repo= username= verify version="
)
_INSTALL = (
    f"{_VALUES} {_CHART} atomic create-namespace description= disable-openapi-validation dry-run enable-dns force hide-notes "
    "hide-secret labels/l= no-hooks output/o= post-renderer= post-renderer-args= render-subchart-notes skip-crds "
    "skip-schema-validation take-ownership timeout= wait wait-for-jobs"
)
_LIST = (
    "all/a all-namespaces/A date/d deployed failed filter/f= max/m= no-headers offset= output/o= pending reverse/r selector/l= "
    "short/q superseded time-format= uninstalled uninstalling"
)


@dataclass(frozen=True)
class _Verb:
    """One verb. least, most: number of words."""

    flags: str
    least: int
    most: int | None
    usage: str
    summary: str
    run: Callable[[Helm], Answer]


_VERBS: dict[str, _Verb] = {
    "version": _Verb("client/c short template=", 0, 0, "[flags]", "print the helm version information", local.version),
    "template": _Verb(
        f"{_INSTALL} api-versions/a= include-crds is-upgrade generate-name/g kube-version= name-template= output-dir= "
        "release-name show-only/s= skip-tests validate replace",
        1,
        2,
        "[NAME] [CHART] [flags]",
        "locally render templates",
        local.template,
    ),
    "upgrade": _Verb(
        f"{_INSTALL} install/i cleanup-on-fail history-max= reset-then-reuse-values reset-values reuse-values",
        2,
        2,
        "[RELEASE] [CHART] [flags]",
        "upgrade a release",
        operations.upgrade,
    ),
    "uninstall": _Verb(
        "cascade= description= dry-run ignore-not-found keep-history no-hooks timeout= wait",
        1,
        None,
        "RELEASE_NAME [...] [flags]",
        "uninstall a release",
        operations.uninstall,
    ),
    "list": _Verb(_LIST, 0, 0, "[flags]", "list releases", reading.list_),
    "status": _Verb(
        "output/o= revision= show-desc show-resources",
        1,
        1,
        "RELEASE_NAME [flags]",
        "display the status of the named release",
        reading.status,
    ),
    "get manifest": _Verb(
        "revision=", 1, 1, "RELEASE_NAME [flags]", "download the manifest for a named release", reading.manifest
    ),
}


def handle(call: Call, world: World) -> Answer:
    """Answer one call of helm."""
    try:
        start = parse(list(call.argv), _GLOBAL, interspersed=False)
    except UnknownFlag as why:
        return Answer(1, stderr=f"Error: {why}\n")
    if not start.words or start.words[0] == "help":
        return Answer(stdout=_help())
    name = " ".join(start.words[:2]) if start.words[0] == "get" else start.words[0]
    verb = _VERBS.get(name)
    if verb is None:
        return Answer(
            1, stderr=f'Error: unknown command "{start.words[0]}" for "helm"\nRun \'helm --help\' for usage.\n'
        )
    try:
        parsed = parse(_optional_dry_run(start.words[len(name.split()) :]), f"{verb.flags} {_GLOBAL}")
    except UnknownFlag as why:
        return Answer(1, stderr=f"Error: {why}\n")
    for flag, texts in start.flags.items():
        parsed.flags.setdefault(flag, texts)
    return _run(Helm(call, world, parsed), name, verb)


def _run(helm: Helm, name: str, verb: _Verb) -> Answer:
    """Run a verb, or print its help."""
    if helm.parsed.on("help"):
        return Answer(stdout=_verb_help(name, verb))
    count = len(helm.parsed.words)
    if count < verb.least or (verb.most is not None and count > verb.most):
        return Answer(1, stderr=f"Error: {_counted(name, verb)}\n\nUsage:  helm {name} {verb.usage}\n")
    try:
        return verb.run(helm)
    except HelmError as why:
        return Answer(1, stderr=f"Error: {why}\n")


def _optional_dry_run(words: list[str]) -> list[str]:
    """`--dry-run` without a value means `client`."""
    return ["--dry-run=client" if word == "--dry-run" else word for word in words]


def _counted(name: str, verb: _Verb) -> str:
    if verb.most is None or verb.least != verb.most:
        return f'"helm {name}" requires at least {verb.least} argument{"s" if verb.least != 1 else ""}'
    return f'"helm {name}" requires {verb.least} argument{"s" if verb.least != 1 else ""}'


def _help() -> str:
    groups: dict[str, str] = {}
    for name, verb in _VERBS.items():
        groups[name.split()[0]] = (
            verb.summary if " " not in name else "download extended information of a named release"
        )
    lines = "\n".join(f"  {name:<11} {summary}" for name, summary in sorted(groups.items()))
    return f"The Kubernetes package manager\n\nUsage:\n  helm [command]\n\nAvailable Commands:\n{lines}\n\nFlags:\n{_flags(_GLOBAL)}"


def _verb_help(name: str, verb: _Verb) -> str:
    return (
        f"{verb.summary}\n\nUsage:\n  helm {name} {verb.usage}\n\nFlags:\n{_flags(verb.flags + ' help/h')}\n"
        f"Global Flags:\n{_flags(_GLOBAL)}"
    )


def _flags(text: str) -> str:
    lines: list[str] = []
    for word in sorted(text.split()):
        long, *short = word.rstrip("=").split("/")
        lines.append(f"  {f'-{short[0]}, ' if short else '    '}--{long}{' string' if word.endswith('=') else ''}")
    return "\n".join(lines) + "\n"
