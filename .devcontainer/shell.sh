# Loaded by every shell of the dev container: shows what setup is still missing, and completes `inv`.
# shellcheck shell=sh
remote_dev_state=${REMOTE_DEV_STATE:-$HOME/.local/state/remote-dev}
case $- in
  *i*)
    if [ -r "$remote_dev_state/notice" ]; then cat "$remote_dev_state/notice"; fi
    for remote_dev_completion in "${BASH_VERSION:+bash}" "${ZSH_VERSION:+zsh}"; do
      # shellcheck source=/dev/null
      if [ -r "$remote_dev_state/completion.$remote_dev_completion" ]; then . "$remote_dev_state/completion.$remote_dev_completion"; fi
    done
    ;;
esac
unset remote_dev_state remote_dev_completion
