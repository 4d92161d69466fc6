#!/usr/bin/env bash
# `down` of the stack $1, again where it fails: an `up` that was cancelled may hold the stack's lock for a little longer,
# and connections break. Results that cannot be brought home stop it: then the instance lives on, and this says so.
. "$(dirname "$0")/lib.sh"

attempts=3
for ((attempt = 1; attempt <= attempts; attempt++)); do
  node engine/bootstrap.mjs down --stack "$1" --yes --skip-preview --non-interactive --color never && exit 0
  [ "$attempt" -eq "$attempts" ] || sleep "${DOWN_PAUSE_SECONDS:-20}"
done
annotate "Stack $1 is not down" "Its instance may live and bill; the log says why, and the state knows it. From a machine with the same backend and secrets, after mending the cause: \`npm run results -- --stack $1\`, then \`npm run down -- --stack $1\`. If \`sshSources\` lists networks, it must list that machine's too. To give the results up: \`npm run down -- --stack $1 --lose-results\`."
exit 1
