#!/usr/bin/env bash
# Runs once when the container is created. It always exits with 0, because editors hide a failing postCreateCommand.
# Instead, every new terminal shows a notice of what is missing, until `inv setup` succeeds.
set -uo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd) || exit 0
state=${REMOTE_DEV_STATE:-$HOME/.local/state/remote-dev}
limit=${POST_CREATE_SECONDS:-900} # the longest deadline of a single tool: deadlines.packages in the settings

# A volume created by an older container can belong to root.
for folder in "$HOME/.azure" "$HOME/.kube" "$state"; do
  [ -d "$folder" ] || { mkdir -p "$folder" && chmod 0700 "$folder"; }
  [ -O "$folder" ] || sudo -n chown -R "$(id -u):$(id -g)" "$folder"
  chmod go= "$folder" # the suite refuses a state folder that others can enter
done 2>/dev/null

# `inv`, and `invoke` (completion calls it), run this repository's suite.
mkdir -p "$HOME/.local/bin"
for name in inv invoke; do
  [ "$(readlink "$HOME/.local/bin/$name")" = "$root/scripts/inv" ] || ln -sfn "$root/scripts/inv" "$HOME/.local/bin/$name"
done

keep() { # FILE, new text on stdin; writes the file only if the text differs
  local text
  text=$(cat)
  [ "$text" = "$(cat "$1" 2>/dev/null)" ] || printf '%s\n' "$text" >"$1"
}

said=$(mktemp)
timeout --kill-after=5 "$((limit - 30))" "$root/scripts/inv" setup </dev/null 2>&1 | tee "$said"
code=${PIPESTATUS[0]}

completion="$root/scripts/completion.bash" # for both shells; it does not start Invoke
for shell in bash zsh; do
  keep "$state/completion.$shell" <<<"if [ -r '$completion' ]; then . '$completion'; fi"
done

case $code in
  0) rm -f "$said" "$state/notice"; echo "ready: inv intercept SERVICE (inv status shows the state)"; exit 0 ;;
  124 | 137) why="it was ended after $((limit - 30)) s" ;;
  *) why="it ended with exit code $code" ;;
esac
text="setup of this dev container is not complete: $why
$({ grep -E '^(!!|\?\?|xx|error:| +(why|fix):)' "$said" || tail -n 3 "$said"; } | sed -E 's/ +[0-9.]+ s$//; s/^ +/   /' | tail -n 12)
  fix: inv setup"
rm -f "$said"
printf '%s\n' "$text"
keep "$state/notice" <<<"$text"
exit 0
