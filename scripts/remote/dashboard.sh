#!/usr/bin/env bash
# Runs the workload's dashboard for as long as standard input stays open: a connection that is lost ends it as well.
#
# Variables:
#   LT_WORKSPACE  the workload's folder (relative: below the home folder)
#   LT_DIRECTORY  folder in it in which commands run
#   LT_COMMAND    the dashboard command; PORT and STREAMLIT_SERVER_PORT are set for it
#   LT_PORT       port on which it is to listen
# Exit codes: the command's own where it ends by itself, else 0; 2 usage.
set -euo pipefail
scripts="$(cd "$(dirname "$0")" && pwd)"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$scripts/lib.sh"
need LT_WORKSPACE LT_DIRECTORY LT_COMMAND LT_PORT
cd "$(under_home "$LT_WORKSPACE")/$LT_DIRECTORY"
load_environment
export PORT="$LT_PORT" STREAMLIT_SERVER_PORT="$LT_PORT" STREAMLIT_SERVER_HEADLESS=true

exec 3<&0
setsid bash -c "$LT_COMMAND" </dev/null &
dashboard=$!
cat <&3 >/dev/null &
reader=$!
code=0
wait -n "$dashboard" "$reader" || code=$?
if kill -0 "$dashboard" 2>/dev/null; then code=0; fi
kill -TERM -- "-$dashboard" 2>/dev/null || true
kill "$reader" 2>/dev/null || true
exit "$code"
