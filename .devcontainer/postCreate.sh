#!/usr/bin/env bash
# Runs once when the container is created. It always exits with 0, because editors hide a failing postCreateCommand.
# Instead, every new terminal shows a notice of what is missing, until `inv setup` succeeds.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd) || exit 0
state=${REMOTE_DEV_STATE:-$HOME/.local/state/remote-dev}
limit=$((${POST_CREATE_SECONDS:-900} - 30)) # below the longest deadline of a single tool: deadlines.packages in the settings

take_over() { # folder; a volume created by an older container can belong to root
  [ -d "$1" ] || { mkdir -p "$1" && chmod 0700 "$1"; }
  [ -O "$1" ] || sudo -n chown -R "$(id -u):$(id -g)" "$1"
}

link() { # name in ~/.local/bin for this repository's inv
  local place=$HOME/.local/bin/$1
  [ "$(readlink "$place")" = "$root/scripts/inv" ] || ln -sfn "$root/scripts/inv" "$place"
}

keep() { # file, text; writes the file only if the text differs
  [ "$2" = "$(cat "$1" 2>/dev/null)" ] || printf '%s\n' "$2" >"$1"
}

why_incomplete() { # exit code of the setup
  case $1 in
    124 | 137) echo "it was ended after $limit s" ;;
    *) echo "it ended with exit code $1" ;;
  esac
}

reasons() { # output of the setup; its last lines if none names a reason
  { grep -E '^(!!|\?\?|xx|error:| +(why|fix):)' "$1" || tail -n 3 "$1"; } |
    sed -E 's/ +[0-9.]+ s$//; s/^ +/   /' | # without the seconds, so that a second run says the same
    tail -n 12
}

for folder in "$HOME/.azure" "$HOME/.kube" "$state"; do take_over "$folder" 2>/dev/null; done
mkdir -p "$HOME/.local/bin"
for name in inv invoke; do link "$name"; done # completion calls `invoke`
completion="$root/scripts/completion.bash"    # for both shells; it does not start Invoke
for shell in bash zsh; do keep "$state/completion.$shell" "if [ -r '$completion' ]; then . '$completion'; fi"; done

output=$(mktemp)
trap 'rm -f "$output"' EXIT
timeout --kill-after=5 "$limit" "$root/scripts/inv" setup </dev/null 2>&1 | tee "$output"
code=${PIPESTATUS[0]}
if [ "$code" = 0 ]; then
  rm -f "$state/notice"
  echo "ready: inv intercept SERVICE (inv status shows the state)"
  exit 0
fi
notice="setup of this dev container is not complete: $(why_incomplete "$code")
$(reasons "$output")
  fix: inv setup"
printf '%s\n' "$notice"
keep "$state/notice" "$notice"
exit 0
