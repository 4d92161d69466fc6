#!/usr/bin/env bash
# Runs one attempt of an experiment to its end: training, then evaluation. Started by run.sh inside tmux. What a limit
# ended is evaluated too; what somebody stopped is left to them.
#
# Usage: supervise.sh EXPERIMENT
# Reads attempts/N/run.env in the run's folder:
#   LT_WORKSPACE   the workload's folder (relative: below the home folder)
#   LT_DIRECTORY   folder in it in which commands run
#   LT_COMMAND     the training command
#   LT_VARIABLES   lines "export NAME=value" for it
#   LT_OUTPUTS     folder in the workspace in which the workload writes results
#   LT_PATTERN     extended regular expression of the first training step in the log
#   LT_GRACE       seconds between TERM and KILL at a clean stop
#   LT_EVALUATE…   see evaluate.sh
# and, anew all the time, attempts/N/limits; each may be empty for none:
#   LT_MAX_SECONDS  seconds that all attempts together may take (stop reason: limit)
#   LT_IDLE_SECONDS seconds without a new byte in the log and without work on a GPU (idle)
#   LT_DEADLINE     seconds since the epoch at which the budget is spent (budget)
# Writes facts beside it: supervisor, first_step, first_step_line, output_path, output_beside, exit, ended_at, seconds, active_at,
# stop_reason; and log.times beside the log.
# Exit codes: 0 (what happened to training is in the file exit).
set -euo pipefail
scripts="$(cd "$(dirname "$0")" && pwd)"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$scripts/lib.sh"
[ $# -eq 1 ] || die 2 "usage: supervise.sh EXPERIMENT"
experiment="$1"
run_paths "$experiment"
log="$run/train.log"
# The session may be closed, the run goes on. Ctrl-C in it is a wish to stop.
trap '' HUP
trap 'request_stop interrupt' INT
request_stop() { if [ ! -f "$facts/stop_request" ]; then put "$facts/stop_request" "$1" || true; fi; }
# TERM comes when the machine goes down, and to training too. That is no end of the run: without a status it goes on
# from its checkpoint, however training takes it.
going_down=no
trap 'going_down=yes' TERM

set -a
# shellcheck disable=SC1091 # made by run.sh
. "$facts/run.env"
set +a
workspace="$(under_home "$LT_WORKSPACE")"
touch "$facts/mark"
put "$facts/supervisor" "$(process_key "$$")"
(umask 077 && touch "$log")
# note TEXT: a line in the log. A disk that is full must not end the supervision.
note() { say "$*" >>"$log" 2>/dev/null || true; }
size="$(stat -c %s "$log")"
note "=== lambda-train: $experiment, attempt $attempt, started $(now): ${LT_COMMAND//$'\n'/; }"
tail -n 20 -F --pid="$$" "$log" 2>/dev/null &
viewer=$!

start() {
  cd "$workspace/$LT_DIRECTORY" || exit 127
  load_environment
  eval "${LT_VARIABLES:-}"
  trap - INT TERM HUP
  export LAMBDA_TRAIN_RUN="$experiment"
  # A training that crashes into `| tee` has crashed.
  exec setsid bash -o pipefail -c "$LT_COMMAND"
}
(start) </dev/null >>"$log" 2>&1 &
child=$!

# Looks for the first step in what the log got since this attempt began.
scanned="$size"
find_first_step() {
  local end line
  end="$(stat -c %s "$log")"
  [ "$end" -gt "$scanned" ] || return 0
  # From a little before: a line may have been cut by the last look.
  local from=$((scanned > size + 4096 ? scanned - 4096 : size))
  line="$(tail -c "+$((from + 1))" "$log" | tr '\r' '\n' | grep -av '^=== lambda-train: ' | grep -a -m 1 -iE -e "$LT_PATTERN" | cut -c 1-500)" || true
  scanned="$end"
  if [ -n "$line" ]; then
    put "$facts/first_step_line" "$line" || true
    put "$facts/first_step" "$(now)" || true
  fi
}

stop_training() {
  local grace="$LT_GRACE" asked
  asked="$(fact "$facts/stop_grace")"
  # A disk that stays full must not keep training from being stopped.
  put "$facts/stop_reason" "$1" || true
  note "=== lambda-train: stopping ($1): TERM, then KILL after ${asked:-$grace} s"
  end_training "${asked:-$grace}"
}

# end_training GRACE: also where it has not begun yet, since its environment is being made ready.
end_training() {
  stop_cleanly "LAMBDA_TRAIN_RUN=$experiment" "$1"
  kill -TERM "$child" 2>/dev/null || true
}

# gpu_works: whether a GPU has something to do. One that cannot be asked may have: only a certain 0 is idle.
gpu_works() {
  local used
  command -v nvidia-smi >/dev/null || return 1
  used="$(timeout 10 nvidia-smi --query-gpu=utilization.gpu --format=csv,noheader,nounits 2>/dev/null)" || return 0
  [ -z "$used" ] || grep -qvx '[[:space:]]*0[[:space:]]*' <<<"$used"
}

# Sets active to the last time at which the log grew or a GPU worked. GPUs are asked only while the log is silent.
active="$SECONDS" known_size="$size" asked_gpu=0
note_activity() {
  local end
  end="$(stat -c %s "$log")"
  if [ "$end" != "$known_size" ]; then
    known_size="$end" active="$SECONDS"
  elif [ $((SECONDS - active)) -ge 5 ] && [ $((SECONDS - asked_gpu)) -ge 10 ]; then
    asked_gpu="$SECONDS"
    if gpu_works; then active="$SECONDS"; fi
  fi
}

# A log has no times of its own: every few seconds in which it grew get a line "SECONDS SIZE" (see follow.py).
times="$run/log.times" stamped_size=-1 stamped=-5
stamp_log() {
  local time
  [ "$known_size" != "$stamped_size" ] && [ $((SECONDS - stamped)) -ge 5 ] || return 0
  printf -v time '%(%s)T' -1
  printf '%s %s\n' "$time" "$known_size" 2>/dev/null >>"$times" || return 0
  stamped_size="$known_size" stamped="$SECONDS"
}

# Sets reached to the stop reason where a limit is reached.
reached=""
check_limits() {
  local LT_MAX_SECONDS="" LT_IDLE_SECONDS="" LT_DEADLINE="" time
  # shellcheck disable=SC1091 # made by run.sh, which may change it at any time
  . "$facts/limits"
  printf -v time '%(%s)T' -1
  if [ -n "$LT_DEADLINE" ] && [ "$time" -ge "$LT_DEADLINE" ]; then
    reached=budget
  elif [ -n "$LT_MAX_SECONDS" ] && [ $((used + SECONDS - began)) -ge "$LT_MAX_SECONDS" ]; then
    reached=limit
  elif [ -n "$LT_IDLE_SECONDS" ] && [ $((SECONDS - active)) -ge "$LT_IDLE_SECONDS" ]; then
    if gpu_works; then active="$SECONDS"; else reached=idle; fi
  fi
}

stamp_log
began="$SECONDS"
noted=0
used="$(fact "$facts/used")"
while kill -0 "$child" 2>/dev/null; do
  if [ ! -f "$facts/first_step" ]; then
    find_first_step
    if [ -f "$facts/first_step" ]; then noted=0; fi
  fi
  note_activity
  stamp_log
  if [ $((SECONDS - began)) -ge "$noted" ]; then
    # Known before the end: the machine may go down, or its results be wanted while it trains. A disk that stays full
    # does not end the supervision.
    put "$facts/seconds" "$((SECONDS - began))" || true
    find_output "$experiment" || true
    put "$facts/active_at" "$(($(date +%s) - SECONDS + active))" || true
    noted=$((SECONDS - began + 10))
  fi
  if [ -f "$facts/stop_request" ]; then
    stop_training "$(fact "$facts/stop_request")"
    break
  fi
  check_limits
  if [ -n "$reached" ]; then
    stop_training "$reached"
    break
  fi
  if [ "$going_down" = yes ]; then break; fi
  # A TERM for all ends it as well.
  sleep 0.3 || true
done
if [ "$going_down" = yes ]; then
  note "=== lambda-train: the machine goes down, $(now)"
  end_training "$LT_GRACE"
  exit 0
fi
code=0
wait "$child" || code=$?
# Workers that lost their parent would keep the GPU.
end_marked "LAMBDA_TRAIN_RUN=$experiment" 10
if [ ! -f "$facts/first_step" ]; then find_first_step; fi
find_output "$experiment" || true
put "$facts/seconds" "$((SECONDS - began))" || true
put "$facts/ended_at" "$(now)" || true
note "=== lambda-train: training ended with status $code, $(now)"
# was_killed: by SIGKILL, seen here or by the make or shell between, which end with a status of their own.
was_killed() {
  [ "$code" -ne 137 ] || return 0
  [ "$code" -ne 0 ] && tail -c 4096 "$log" | grep -av '^=== lambda-train: ' | tail -n 3 |
    grep -aqE '^g?make(\[[0-9]+\])?: .*(Killed|Error 137)$|line [0-9]+: +[0-9]+ Killed( |$)'
}
if [ ! -f "$facts/stop_reason" ] && was_killed; then
  note "lambda-train: training was killed (SIGKILL). Most often the machine ran out of memory: smaller batches, fewer loader workers or a bigger instance type help."
fi
put "$facts/exit" "$code"
stamp_end() { known_size="$(stat -c %s "$log")" stamped=-5 && stamp_log; }
stamp_end

if [ -n "${LT_EVALUATE:-}" ] && evaluates_itself "$code" "$(fact "$facts/stop_reason")"; then
  bash "$scripts/evaluate.sh" --run "$experiment" || true
  note "=== lambda-train: evaluation ended with status $(fact "$facts/evaluation_exit")"
  stamp_end
fi
kill "$viewer" 2>/dev/null || true
