#!/usr/bin/env bash
# Previews the stack $1 as a new one, without cloud, key, state or passphrase. The plan goes to the job's summary and, as
# the output `comment`, to the pull request, also where the preview fails: then it says why.
. "$(dirname "$0")/lib.sh"

stack=$1
find_stack_file "$stack"
if grep -Eq '^\s+secure:' "$file"; then
  fail "Encrypted values" "$file holds encrypted values, and a preview has no passphrase. Put the API key into the secret LAMBDA_API_KEY instead: pulumi config rm apiKey --stack $stack"
fi
# The salt belongs to the passphrase of the state, which is not here. Nothing in the file needs it.
sed -i '/^encryptionsalt:/d' "$file"

status=0
plan=$(npm run --silent up -- --preview-only --stack "$stack" --non-interactive --color never --suppress-progress 2>&1) || status=$?
printf '%s\n' "$plan"

# GitHub takes comments of 65536 characters. What matters most, the summary or the error, is at the end.
limit=60000
[ "${#plan}" -le "$limit" ] || plan="… (the beginning is in the job's log)"$'\n'"${plan: -limit}"
result="Preview of stack \`$stack\`"
[ "$status" -eq 0 ] || result="$result failed"
fence='~~~~~~~~~~'
body=$(printf '%s\n' "<!-- lambda-train preview $stack -->" "### $result" "" \
  "Planned for a new stack; no cloud, state or key was used." "" "$fence" "$plan" "$fence")

printf '%s\n' "$body" >>"${GITHUB_STEP_SUMMARY:-/dev/null}"
mark=end-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
printf 'comment<<%s\n%s\n%s\n' "$mark" "$body" "$mark" >>"${GITHUB_OUTPUT:-/dev/null}"
exit "$status"
