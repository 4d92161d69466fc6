#!/usr/bin/env bash
# Runs a script as a named step that outlives the connection: detached, with a log, an exit status and a time limit.
#
# Usage: step.sh NAME HASH SECONDS SCRIPT [PROOF...]
#   NAME     name of the step; its log is ~/.lambda-train/steps/NAME/log
#   HASH     what the step's result depends on
#   SECONDS  time limit
#   SCRIPT   script run by bash with closed standard input; it reads its own variables
#   PROOF    paths that must exist for an earlier success to count
# Same hash, ended with 0: prints "already done". Same hash, running: waits for it. Other hash running: stops it first.
# Exit codes: the step's own; 124 time limit; 125 another call replaced this step; 2 usage.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# The detached part: owns the step until its exit status is written.
if [ "${1:-}" = --run ]; then
  name="$2" seconds="$3"
  folder="$base/steps/$name"
  put "$folder/process" "$(process_key "$$")"
  exec 9>&- # from here on others can see that the step runs
  trap '' HUP
  began="$SECONDS"
  LAMBDA_TRAIN_STEP="$folder" timeout --kill-after=10 "$seconds" bash "$folder/script.sh" </dev/null >>"$folder/log" 2>&1 &
  child=$!
  trap 'kill -TERM "$child" 2>/dev/null || true' TERM
  code=0
  wait "$child" || code=$?
  while kill -0 "$child" 2>/dev/null; do
    code=0
    wait "$child" || code=$?
  done
  # `timeout` reports 137 where it had to use KILL.
  if [ "$code" -eq 137 ] && [ $((SECONDS - began)) -ge "$seconds" ]; then code=124; fi
  # What the step left behind in sessions of its own would go on using the machine.
  if [ "$code" -eq 124 ]; then end_marked "LAMBDA_TRAIN_STEP=$folder" 5; fi
  put "$folder/exit" "$code"
  exit 0
fi

[ $# -ge 4 ] || die 2 "usage: step.sh NAME HASH SECONDS SCRIPT [PROOF...]"
name="$1" hash="$2" seconds="$3" script="$4"
shift 4
folder="$base/steps/$name"
mkdir -p "$folder"
chmod 700 "$base" "$folder"

proven() {
  local path
  for path in "$@"; do
    [ -e "$path" ] || return 1
  done
}

stop_running() {
  say "$name: stopping the earlier one, its inputs have changed"
  # Those who wait for it learn that it was replaced, not that it failed.
  put "$folder/hash" replaced
  kill -TERM "$(pid_in "$folder/process")" 2>/dev/null || true
  end_marked "LAMBDA_TRAIN_STEP=$folder" 10
  while is_alive "$folder/process"; do sleep 0.1; done
}

exec 9>"$folder/lock"
flock 9
if [ "$(fact "$folder/hash")" = "$hash" ] && [ "$(fact "$folder/exit")" = 0 ] && proven "$@"; then
  say "$name: already done"
  exit 0
fi
if is_alive "$folder/process" && [ ! -f "$folder/exit" ]; then
  if [ "$(fact "$folder/hash")" = "$hash" ]; then
    say "$name: already running, waiting for it"
  else
    stop_running
  fi
fi
if ! is_alive "$folder/process" || [ -f "$folder/exit" ]; then
  rm -f "$folder/exit" "$folder/process"
  put "$folder/hash" "$hash"
  if [ -f "$folder/log" ]; then mv -f "$folder/log" "$folder/log.previous"; fi
  (umask 077 && : >"$folder/log")
  # The step keeps a copy of its script: this one may be replaced while it runs.
  cp -- "$script" "$folder/script.sh"
  LAMBDA_TRAIN_SCRIPTS="$(cd "$(dirname "$script")" && pwd)" \
    setsid bash "$0" --run "$name" "$seconds" </dev/null >>"$folder/log" 2>&1 &
  runner=$!
  while [ ! -f "$folder/process" ]; do
    kill -0 "$runner" 2>/dev/null || [ -f "$folder/process" ] || die 1 "$name: could not be started. Log: $folder/log"
    sleep 0.02
  done
fi
exec 9>&-
say "$name: started, its log is $folder/log"

shown=""
told=0
began="$SECONDS"
next=10
pause=0.1
check_ours() {
  [ "$(fact "$folder/hash")" = "$hash" ] || die 125 "$name: another call started this step with other inputs."
}
while [ ! -f "$folder/exit" ]; do
  check_ours
  if ! is_alive "$folder/process" && [ ! -f "$folder/exit" ]; then
    die 1 "$name: its process is gone without an exit status (reboot, or killed). Run it again. Log: $folder/log"
  fi
  sleep "$pause"
  if [ $((SECONDS - began)) -ge 3 ]; then pause=0.5; fi
  waited=$((SECONDS - began))
  if [ "$waited" -ge "$next" ]; then
    # Often at first, when much happens; later so that a log neither fills nor is silent for a minute.
    if [ "$waited" -lt 60 ]; then next=$((waited + 10)); else next=$((waited + 30)); fi
    line="$(last_lines "$folder/log" 1)"
    if [ "$line" != "$shown" ] || [ $((waited - told)) -ge 50 ]; then
      say "$name ($waited s)${line:+: $line}"
      told="$waited"
    fi
    shown="$line"
  fi
done
code="$(fact "$folder/exit")"
check_ours
if [ "$code" -eq 0 ]; then
  line="$(last_lines "$folder/log" 1)"
  say "$name: done in $((SECONDS - began)) s${line:+: $line}"
  exit 0
fi
say "$name: the last lines of its log:" >&2
last_lines "$folder/log" 40 1000 >&2
if [ "$code" -eq 124 ]; then
  die 124 "$name: stopped at its time limit of $seconds s. Log on the instance: $folder/log"
fi
die "$code" "$name: failed with status $code. Log on the instance: $folder/log"
