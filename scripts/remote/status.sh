#!/usr/bin/env bash
# Prints the status of an experiment as one JSON object (RunStatus in remote/types.ts), from the run's files alone.
#
# Usage: status.sh EXPERIMENT
# Exit codes: 0 (also where there is no run), 2 usage.
set -euo pipefail
scripts="$(cd "$(dirname "$0")" && pwd)"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$scripts/lib.sh"
# shellcheck source-path=SCRIPTDIR source=run-processes.sh
. "$scripts/run-processes.sh"
[ $# -eq 1 ] || die 2 "usage: status.sh EXPERIMENT"
experiment="$1"
run_paths "$experiment"

text() { # text NAME VALUE: a member, unless the value is empty
  if [ -n "$2" ]; then printf ',"%s":%s' "$1" "$(json_text "$2")"; fi
}
number() {
  if [ -n "$2" ]; then printf ',"%s":%s' "$1" "$2"; fi
}

# Who is alive comes first: an exit status that is written meanwhile is then seen, and not taken for a missing one.
supervised=no
if is_alive "$facts/supervisor"; then supervised=yes; fi
unsupervised=no
if is_unsupervised; then unsupervised=yes; fi
evaluating=no
if is_alive "$facts/evaluation"; then evaluating=yes; fi
exit_code="$(fact "$facts/exit")"
stop_reason="$(fact "$facts/stop_reason")"
wanted="$(wanted_evaluation)"

if [ "$attempt" = 0 ]; then
  state=absent
elif [ -z "$exit_code" ]; then
  # run.sh makes the attempt a moment before its supervisor is there.
  if [ "$supervised" = no ] && [ "$unsupervised" = no ] && [ -f "$facts/supervisor" ]; then
    state=failed
  elif [ "$supervised" = no ] && [ "$unsupervised" = no ] && [ -z "$(find "$run/attempt" -newermt '-15 seconds' 2>/dev/null)" ]; then
    state=failed
  elif [ -f "$facts/first_step" ]; then
    state=running
  else
    state=starting
  fi
elif [ "$supervised" = yes ] && ! is_over; then
  state=evaluating
elif [ -n "$stop_reason" ]; then
  state=stopped
elif [ "$exit_code" != 0 ] || [ -f "$facts/detached" ]; then
  state=failed
else
  state=finished
fi

evaluation_exit="$(fact "$facts/evaluation_exit")"
if [ -n "$evaluation_exit" ]; then
  if [ "$evaluation_exit" = 0 ]; then evaluation="done"; else evaluation=failed; fi
elif [ "$evaluating" = yes ]; then
  evaluation=running
elif [ -n "$wanted" ]; then
  evaluation=pending
else
  evaluation=none
fi

printf '{"state":"%s","experiment":%s' "$state" "$(json_text "$experiment")"
text startedAt "$(fact "$facts/started_at")"
text firstStepAt "$(fact "$facts/first_step")"
if [ -n "$exit_code" ]; then text endedAt "$(fact "$facts/ended_at")"; fi
number exitCode "$exit_code"
text stopReason "$stop_reason"
text detached "$(fact "$facts/detached" | paste -sd ';' | sed 's/;/; /g')"
if [ "$unsupervised" = yes ]; then printf ',"unsupervised":true'; fi
if [ "$attempt" != 0 ]; then
  number attempt "$attempt"
  text hash "$(fact "$facts/hash")"
  used="$(fact "$facts/used")" seconds="$(fact "$facts/seconds")"
  number usedSeconds $((${used:-0} + ${seconds:-0}))
fi
active_at="$(fact "$facts/active_at")"
if [ "$supervised" = yes ] && [ -z "$exit_code" ] && [ -n "$active_at" ]; then
  number idleSeconds $(($(date +%s) - active_at))
fi
if [ -f "$run/train.log" ]; then
  text lastLine "$(last_lines "$run/train.log" 40 | grep -v '^=== lambda-train: ' | tail -n 1 || true)"
fi
text firstStepLine "$(fact "$facts/first_step_line")"
if [ -f "$facts/run.env" ]; then
  # shellcheck disable=SC1091 # made by run.sh
  text resumesFrom "$(. "$facts/run.env" && resume_checkpoint "$experiment")"
fi
text logPath "$run/train.log"
text outputPath "$(fact "$facts/output_path")"
printf ',"evaluation":{"state":"%s"' "$evaluation"
number exitCode "$evaluation_exit"
printf '}'
# The folders of earlier attempts, where the workload makes one for each, and what was written beside any of them.
own="$(fact "$facts/output_path")"
paths="$own"
paths_in() { # paths_in NAME FILE...: a member with the paths that these facts hold, each once, without what is in own
  local name="$1" list="" path
  shift
  while IFS= read -r path; do
    if [ -n "$path" ] && [[ -z "$own" || "$path/" != "$own"/* ]] && ! grep -qxF -e "$path" <<<"$paths"; then
      paths="$paths"$'\n'"$path"
      list="$list${list:+,}$(json_text "$path")"
    fi
  done < <(cat -- "$@" 2>/dev/null)
  if [ -n "$list" ]; then printf ',"%s":[%s]' "$name" "$list"; fi
}
paths_in earlierOutputPaths "$run"/attempts/*/output_path
paths_in outputsBeside "$run"/attempts/*/output_beside
if [ -s "$run/written.json" ]; then printf ',"writtenElsewhere":%s' "$(cat "$run/written.json")"; fi
# Results of earlier configurations that are not at home yet (see aside.py).
asides=""
for each in "$run"/aside/*/places.json; do
  each="${each%/places.json}"
  if [ -f "$each/places.json" ] && [[ "$each" != *.partial ]]; then
    asides="$asides${asides:+,}{\"name\":$(json_text "${each##*/}"),\"path\":$(json_text "$each"),\"kept\":$(cat "$each/places.json")}"
  fi
done
if [ -n "$asides" ]; then printf ',"asides":[%s]' "$asides"; fi
ending="$base/self-terminate"
if [ -f "$ending/status.json" ]; then
  watched=false
  if is_alive "$ending/process"; then watched=true; fi
  printf ',"selfTermination":{"watched":%s,"last":%s}' "$watched" "$(cat "$ending/status.json")"
fi
printf ',"now":%s}\n' "$(date +%s)"
