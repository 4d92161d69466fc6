#!/usr/bin/env bash
# What is left over in the account; `yes` as $1 removes it. The job fails where something is there, so that somebody is told.
. "$(dirname "$0")/lib.sh"

if [ -z "${LAMBDA_API_KEY:-}" ] && [ "${GITHUB_EVENT_NAME:-}" = schedule ]; then
  echo "::notice title=Nothing to look at::This repository has no secret LAMBDA_API_KEY."
  exit 0
fi
scripts/ci/check-backend.sh
yes=()
[ "${1:-}" != yes ] || yes=(--yes)
status=0
found=$(node engine/bootstrap.mjs reap "${yes[@]}") || status=$?
printf '%s\n' "$found"
printf '%s\n' '```' "$found" '```' >>"${GITHUB_STEP_SUMMARY:-/dev/null}"
[ "$status" -ne 1 ] ||
  annotate "Something is left over" "It costs money, and no state of this backend knows it, or knows no more than its name: see the list. Run this workflow with \`yes\` to remove it; \`npm run adopt\` may bring results home first."
exit "$status"
