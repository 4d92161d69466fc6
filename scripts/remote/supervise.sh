#!/usr/bin/env bash
# Runs one attempt of an experiment to its end: training, then evaluation. Started by run.sh inside tmux. What a limit
# ended is evaluated too; what somebody stopped is left to them.
#
# Usage: supervise.sh EXPERIMENT [--adopt]
#   --adopt  take up an attempt whose supervisor was killed: training goes on, or has ended meanwhile (launch.py has noted it)
# Reads attempts/N/run.env in the run's folder:
#   LT_WORKSPACE   the workload's folder (relative: below the home folder)
#   LT_DIRECTORY   folder in it in which commands run
#   LT_COMMAND     the training command
#   LT_RESUME      that of a later attempt, where there is a checkpoint to fill in for {checkpoint}; empty: LT_COMMAND
#   LT_RESUME_CHECKPOINT  glob of that checkpoint in the outputs; empty: the usual places
#   LT_VARIABLES   lines "export NAME=value" for it
#   LT_OUTPUTS     folder in the workspace in which the workload writes results
#   LT_PATTERN     extended regular expression of the first training step in the log
#   LT_GRACE       seconds between TERM and KILL at a clean stop
#   LT_EVALUATE…   see evaluate.sh
# and, anew all the time, attempts/N/limits; each may be empty for none:
#   LT_MAX_SECONDS  seconds that all attempts together may take (stop reason: limit)
#   LT_IDLE_SECONDS seconds without a new byte in the log and without work on a GPU (idle)
#   LT_DEADLINE     seconds since the epoch at which the budget is spent, by the clock of where the stack is run (budget)
# Writes facts beside it: supervisor, launcher, first_step, first_step_line, output_path, output_beside, exit, ended_at, seconds,
# active_at, stop_reason, detached (command lines of a training that put itself into the background), interrupted (the
# machine went down); and log.times beside the log.
# Exit codes: 0 (what happened to training is in the file exit).
set -euo pipefail
scripts="$(cd "$(dirname "$0")" && pwd)"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$scripts/lib.sh"
# shellcheck source-path=SCRIPTDIR source=run-processes.sh
. "$scripts/run-processes.sh"
[ $# -ge 1 ] || die 2 "usage: supervise.sh EXPERIMENT [--adopt]"
experiment="$1" adopt="${2:-}"
run_paths "$experiment"
log="$run/train.log"
# The session may be closed, the run goes on. Ctrl-C in it is a wish to stop.
trap '' HUP
trap 'request_stop interrupt' INT
request_stop() { if [ ! -f "$facts/stop_request" ]; then put "$facts/stop_request" "$1" || true; fi; }
# TERM comes when the machine goes down, and to training too. That is no end of the run: without a status the next `up`
# starts another attempt, however training takes it.
going_down=no
trap 'going_down=yes' TERM

set -a
# shellcheck disable=SC1091 # made by run.sh
. "$facts/run.env"
set +a

# elapsed: seconds that the attempt has taken so far.
elapsed() {
  local end
  end="$(stat -c %Y "$facts/training_end" 2>/dev/null)" || end="$(date +%s)"
  echo $((end - $(date -d "$(fact "$facts/started_at")" +%s)))
}

# log_beginning: size that the log had when the attempt began.
log_beginning() {
  local place
  place="$(grep -abF "=== lambda-train: $experiment, attempt $attempt, started " "$log" | tail -n 1 | cut -d : -f 1)" || true
  echo "${place:-0}"
}

put "$facts/supervisor" "$(process_key "$$")"
(umask 077 && touch "$log")
began="$SECONDS"
if [ "$adopt" = --adopt ]; then
  size="$(log_beginning)"
  began=$((SECONDS - $(elapsed)))
  note "=== lambda-train: attempt $attempt is supervised again, $(now); its supervisor had been killed"
else
  size="$(stat -c %s "$log")"
  touch "$facts/mark"
  command="$LT_COMMAND" checkpoint=""
  if [ "$attempt" -gt 1 ]; then checkpoint="$(resume_checkpoint "$experiment")"; fi
  if [ -n "$checkpoint" ]; then
    relative="$(realpath --relative-to="$(under_home "$LT_WORKSPACE")/$LT_DIRECTORY" -- "$checkpoint")"
    relative="$(printf '%q' "$relative")"
    command="${LT_RESUME//"{checkpoint}"/"$relative"}"
  fi
  note "=== lambda-train: $experiment, attempt $attempt, started $(now)${checkpoint:+, resumes from $checkpoint}: ${command//$'\n'/; }"
  (
    trap - INT TERM HUP
    exec setsid python3 -I "$scripts/launch.py" "$facts" "$experiment" bash "$scripts/train.sh" "$command"
  ) </dev/null >>"$log" 2>&1 &
  put "$facts/launcher" "$(process_key "$!")"
fi
tail -n 20 -F --pid="$$" "$log" 2>/dev/null &
viewer=$!

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
  stop_run "${asked:-$grace}" || true
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
if [ "$adopt" = --adopt ]; then
  known_size="$(stat -c %s "$log")"
  # Nobody has looked at the GPUs meanwhile; the log knows when it grew.
  quiet=$(($(date +%s) - $(stat -c %Y "$log")))
  noted_at="$(fact "$facts/active_at")"
  if [ -n "$noted_at" ] && [ $(($(date +%s) - noted_at)) -lt "$quiet" ]; then quiet=$(($(date +%s) - noted_at)); fi
  active=$((SECONDS - quiet))
fi
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

# look_elsewhere MODE SECONDS: notes what training writes outside of its outputs, with what the machine has to spare. At
# the end it is short: stop.sh waits for that.
look_elsewhere() {
  timeout "$(($2 * 2))" nice -n 19 python3 "$scripts/written.py" "$1" "$experiment" "$2" 2>/dev/null || true
}

# Sets reached to the stop reason where a limit is reached.
reached=""
check_limits() {
  local LT_MAX_SECONDS="" LT_IDLE_SECONDS="" LT_DEADLINE="" time ahead
  # shellcheck disable=SC1091 # made by run.sh, which may change it at any time
  . "$facts/limits"
  printf -v time '%(%s)T' -1
  read_ahead
  if [ -n "$LT_DEADLINE" ] && [ $((time - ahead)) -ge "$LT_DEADLINE" ]; then
    reached=budget
  elif [ -n "$LT_MAX_SECONDS" ] && [ $((used + SECONDS - began)) -ge "$LT_MAX_SECONDS" ]; then
    reached=limit
  elif [ -n "$LT_IDLE_SECONDS" ] && [ $((SECONDS - active)) -ge "$LT_IDLE_SECONDS" ]; then
    if gpu_works; then active="$SECONDS"; else reached=idle; fi
  fi
}

stamp_log
noted=0
looked=$((SECONDS - 50)) looking=none
used="$(fact "$facts/used")"
while training_goes_on; do
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
    if [ $((SECONDS - looked)) -ge 60 ] && ! kill -0 "$looking" 2>/dev/null; then
      look_elsewhere look 60 >/dev/null &
      looking=$! looked="$SECONDS"
    fi
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
# launch.py notes the end a moment after it.
for _ in $(seq 50); do
  if [ "$going_down" = yes ] || [ -f "$facts/training_end" ] || ! is_alive "$facts/launcher"; then break; fi
  sleep 0.2 || true
done
if [ "$going_down" = no ] && [ ! -f "$facts/training_end" ]; then sleep 1 || true; fi
if [ "$going_down" = yes ]; then
  put "$facts/interrupted" "$(now)" || true
  note "=== lambda-train: the machine goes down, $(now)"
  stop_run "$LT_GRACE" || true
  exit 0
fi
code="" seconds=$((SECONDS - began)) end_size=""
if [ -f "$facts/training_end" ]; then
  read -r code taken _ _ end_size <"$facts/training_end"
  # By the clock that ended it a limit is used up; the launcher began a moment later.
  if [ ! -f "$facts/stop_reason" ] || [ "$taken" -gt "$seconds" ]; then seconds="$taken"; fi
fi
if [ -z "$code" ] && [ -f "$facts/stop_reason" ]; then code=143; fi
if [ -z "$code" ]; then
  note "=== lambda-train: training ended without a status, $(now): what started it (launch.py) was killed too"
  end_run 10 || true
  exit 0
fi

# had_first_step: whether the log showed a step before the command ended; a training in the background logs on after that.
had_first_step() {
  local line
  line="$(tail -c "+$((size + 1))" "$log" | head -c "$((end_size > size ? end_size - size : 0))" | tr '\r' '\n' |
    grep -av '^=== lambda-train: ' | grep -a -m 1 -iE -e "$LT_PATTERN" | cut -c 1-500)" || true
  [ -n "$line" ]
}
if [ "$code" = 0 ] && [ ! -f "$facts/stop_reason" ] && ! had_first_step; then
  left="$(python3 -I "$scripts/leftovers.py" "$facts" "$experiment" "$(under_home "$LT_WORKSPACE")/$LT_OUTPUTS")" || true
  case "$left" in
    detached*)
      put "$facts/detached" "${left#*$'\n'}" || true
      note "lambda-train: the training command ended with status 0 before any first step, while what it had started went on: $(paste -sd ';' <<<"${left#*$'\n'}"). Training must stay in the foreground (no nohup, &, tmux or screen in train.command); it is ended now: TERM, then KILL after $LT_GRACE s."
      stop_run "$LT_GRACE" || true
      ;;
    beside*)
      note "lambda-train: WARNING: training ended with status 0 and logged no first step (train.firstStepPattern); these processes of it still ran and are ended: $(paste -sd ';' <<<"${left#*$'\n'}")"
      ;;
  esac
fi
# Workers that lost their parent would keep the GPU.
end_run 10 || true
if [ ! -f "$facts/first_step" ]; then find_first_step; fi
find_output "$experiment" || true
put "$facts/seconds" "$seconds" || true
put "$facts/ended_at" "$(now)" || true
elsewhere="$(look_elsewhere end 20)"
if [ -n "$elsewhere" ]; then note "=== lambda-train: $elsewhere"; fi
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
  look_elsewhere end 20 >/dev/null
  stamp_end
fi
kill "$viewer" 2>/dev/null || true
