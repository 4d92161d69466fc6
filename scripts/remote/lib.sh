#!/usr/bin/env bash
# Functions shared by the scripts in this folder; to be sourced, does nothing by itself.
# State lives in $LAMBDA_TRAIN_BASE (default ~/.lambda-train). One file holds one fact and is written atomically.
set -euo pipefail

base="${LAMBDA_TRAIN_BASE:-$HOME/.lambda-train}"

# say TEXT: a line for the person who reads along.
say() { printf '%s\n' "$*"; }

# die CODE TEXT: ends the script with a message.
die() {
  local code="$1"
  shift
  printf '%s\n' "$*" >&2
  exit "$code"
}

# need NAME...: every named variable must be set and not empty.
need() {
  local name
  for name in "$@"; do
    [ -n "${!name:-}" ] || die 2 "$(basename "$0"): the variable $name is not set; see the comment at the top of the script."
  done
}

# under_home PATH: an absolute path; a relative one counts from the home folder.
under_home() {
  case "$1" in
    /*) printf '%s\n' "$1" ;;
    *) printf '%s\n' "$HOME/$1" ;;
  esac
}

# put FILE TEXT: writes a fact atomically, readable by its owner only. On a full disk room that run.sh has kept is given
# up, piece by piece: how a run ended must be known, and it must be possible to stop it and to fetch its results.
put() {
  local temporary="$1.tmp.$BASHPID"
  until (umask 077 && printf '%s\n' "$2" >"$temporary") 2>/dev/null; do
    if ! give_up_room; then
      say "$1 cannot be written; is the disk full? (df -h $base)" >&2
      return 1
    fi
  done
  mv -f -- "$temporary" "$1"
}

# give_up_room: removes one piece of what keep_room has kept; fails where nothing is left. What training goes on to
# write may take one piece, so that there are several.
give_up_room() {
  local piece
  for piece in "$base"/reserve/*; do
    if [ -f "$piece" ]; then
      rm -f -- "$piece"
      return 0
    fi
  done
  return 1
}

# keep_room: takes up 8 pieces of 512 KiB, as far as there is room.
keep_room() {
  local piece
  mkdir -p "$base/reserve" || return 0
  for piece in 1 2 3 4 5 6 7 8; do
    if [ ! -s "$base/reserve/$piece" ]; then
      head -c 524288 /dev/urandom >"$base/reserve/$piece" 2>/dev/null || rm -f -- "$base/reserve/$piece"
    fi
  done
}

# fact FILE: a fact's text, or nothing where there is none.
fact() { if [ -f "$1" ]; then cat -- "$1"; fi; }

# now: the time as ISO 8601 in UTC.
now() { date -u +%Y-%m-%dT%H:%M:%SZ; }

# read_ahead: sets ahead, the seconds by which this clock is ahead of the one that limits in time are told by: see
# remote/clock.ts.
read_ahead() {
  ahead=0
  if [ -f "$base/clock" ]; then read -r ahead <"$base/clock" || true; fi
  [[ "$ahead" =~ ^-?[0-9]+$ ]] || ahead=0
}

# process_key PID: names a process for good: its number is used again, after a reboot even at once. Fails if it is gone
# or a zombie.
process_key() {
  local line boot
  line="$(cat "/proc/$1/stat" 2>/dev/null)" || return 1
  line="${line##*) }" # the name before it may hold anything
  # shellcheck disable=SC2086 # split into the fields of stat on purpose
  set -- "$1" $line
  [ "$2" != Z ] && [ "$2" != X ] || return 1
  boot="$(cat /proc/sys/kernel/random/boot_id)"
  printf '%s %s %s\n' "$1" "${21}" "$boot"
}

# is_alive FILE: the process whose key is in the file still runs.
is_alive() {
  local key
  key="$(fact "$1")"
  [ -n "$key" ] && [ "$(process_key "${key%% *}")" = "$key" ]
}

# pid_in FILE: the process number of a key.
pid_in() {
  local key
  key="$(fact "$1")"
  printf '%s\n' "${key%% *}"
}

# marked NAME=VALUE: numbers of the processes that were started with this variable, whatever session they are in.
marked() {
  local file
  for file in $(grep -lzxF -e "$1" /proc/[0-9]*/environ 2>/dev/null || true); do
    file="${file#/proc/}"
    if process_key "${file%/environ}" >/dev/null; then
      printf '%s\n' "${file%/environ}"
    fi
  done
}

