#!/usr/bin/env bash
# What must be right before the job rents anything: the stack $1, minutes to wait $2, the secrets.
. "$(dirname "$0")/lib.sh"

find_stack_file "$1"
minutes=$2
[[ $minutes =~ ^[1-9][0-9]{0,4}$ ]] || fail "Wrong timeout" "'$minutes': a whole number of minutes above 0 is allowed."
# A job on GitHub's own runners ends after 360 minutes whatever it does; `up` and `down` need their share.
if [ "${RUNNER_ENVIRONMENT:-}" = github-hosted ] && [ "$minutes" -gt 180 ]; then
  fail "Timeout too long" "$minutes minutes: on GitHub's own runners at most 180, since a job ends after 360. Name a runner of your own in the variable LAMBDA_TRAIN_RUNNER for longer runs."
fi
# The emulated cloud lives and ends on the runner: there is no account, and no state to keep.
grep -Eq "^\s+[\"']?lambda-train:endpoint[\"']?:\s*[\"']?emulated\b" "$file" || scripts/ci/check-backend.sh "$file"
