#!/usr/bin/env bash
# Starts the training run of an experiment in a tmux session of its own, or finds it going or done.
#
# Usage: run.sh EXPERIMENT, with the run's description (lines "export LT_…=…", see supervise.sh) in the variable LT_RUN,
# its limits (likewise) in LT_LIMITS, the hash of what the run is in LT_HASH, and which files are results of it in
# LT_RESULTS (JSON, see written.py).
# Same hash and going on: "already running", under these limits from now on; ended with 0: "already finished". Ended
# otherwise, or gone without a status (reboot): starts the next attempt. A run that has lost its supervisor gets another.
# Exit codes: 0 runs or has finished, 2 usage, 3 a run with another hash goes on (stop it first),
# 4 the time limit or the budget is used up, 5 it did not start, 6 what another configuration has reached is not at home
# and cannot be kept apart.
set -euo pipefail
scripts="$(cd "$(dirname "$0")" && pwd)"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$scripts/lib.sh"
# shellcheck source-path=SCRIPTDIR source=run-processes.sh
. "$scripts/run-processes.sh"
# shellcheck source-path=SCRIPTDIR source=session.sh
. "$scripts/session.sh"
[ $# -eq 1 ] || die 2 "usage: run.sh EXPERIMENT"
need LT_RUN LT_HASH
experiment="$1"
mkdir -p "$base/runs/$experiment/attempts"
chmod 700 "$base" "$base/runs" "$base/runs/$experiment"

# Room for what must be written even when the disk is full: see put.
keep_room

exec 9>"$base/runs/$experiment/lock"
flock 9
run_paths "$experiment"
if [ -n "${LT_RESULTS:-}" ]; then put "$run/results.json" "$LT_RESULTS"; fi
same=no
if [ "$(fact "$facts/hash")" = "$LT_HASH" ]; then same=yes; fi
if is_unsupervised; then start_supervisor --adopt || die 5 "The supervisor of $experiment did not start within 10 s. Log: $run/train.log"; fi
if is_alive "$facts/supervisor" && ! is_over; then
  if [ "$same" = yes ]; then
    put "$facts/limits" "${LT_LIMITS:-}"
    say "already running: attempt $attempt, session $(session_name "$experiment")"
    exit 0
  fi
  die 3 "The experiment $experiment goes on with other settings than these (attempt $attempt). Stop it first, or give this one another name."
fi
if [ "$same" = yes ] && [ "$(fact "$facts/exit")" = 0 ] && [ ! -f "$facts/stop_reason" ] && [ ! -f "$facts/detached" ]; then
  say "already finished: attempt $attempt"
  exit 0
fi

eval "${LT_LIMITS:-}"
read_ahead
if [ -n "${LT_DEADLINE:-}" ] && [ $(($(date +%s) - ahead)) -ge "$LT_DEADLINE" ]; then
  die 4 "The budget of this instance is spent. Raise budgetDollars to go on, or bring the results home and end it (npm run down)."
fi
# The limit holds for all attempts together: each of them costs.
used=0
for earlier in "$run"/attempts/*/; do
  if [ "$(fact "$earlier/hash")" = "$LT_HASH" ]; then
    spent="$(fact "$earlier/seconds")"
    used=$((used + ${spent:-0}))
  fi
done
if [ -n "${LT_MAX_SECONDS:-}" ] && [ "$used" -ge "$LT_MAX_SECONDS" ]; then
  die 4 "The time limit of $experiment is used up ($used of $LT_MAX_SECONDS s, over $attempt attempts). Raise train.maxHours to go on."
fi

# A training process can outlive a supervisor that was killed; two at once would spoil each other's checkpoints.
end_run 30 || die 5 "The processes of an earlier attempt of $experiment cannot be ended, so no other is started: $(run_processes | tr '\n' ' '). End them on the instance (npm run ssh), then run \`up\` again."

# What another configuration has reached must not be written over before it is at home.
python3 "$scripts/aside.py" keep "$experiment" "$LT_HASH" || die 6 "The run of $experiment did not start; the reason stands above."

# An attempt that ends before it writes anything must not make those before it forgotten.
output="$(fact "$facts/output_path")"
attempt=$((attempt + 1))
facts="$run/attempts/$attempt"
mkdir -p "$facts"
rm -f -- "$facts"/*
put "$facts/run.env" "$LT_RUN"
put "$facts/limits" "${LT_LIMITS:-}"
put "$facts/hash" "$LT_HASH"
put "$facts/used" "$used"
if [ -n "$output" ]; then put "$facts/output_path" "$output"; fi
put "$facts/started_at" "$(now)"
put "$run/attempt" "$attempt"
# A tmux server keeps the environment it was started with.
unset LT_RUN LT_HASH LT_LIMITS LT_RESULTS LT_MAX_SECONDS LT_IDLE_SECONDS LT_DEADLINE

start_supervisor || die 5 "The run of $experiment did not start within 10 s. Is tmux able to start a session? Log: $run/train.log"
say "started: attempt $attempt, session $(session_name "$experiment")"
