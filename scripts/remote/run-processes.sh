#!/usr/bin/env bash
# The processes of a run: which they are, and how they are ended. To be sourced after lib.sh, once run_paths has set the
# attempt and `experiment` is its name; does nothing by itself.
# shellcheck disable=SC2154 # set by those who source this file

# note TEXT: a line in the run's log. A disk that is full must not end who writes it.
note() { say "$*" 2>/dev/null >>"$run/train.log" || true; }

# below PID: numbers of the processes that descend from it, zombies left out. Anybody may read who is whose parent, of
# root's processes too.
below() {
  cat /proc/[0-9]*/status 2>/dev/null | awk -v root="$1" '
    /^State:/ { state = $2 }
    /^Pid:/ { pid = $2 }
    /^PPid:/ { if (state != "Z" && state != "X") parent[pid] = $2 }
    END {
      do {
        more = 0
        for (pid in parent) if (!(pid in found) && (parent[pid] == root || parent[pid] in found)) { found[pid] = 1; more = 1 }
      } while (more)
      for (pid in found) print pid
    }' || true
}

# run_now: numbers of the run's processes, by mark and by descent: a process of root shows its environment to nobody else,
# and `env -i` takes the mark away; a launcher that was killed leaves its processes without a root.
run_now() {
  {
    marked "LAMBDA_TRAIN_RUN=$experiment"
    if is_alive "$facts/launcher"; then below "$(pid_in "$facts/launcher")"; fi
  } | sort -nu
}

# run_processes: the same, and surely all: one look may miss a process that is just being started.
run_processes() {
  local pids
  pids="$(run_now)"
  if [ -z "$pids" ]; then
    sleep 0.1
    pids="$(run_now)"
  fi
  printf '%s\n' "$pids"
}

# training_goes_on: whether training of the attempt has not ended, as far as anything tells.
training_goes_on() {
  [ ! -f "$facts/training_end" ] || return 1
  ! is_alive "$facts/launcher" || return 0
  [ -n "$(all_marked "LAMBDA_TRAIN_RUN=$experiment")" ]
}

# is_unsupervised: whether the attempt has lost its supervisor, and has what one would see to its end.
is_unsupervised() {
  [ -f "$facts/supervisor" ] && [ ! -f "$facts/exit" ] && ! is_alive "$facts/supervisor" || return 1
  [ ! -f "$facts/interrupted" ] || return 1
  [ -f "$facts/training_end" ] || training_goes_on
}

# send SIGNAL PID...: as root where the process is somebody else's, as with `sudo docker run …`.
send() {
  local signal="$1" pid refused=()
  shift
  for pid in "$@"; do
    if ! kill -s "$signal" "$pid" 2>/dev/null && [ -d "/proc/$pid" ]; then refused+=("$pid"); fi
  done
  if [ "${#refused[@]}" -gt 0 ] && command -v sudo >/dev/null; then
    sudo -n kill -s "$signal" "${refused[@]}" >/dev/null 2>&1 || true
  fi
}

# end_run GRACE: TERM, up to GRACE seconds of patience, then KILL. Fails where something goes on all the same.
end_run() {
  local pids until=$((SECONDS + $1 + ($1 > 0))) containers=""
  pids="$(run_processes)"
  [ -n "$pids" ] || return 0
  # shellcheck disable=SC2086 # a list of numbers
  send TERM $pids
  while pids="$(run_processes)" && [ -n "$pids" ]; do
    if [ "$SECONDS" -ge "$until" ]; then
      # shellcheck disable=SC2086
      containers="$containers $(containers_of $pids)"
      # shellcheck disable=SC2086
      send KILL $pids
    fi
    if [ "$SECONDS" -ge $((until + 10)) ]; then
      note "lambda-train: cannot end the run's processes $(tr '\n' ' ' <<<"$pids"): they are another user's, and \`sudo -n\` is refused, or the kernel holds them"
      return 1
    fi
    sleep 0.2
  done
  end_containers "$containers"
}

# containers_of PID...: a line for each process that is docker's or podman's client and runs a container: the container's
# name, or ? where the command gives it none.
containers_of() {
  local pid
  for pid in "$@"; do
    case "$(cat "/proc/$pid/comm" 2>/dev/null)" in
      docker | podman) tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | awk '
          name == "next" { name = $0; next }
          $0 == "run" { runs = 1 }
          $0 == "--name" && name == "" { name = "next" }
          /^--name=/ && name == "" { name = substr($0, 8) }
          END { if (runs) print (name == "" ? "?" : name) }' || true ;;
    esac
  done
}

# end_containers NAMES: a container outlives its client where that had to be killed.
end_containers() {
  local name
  for name in $(tr ' ' '\n' <<<"$1" | sort -u); do
    if [ "$name" = "?" ]; then
      note "lambda-train: a docker client was ended; where its container goes on (docker ps), end it with docker kill. With --name in train.command the stack does that itself."
    elif timeout 20 docker kill "$name" >/dev/null 2>&1 || timeout 20 sudo -n docker kill "$name" >/dev/null 2>&1; then
      note "lambda-train: ended the container $name, which outlived its client"
    fi
  done
}

# kind_of PID: what a TERM is to such a process. A wrapper dies of it without passing it on, or passes it on a second
# time; a filter takes the output of the process it serves down with it, as a terminal does; anything else is the work
# itself.
kind_of() {
  case "$(cat "/proc/$1/comm" 2>/dev/null)" in
    sh | bash | dash | zsh | make | gmake | env | timeout | nohup | time | sudo | xargs | script) echo wrapper ;;
    tee | cat | tail | head | grep | sed | awk | mawk | gawk | tr | ts | stdbuf | tmux* | screen | SCREEN) echo filter ;;
    *) echo work ;;
  esac
}

# stop_run GRACE: gives the work one TERM and up to GRACE seconds to write its checkpoint, then ends all. The wrappers are
# held meanwhile, so that a Makefile does not go on to its next command; what the work started itself (loader processes,
# ranks) is left to it, because losing them would break it while it saves.
stop_run() {
  # By the clock: a look at many processes takes longer than the pause between two.
  local pid parent pids containers="" told=" " held=" " working until=$((SECONDS + $1 + ($1 > 0)))
  while :; do
    working=no
    pids=" $(run_now | tr '\n' ' ') "
    for pid in $pids; do
      case "$(kind_of "$pid")" in
        wrapper) if [[ "$held" != *" $pid "* ]]; then send STOP "$pid" && held="$held$pid "; fi ;;
        filter) ;;
        work)
          working=yes
          parent="$(awk '/^PPid:/ { print $2 }' "/proc/$pid/status" 2>/dev/null || true)"
          if [[ "$told" != *" $pid "* ]] && { [ "$(kind_of "${parent:-1}")" != work ] || [[ "$pids" != *" ${parent:-1} "* ]]; }; then
            send TERM "$pid"
            told="$told$pid "
          fi
          ;;
      esac
    done
    if [ "$working" = no ] || [ "$SECONDS" -ge "$until" ]; then break; fi
    sleep 0.2
  done
  pids="$(run_now)"
  # Told too often, docker's client leaves its container alone.
  # shellcheck disable=SC2086 # a list of numbers
  if [ "$working" = yes ]; then containers="$(containers_of $pids)"; fi
  for pid in $pids; do
    send TERM "$pid"
    send CONT "$pid"
  done
  if [ "$working" = no ]; then end_run 2; else end_run 0 && end_containers "$containers"; fi
}
