#!/usr/bin/env bash
# Takes up the supervision of a run whose supervisor was killed: its limits, its first step, its end and its evaluation.
# Does nothing to a run that has a supervisor, or nothing to supervise.
#
# Usage: adopt.sh EXPERIMENT
# Exit codes: 0 done, 2 usage, 5 the supervisor did not start.
set -euo pipefail
scripts="$(cd "$(dirname "$0")" && pwd)"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$scripts/lib.sh"
# shellcheck source-path=SCRIPTDIR source=run-processes.sh
. "$scripts/run-processes.sh"
# shellcheck source-path=SCRIPTDIR source=session.sh
. "$scripts/session.sh"
[ $# -eq 1 ] || die 2 "usage: adopt.sh EXPERIMENT"
experiment="$1"
run_paths "$experiment"
[ "$attempt" != 0 ] || exit 0
exec 9>"$run/lock"
flock 9
run_paths "$experiment"
if is_unsupervised; then
  start_supervisor --adopt || die 5 "The supervisor of $experiment did not start within 10 s. Is tmux able to start a session? Log: $run/train.log"
  say "supervised again: attempt $attempt"
fi
