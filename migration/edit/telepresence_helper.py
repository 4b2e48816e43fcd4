"""A team's own Telepresence script becomes a helper that calls the suite: people keep typing its name."""

from __future__ import annotations

_TEXT = """\
#!/usr/bin/env bash
# Telepresence by the suite's tasks: the cluster is the one of the settings, and what a run makes is recorded.
set -euo pipefail

usage() {
  cat <<'USAGE'
usage: PATH VERB [ARGUMENTS]

  connect [--context NAME] [--namespace NAME]   inv tp.connect
  intercept SERVICE [ARGUMENTS]                 inv intercept SERVICE
  leave [SERVICE]                               inv leave: one intercept, or all of this workstation
  list                                          inv tp.who: who intercepts what
  status                                        inv tp.status
  quit                                          inv tp.quit

The defaults of --context and --namespace are those of the settings.
USAGE
}

case "${1:-}" in
  -h | --help | help) usage; exit 0 ;;
  '') usage >&2; exit 64 ;;
esac
verb="$1"
shift
arguments=()
while [ $# -gt 0 ]; do
  case "$1" in
    --) arguments+=("$@"); break ;;
    --context | --namespace)
      [ $# -gt 1 ] || { echo "$1 needs a value" >&2; exit 64; }
      if [ "$1" = --context ]; then export REMOTE_DEV_CLUSTER__CONTEXT="$2"; else export REMOTE_DEV_CLUSTER__NAMESPACE="$2"; fi
      shift
      ;;
    *) arguments+=("$1") ;;
  esac
  shift
done
case "${verb}" in
  connect) task=tp.connect ;;
  intercept | leave) task="${verb}" ;;
  list) task=tp.who ;;
  status) task=tp.status ;;
  quit | disconnect) task=tp.quit ;;
  *)
    echo "no verb ${verb}" >&2
    usage >&2
    exit 64
    ;;
esac
exec "$(dirname "$0")/ROOT/scripts/inv" "${task}" ${arguments[@]+"${arguments[@]}"}
"""
VERBS = frozenset({"connect", "intercept", "leave", "list", "status", "quit", "disconnect", "help"})
_CALLS_THE_SUITE = "/scripts/inv"


def calls_the_suite(data: bytes) -> bool:
    """Is it such a helper already, perhaps with changes of the team?"""
    return _CALLS_THE_SUITE.encode() in data


def helper(path: str) -> bytes:
    """Return the helper for this path of core."""
    root = "/".join([".."] * path.count("/")) or "."
    return _TEXT.replace("PATH", path).replace("ROOT", root).encode()