# all_marked NAME=VALUE: the same, and surely all: while a process turns into another program its environment is empty.
all_marked() {
  local pids
  pids="$(marked "$1")"
  if [ -z "$pids" ]; then
    sleep 0.1
    pids="$(marked "$1")"
  fi
  printf '%s\n' "$pids"
}

# end_marked NAME=VALUE GRACE: TERM, up to GRACE seconds of patience, then KILL.
end_marked() {
  local pids until=$((SECONDS + $2 + ($2 > 0)))
  pids="$(all_marked "$1")"
  [ -n "$pids" ] || return 0
  # shellcheck disable=SC2086 # a list of numbers
  kill -TERM $pids 2>/dev/null || true
  while pids="$(all_marked "$1")" && [ -n "$pids" ]; do
    if [ "$SECONDS" -ge "$until" ]; then
      # shellcheck disable=SC2086
      kill -KILL $pids 2>/dev/null || true
    fi
    sleep 0.2
  done
}

# shown: what it reads, without what would steer a terminal (see remote/log-text.ts); a progress bar's returns end lines.
# Byte by byte, whatever the locale: a log may hold anything.
shown() {
  local sequences='\x1b\[[0-?]*[ -/]*[@-~]|\x1b[]PX^_][^\x07\x1b]*(\x07|\x1b\\)?|\xc2[\x80-\x9f]'
  LC_ALL=C tr '\r' '\n' | LC_ALL=C sed -E "s:$sequences::g" | LC_ALL=C tr -d '\000-\010\013-\037\177'
}

# last_lines FILE COUNT [BYTES]: the last lines that show something, cut to so many bytes (200). What tells why
# something failed may be longer.
last_lines() {
  [ -f "$1" ] || return 0
  # A character that was cut in two is dropped.
  {
    tail -c 65536 -- "$1" | shown | LC_ALL=C grep -a '[^[:space:]]' | tail -n "$2" | LC_ALL=C cut -c "1-${3:-200}" |
      iconv -c -f UTF-8 -t UTF-8
  } || true
}

# json_text TEXT: a JSON string.
json_text() {
  local text
  text="$(printf '%s' "$1" | LC_ALL=C tr '\n\t' '  ' | LC_ALL=C tr -d '\000-\037')"
  text="${text//\\/\\\\}"
  printf '"%s"' "${text//\"/\\\"}"
}

# load_environment: activates what setup.sh made. Activation scripts of others do not survive `set -u`.
load_environment() {
  if [ -f "$base/env.sh" ]; then
    set +eu
    # shellcheck disable=SC1091 # made on the instance
    . "$base/env.sh"
    set -eu
  fi
}

# run_paths EXPERIMENT: sets run (the run's folder), attempt (its number, 0 without one) and facts (that attempt's folder).
run_paths() {
  run="$base/runs/$1"
  attempt="$(fact "$run/attempt")"
  attempt="${attempt:-0}"
  # shellcheck disable=SC2034 # for those who source this file
  facts="$run/attempts/$attempt"
}

# evaluates_itself EXIT STOP_REASON: whether supervise.sh evaluates such an end. What ended well it does, and what a limit
# ended: the run is over. What somebody stopped is left to them.
evaluates_itself() {
  case "$2" in
    "") [ "$1" = 0 ] && [ ! -f "$facts/detached" ] ;;
    budget | limit | idle) true ;;
    *) false ;;
  esac
}

# has_checkpoint FOLDER [MARK]: whether what the evaluation looks for is in it, newer than the mark.
has_checkpoint() (
  mark="${2:-}"
  [ -n "${LT_EVALUATE_CHECKPOINT:-}" ] && cd "$1" 2>/dev/null || exit 1
  shopt -s nullglob globstar
  IFS=
  for match in $LT_EVALUATE_CHECKPOINT; do
    if [ -z "$mark" ] || [ "$match" -nt "$mark" ]; then exit 0; fi
  done
  exit 1
)

