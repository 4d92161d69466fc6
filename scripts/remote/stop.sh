#!/usr/bin/env bash
# Stops an experiment's training cleanly: TERM, patience for the checkpoint, KILL. Waits until it has ended.
#
# Usage: stop.sh EXPERIMENT REASON GRACE
#   REASON  one word for the record: destroy, user, replace…
#   GRACE   seconds between TERM and KILL
# Exit codes: 0 it has ended (or there was nothing to stop), 1 it would not end, 2 usage.
set -euo pipefail
scripts="$(cd "$(dirname "$0")" && pwd)"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$scripts/lib.sh"
# shellcheck source-path=SCRIPTDIR source=run-processes.sh
. "$scripts/run-processes.sh"
[ $# -eq 3 ] || die 2 "usage: stop.sh EXPERIMENT REASON GRACE"
experiment="$1" reason="$2" grace="$3"
run_paths "$experiment"
if [ "$attempt" = 0 ]; then
  say "nothing to stop: $experiment was never started here"
  exit 0
fi
if [ -f "$facts/exit" ]; then
  say "nothing to stop: training has ended with status $(fact "$facts/exit")"
  exit 0
fi
if ! is_alive "$facts/supervisor"; then
  if ! is_unsupervised && [ -z "$(run_processes)" ]; then
    say "nothing to stop: the run's processes are gone (reboot, or killed)"
    exit 0
  fi
  # Nobody else will write down how it ended.
  put "$facts/stop_reason" "$reason" || true
  stop_run "$grace" || die 1 "$experiment did not end: $(run_processes | tr '\n' ' ')still run. End them on the instance (npm run ssh)."
  # Its launcher notes how it ended a moment later.
  for _ in $(seq 25); do
    if [ -f "$facts/training_end" ] || ! is_alive "$facts/launcher"; then break; fi
    sleep 0.2
  done
  code=143
  if [ -f "$facts/training_end" ]; then read -r code _ <"$facts/training_end"; fi
  # shellcheck disable=SC1091 # made by run.sh
  (set -a && . "$facts/run.env" && find_output "$experiment") || true
  put "$facts/ended_at" "$(now)" || true
  put "$facts/exit" "$code"
  say "stopped: $reason (its supervisor was gone)"
  exit 0
fi
if [ ! -f "$facts/stop_request" ]; then
  put "$facts/stop_grace" "$grace"
  put "$facts/stop_request" "$reason"
fi
until=$((SECONDS + grace + 60))
while [ ! -f "$facts/exit" ] && is_alive "$facts/supervisor"; do
  [ "$SECONDS" -lt "$until" ] || die 1 "$experiment did not end within $((grace + 60)) s. Log on the instance: $run/train.log"
  sleep 0.2
done
if [ -f "$facts/stop_reason" ]; then
  say "stopped: $(fact "$facts/stop_reason"), status $(fact "$facts/exit")"
else
  say "training ended by itself with status $(fact "$facts/exit") before it could be stopped"
fi
