#!/usr/bin/env bash
# `up` of the stack $1, of the experiment $2 where it is not empty, ended cleanly after $3 minutes. exec and --foreground:
# a signal from GitHub reaches the engine and nothing else, which saves its state and ends. --restart: where an earlier run
# goes on, the job trains what it was asked for, after that one is stopped and its results are here.
. "$(dirname "$0")/lib.sh"

experiment=()
[ -z "$2" ] || experiment=(--config "lambda-train:experimentName=$2")
exec timeout --foreground --kill-after=5m "$3m" \
  node engine/bootstrap.mjs up --stack "$1" --restart --yes --skip-preview --non-interactive --color never "${experiment[@]}"
