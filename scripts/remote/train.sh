#!/usr/bin/env bash
# Becomes the training command, with the environment that setup has made. Started by launch.py.
#
# Usage: train.sh COMMAND, with LT_WORKSPACE, LT_DIRECTORY and LT_VARIABLES (see supervise.sh) in the environment.
# Exit codes: the command's own; 2 usage, 127 its folder is not there.
set -euo pipefail
scripts="$(cd "$(dirname "$0")" && pwd)"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$scripts/lib.sh"
[ $# -eq 1 ] || die 2 "usage: train.sh COMMAND"
cd "$(under_home "$LT_WORKSPACE")/$LT_DIRECTORY" || exit 127
load_environment
eval "${LT_VARIABLES:-}"
# A training that crashes into `| tee` has crashed.
exec bash -o pipefail -c "$1"
