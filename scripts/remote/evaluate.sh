#!/usr/bin/env bash
# Evaluates the best checkpoint of an experiment, unless that is done. Waits for it; a lost connection does it no harm.
#
# Usage: evaluate.sh EXPERIMENT, with these in attempts/N/run.env (see supervise.sh):
#   LT_EVALUATE             command; {checkpoint} stands for the checkpoint's path relative to LT_DIRECTORY
#   LT_EVALUATE_CHECKPOINT  glob of the checkpoint, relative to the output folder; the newest match counts
#   LT_EVALUATE_SECONDS     time limit
# Set in the caller's environment they win over those of the run. Log: evaluate.log in the run's folder.
# Exit codes: the command's own; 124 time limit; 2 usage; 3 no run; 5 training still goes on; 66 no checkpoint.
set -euo pipefail
scripts="$(cd "$(dirname "$0")" && pwd)"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$scripts/lib.sh"
# shellcheck source-path=SCRIPTDIR source=run-processes.sh
. "$scripts/run-processes.sh"
mode=watch
if [ "${1:-}" = --run ]; then
  mode=run
  shift
fi
[ $# -ge 1 ] || die 2 "usage: evaluate.sh EXPERIMENT"
experiment="$1" request="${2:-}"
run_paths "$experiment"
[ -d "$facts" ] || die 3 "There is no run of $experiment on this instance."
log="$run/evaluate.log"

evaluate() {
  local checkpoint matches command output
  output="$(fact "$facts/output_path")"
  if [ -z "$output" ] || ! cd "$output"; then die 66 "No output folder of $experiment was found under $LT_OUTPUTS."; fi
  shopt -s nullglob globstar
  local IFS=
  # shellcheck disable=SC2206 # the glob is to be expanded
  matches=($LT_EVALUATE_CHECKPOINT)
  unset IFS
  [ "${#matches[@]}" -gt 0 ] || die 66 "No checkpoint matches $LT_EVALUATE_CHECKPOINT in $output."
  checkpoint="$(find "${matches[@]/#/./}" -maxdepth 0 -printf '%T@ %p\n' | sort -n | tail -n 1)"
  checkpoint="$output/${checkpoint#* ./}"
  cd "$(under_home "$LT_WORKSPACE")/$LT_DIRECTORY" || exit 127
  checkpoint="$(printf '%q' "$(realpath --relative-to=. -- "$checkpoint")")"
  command="${LT_EVALUATE//"{checkpoint}"/"$checkpoint"}"
  say "=== lambda-train: evaluating, $(now): $command"
  load_environment
  eval "${LT_VARIABLES:-}"
  LAMBDA_TRAIN_EVALUATION="$experiment" timeout --kill-after=10 "${LT_EVALUATE_SECONDS:-3600}" bash -o pipefail -c "$command"
}

if [ "$mode" = run ]; then
  trap '' HUP
  exec 8>"$run/evaluate.lock"
  flock 8
  # Another one may have done it while this one waited for the lock.
  if [ "$(fact "$facts/evaluation_exit")" = 0 ] || { [ -n "$request" ] && [ "$facts/evaluation_exit" -nt "$request" ]; }; then
    rm -f -- "$request"
    exit 0
  fi
  overridden="$(export -p | grep -E '^declare -x LT_EVALUATE' || true)"
  set -a
  # shellcheck disable=SC1091 # made by run.sh
  . "$facts/run.env"
  eval "$overridden"
  set +a
  rm -f -- "$facts/evaluation_exit"
  put "$facts/evaluation" "$(process_key "$$")"
  # Its supervisor may have gone before it saw the last of what training wrote; and the evaluation writes too.
  find_output "$experiment" || true
  code=0
  (evaluate 8>&-) </dev/null >>"$log" 2>&1 || code=$?
  find_output "$experiment" || true
  put "$facts/evaluation_exit" "$code"
  rm -f -- "$request"
  exit "$code"
fi

if [ ! -f "$facts/exit" ] && { is_alive "$facts/supervisor" || training_goes_on; }; then
  die 5 "The training of $experiment still goes on; it is evaluated at its end."
fi
if [ "$(fact "$facts/evaluation_exit")" = 0 ]; then
  say "already evaluated"
  exit 0
fi
request="$(mktemp "$facts/evaluate.XXXXXX")"
setsid bash "$0" --run "$experiment" "$request" </dev/null >/dev/null 2>&1 &
wait "$!" || true
code="$(fact "$facts/evaluation_exit")"
if [ "$code" = 0 ]; then
  say "evaluated: $(last_lines "$log" 1)"
  exit 0
fi
last_lines "$log" 40 1000 >&2
die "${code:-1}" "The evaluation of $experiment ended with status ${code:-unknown (its process is gone)}. Log on the instance: $log"
