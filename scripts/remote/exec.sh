#!/usr/bin/env bash
# Becomes a command in the workload's folder, with the environment and the variables that training has.
#
# Usage: exec.sh EXPERIMENT FOLDER WORD...
#   EXPERIMENT  whose variables are set, where it has been started; may be empty
#   FOLDER      where the command runs, relative to the home folder; empty: there
# Exit codes: the command's own; 2 usage, 127 there is no such folder or command.
set -euo pipefail
scripts="$(cd "$(dirname "$0")" && pwd)"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$scripts/lib.sh"
[ $# -ge 3 ] || die 2 "usage: exec.sh EXPERIMENT FOLDER WORD..."
experiment="$1" folder="$2"
shift 2
cd "$(under_home "$folder")" || die 127 "There is no folder $folder on the instance (yet): \`npm run exec -- --home -- …\` runs in the home folder."
load_environment
if [ -n "$experiment" ]; then
  run_paths "$experiment"
  if [ -f "$facts/run.env" ]; then
    # shellcheck disable=SC1091 # made by run.sh
    variables="$(. "$facts/run.env" && printf '%s' "${LT_VARIABLES:-}")"
    eval "$variables"
  fi
fi
# By this an instance that ends itself sees that somebody works on it.
export LAMBDA_TRAIN_AT_WORK="$base"
set +eu
exec -- "$@"
