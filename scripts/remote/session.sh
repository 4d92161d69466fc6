#!/usr/bin/env bash
# The tmux session in which a run is supervised. To be sourced after run-processes.sh; does nothing by itself.
# shellcheck disable=SC2154 # set by those who source this file

# start_supervisor [--adopt]: starts supervise.sh for the attempt at run_paths, in a session of its own, and waits for it.
# The lock on descriptor 9 stays here.
start_supervisor() {
  local session command before
  session="$(session_name "$experiment")"
  before="$(fact "$facts/supervisor")"
  command="$(printf 'exec bash %q %q %q' "$scripts/supervise.sh" "$experiment" "${1:-}")"
  if command -v tmux >/dev/null; then
    tmux kill-session -t "=$session" 2>/dev/null || true
    # A server that ends with its last session can be met while it ends: the next call starts another.
    for _ in 1 2 3 4 5; do
      tmux new-session -d -s "$session" -x 200 -y 50 "$command" \; set-option -t "=$session:" remain-on-exit on 9>&- </dev/null && break
      sleep 0.2
      [ "$(fact "$facts/supervisor")" = "$before" ] || break
    done
  else
    say "tmux is not installed: the run is detached, but there is no session to attach to"
    setsid bash -c "$command" </dev/null >/dev/null 2>&1 9>&- &
  fi
  for _ in $(seq 1 100); do
    if [ "$(fact "$facts/supervisor")" != "$before" ]; then return 0; fi
    sleep 0.1
  done
  return 1
}