# resume_checkpoint EXPERIMENT: absolute path of the checkpoint from which the next attempt resumes; nothing where the run of
# run.env, which is to be in the environment, has no train.resume, or no checkpoint yet.
resume_checkpoint() {
  local output
  [ -n "${LT_RESUME:-}" ] || return 0
  output="$(fact "$facts/output_path")"
  output="${output:-$(under_home "$LT_WORKSPACE")/$LT_OUTPUTS/$1}"
  # shellcheck disable=SC2154 # set by those who source this file
  python3 -I "$scripts/resume.py" "$output" "${LT_RESUME_CHECKPOINT:-}" || true
}

# is_plain NAME...: whether the names can stand in lines and in JSON as they are.
is_plain() {
  [[ "$*" != *[[:cntrl:]]* ]] && printf '%s' "$*" | iconv -f UTF-8 -t UTF-8 >/dev/null 2>&1
}

# find_output EXPERIMENT: notes where the attempt at run_paths writes, by what is newer than its beginning: output_path,
# the folder that holds its results, and output_beside, what else there is under the outputs, a line each. Makefiles
# change the experiment's name or leave it out, and checkpoints and logs may lie in folders of their own.
find_output() {
  local outputs own name each known main="" beside="" names=() folders=()
  outputs="$(under_home "$LT_WORKSPACE")/$LT_OUTPUTS"
  own="$outputs/$1"
  while IFS= read -r -d '' name; do
    # A link to what has a name of its own here, such as `latest`, is nothing more.
    if [ -L "$outputs/$name" ] && [[ "$(realpath -- "$outputs/$name")" == "$(realpath -- "$outputs")"/* ]]; then continue; fi
    names+=("$name")
    if [ "$outputs/$name" = "$own" ] && [ -d "$own" ]; then
      folders=("$own" "${folders[@]}")
    elif [ -d "$outputs/$name" ]; then
      folders+=("$outputs/$name")
    fi
  done < <(find -L "$outputs" -mindepth 1 -type f -newer "$facts/mark" -printf '%P\0' 2>/dev/null | sed -z 's,/.*,,' | sort -zu)
  if [ "${#names[@]}" -eq 0 ]; then
    if [ ! -f "$facts/output_path" ] && [ -d "$own" ]; then put "$facts/output_path" "$own"; fi
    return
  fi
  for each in "${folders[@]}" "$outputs"; do
    if has_checkpoint "$each" "$facts/mark"; then
      main="$each"
      break
    fi
  done
  # Until there is a new checkpoint, that of an earlier attempt is the best.
  known="$(fact "$facts/output_path")"
  if [ -z "$main" ] && [ -n "$known" ] && has_checkpoint "$known"; then main="$known"; fi
  if [ -z "$main" ] && { [ "${folders[0]:-}" = "$own" ] || [ "${#folders[@]}" -eq 1 ]; }; then main="${folders[0]}"; fi
  if [ -z "$main" ] || ! is_plain "$main"; then main="$outputs"; fi
  if [ "$main" = "$outputs" ]; then
    beside=""
  elif [ "${#names[@]}" -gt 20 ] || ! is_plain "${names[@]}"; then
    # More than a command would hold, or names that it would not: all of them together, the results' own once more.
    beside="$outputs"
  else
    for name in "${names[@]}"; do
      if [ "$outputs/$name" != "$main" ]; then beside+="$outputs/$name"$'\n'; fi
    done
  fi
  put "$facts/output_path" "$main"
  put "$facts/output_beside" "${beside%$'\n'}"
}

# is_over: whether the attempt at run_paths has ended, and its supervisor has nothing left to do but to go.
is_over() {
  [ -f "$facts/exit" ] || return 1
  [ -f "$facts/evaluation_exit" ] || [ -z "$(wanted_evaluation)" ] || ! evaluates_itself "$(fact "$facts/exit")" "$(fact "$facts/stop_reason")"
}

# wanted_evaluation: the command that evaluates the attempt at run_paths, or nothing where there is none.
wanted_evaluation() {
  if [ -f "$facts/run.env" ]; then
    # shellcheck disable=SC1091 # made by run.sh
    (. "$facts/run.env" && printf '%s' "${LT_EVALUATE:-}")
  fi
}

# session_name EXPERIMENT: tmux takes neither . nor : in a name.
session_name() { printf '%s\n' "${1//[.:]/_}"; }
