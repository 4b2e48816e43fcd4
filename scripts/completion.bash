# shellcheck shell=bash
# Completion of `inv` without Invoke: tasks, flags and services from a file that is rewritten when a task changes.
#   bash: source scripts/completion.bash        zsh: the same, through bashcompinit
# It uses only what bash and zsh have in common: strings, no array indexes.

[ -n "${ZSH_VERSION:-}" ] && autoload -Uz bashcompinit && bashcompinit

_remote_dev_root() { # the repository above the current folder, as inv finds it
  local place=$PWD
  while [ -n "$place" ]; do
    if [ -f "$place/tasks.py" ] && [ -f "$place/tasks/completion.py" ]; then
      printf '%s' "$place"
      return
    fi
    place=${place%/*}
  done
}

_remote_dev_write() { # ROOT FILE; nothing while the suite's own environment does not exist
  local python="$1/.remote-dev/venv/bin/python" new="$2.$$"
  [ -x "$python" ] || return 1
  (
    umask 077
    mkdir -p "${2%/*}" && cd "$1" && "$python" -m tasks.completion >"$new" 2>/dev/null && mv -f "$new" "$2"
    rm -f "$new"
  )
}

_remote_dev_fresh() { # ROOT FILE: is the file newer than every task and the catalogue?
  local source line config=config
  while IFS= read -r line; do # the folder of the settings, as tasks/core/repository.py finds it
    case "$line" in config=*) config=${line#config=} && config=${config%% *} && break ;; esac
  done <"$1/scripts/inv" 2>/dev/null
  for source in "$1"/tasks/*.py "$1/$config/services.yaml"; do
    if [ "$source" -nt "$2" ]; then return 1; fi
  done
}

_remote_dev_complete() {
  local line=${COMP_LINE:0:$COMP_POINT} root file current rest word entry name own="" flags="" tasks="" services="" task=""
  COMPREPLY=()
  case "$line" in *" -- "*) return ;; esac # the rest is for another program
  root=$(_remote_dev_root)
  [ -n "$root" ] || return
  file="${REMOTE_DEV_STATE:-${XDG_STATE_HOME:-$HOME/.local/state}/remote-dev}/completion/${root//\//%}"
  if [ ! -s "$file" ]; then
    _remote_dev_write "$root" "$file" || return
  elif ! _remote_dev_fresh "$root" "$file"; then
    (_remote_dev_write "$root" "$file" >/dev/null 2>&1 &) # the next TAB has it
  fi

  current=${line##* }
  rest=${line% *}
  while IFS= read -r entry; do
    name=${entry%% *}
    case "$name" in
      -) own=${entry#- } ;;
      @) services=${entry#@ } ;;
      *) tasks="$tasks $name" ;;
    esac
  done <"$file"
  while :; do # the last task before the cursor
    word=${rest##* }
    case "$tasks " in *" ${word//_/-} "*) task=${word//_/-} && break ;; esac
    case "$rest" in *" "*) rest=${rest% *} ;; *) break ;; esac
  done
  if [ -n "$task" ]; then
    while IFS= read -r entry; do
      if [ "${entry%% *}" = "$task" ]; then flags=" ${entry#* } "; fi
    done <"$file"
  fi
  case "$current" in
    -*) word=${flags:-$own} ;;
    *)
      word=$tasks
      case "$flags" in *" @ "*) if [ "${line% *}" = "$rest" ]; then word=$services; fi ;; esac
      ;;
  esac
  rest="$word " # compgen differs between the shells
  while [ -n "$rest" ]; do
    entry=${rest%% *}
    rest=${rest#* }
    if [ "$entry" = @ ] || [ -z "$entry" ]; then continue; fi
    case "$entry" in "$current"*) COMPREPLY+=("$entry") ;; esac
  done
}

complete -o default -F _remote_dev_complete inv invoke ./scripts/inv scripts/inv
