#!/usr/bin/env bash
# Prints an experiment's log from a byte on and goes on until the current attempt has ended.
#
# Usage: follow.sh EXPERIMENT BYTE
#   BYTE  number of bytes that the reader has already
# Exit codes: 0 ended, 2 usage, 44 there is no log (yet).
set -euo pipefail
scripts="$(cd "$(dirname "$0")" && pwd)"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$scripts/lib.sh"
[ $# -eq 2 ] || die 2 "usage: follow.sh EXPERIMENT BYTE"
run_paths "$1"
log="$run/train.log"
[ -f "$log" ] || exit 44
if is_alive "$facts/supervisor"; then
  exec tail -c "+$(($2 + 1))" -s 0.5 -F --pid="$(pid_in "$facts/supervisor")" "$log" 2>/dev/null
fi
exec tail -c "+$(($2 + 1))" "$log"
