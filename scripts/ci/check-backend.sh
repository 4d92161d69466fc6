#!/usr/bin/env bash
# Refuses to work on a real account with a state that would be lost with the runner, and its keys with it. The stack's
# file, where there is one, is $1.
. "$(dirname "$0")/lib.sh"

url=${PULUMI_BACKEND_URL:-}
[ -n "${LAMBDA_API_KEY:-}" ] ||
  fail "No Lambda API key" "Store it as the secret LAMBDA_API_KEY of this repository."
[ -n "$url" ] || [ -n "${PULUMI_ACCESS_TOKEN:-}" ] ||
  fail "No backend for the state" "The state must outlive this job: set the secret PULUMI_ACCESS_TOKEN (Pulumi Cloud), or PULUMI_BACKEND_URL (s3://…, gs://…, azblob://…) and PULUMI_CONFIG_PASSPHRASE."
[[ $url != file:* ]] || [ "${RUNNER_ENVIRONMENT:-}" != github-hosted ] ||
  fail "The backend is a folder" "PULUMI_BACKEND_URL names a folder, which would be lost with this runner. Name s3://…, gs://… or azblob://…, or use PULUMI_ACCESS_TOKEN."
case $url in
  '' | http://* | https://*) ;; # Pulumi Cloud encrypts secrets itself.
  *)
    [ -n "${PULUMI_CONFIG_PASSPHRASE:-}" ] || grep -qs '^secretsprovider:' "${1:-}" ||
      fail "No passphrase" "The state holds the keys to log in, encrypted: set the secret PULUMI_CONFIG_PASSPHRASE." ;;
esac
