#!/usr/bin/env bash
# Starts Jupyter on the instance, on its loopback address, in a tmux session of its own; or finds it; or stops it.
#
# Usage: notebook.sh start FOLDER
#        notebook.sh stop
#   FOLDER  folder that it shows, relative to the home folder
# start prints "PORT TOKEN PATH". The token is made here and lies in a file for its user alone as long as Jupyter runs.
# Exit codes: 0 done, 2 usage, 3 nothing to stop, 66 there is no Jupyter in the environment, 67 it did not start.
set -euo pipefail
scripts="$(cd "$(dirname "$0")" && pwd)"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$scripts/lib.sh"
folder="$base/notebook"
session=lambda-train-notebook

if [ "${1:-}" = stop ] && [ $# -eq 1 ]; then
  tmux kill-session -t "=$session" 2>/dev/null && was=yes || was=no
  end_marked "LAMBDA_TRAIN_NOTEBOOK=$session" 5
  rm -rf -- "$folder"
  [ "$was" = yes ] || exit 3
  exit 0
fi

# What tmux runs.
if [ "${1:-}" = --run ] && [ $# -eq 2 ]; then
  cd "$(under_home "$2")"
  load_environment
  JUPYTER_TOKEN="$(fact "$folder/token")"
  export JUPYTER_TOKEN LAMBDA_TRAIN_NOTEBOOK="$session"
  read -r -a program <"$folder/program"
  # The environment's kernels, not the terminal's: Ctrl-C in the session asks, closing it ends all.
  exec "${program[@]}" --no-browser --ip=127.0.0.1 --port="$(fact "$folder/port")" --ServerApp.port_retries=0 \
    >"$folder/log" 2>&1
fi

if [ "${1:-}" != start ] || [ $# -ne 2 ]; then die 2 "usage: notebook.sh start FOLDER, or notebook.sh stop"; fi
command -v tmux >/dev/null || die 67 "tmux is not installed on the instance: sudo apt-get install tmux"
mkdir -p "$folder"
chmod 700 "$base" "$folder"
exec 9>"$folder/lock"
flock 9

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
print_place() { printf '%s %s %s\n' "$(fact "$folder/port")" "$(fact "$folder/token")" "$(fact "$folder/path")"; }

if [ -f "$folder/port" ] && tmux has-session -t "=$session" 2>/dev/null && listens "$(fact "$folder/port")"; then
  print_place
  exit 0
fi
tmux kill-session -t "=$session" 2>/dev/null || true
end_marked "LAMBDA_TRAIN_NOTEBOOK=$session" 5

# The environment's own Python comes first: its kernel then sees the environment's packages.
find_program() {
  load_environment
  cd "$(under_home "$1")"
  if python -c 'import jupyterlab' 2>/dev/null; then
    echo lab "python -m jupyterlab"
  elif python -c 'import notebook' 2>/dev/null; then
    echo tree "python -m notebook"
  elif command -v jupyter >/dev/null && jupyter lab --version >/dev/null 2>&1; then
    echo lab "jupyter lab"
  elif command -v jupyter >/dev/null; then
    echo tree "jupyter notebook"
  fi
}
found="$(find_program "$2")"
[ -n "$found" ] || die 66 "There is no Jupyter in the workload's environment."
put "$folder/path" "${found%% *}"
put "$folder/program" "${found#* }"
put "$folder/token" "$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')"
put "$folder/port" "$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')"
tmux new-session -d -s "$session" "$(printf 'exec bash %q --run %q' "$scripts/notebook.sh" "$2")" 9>&- </dev/null
for _ in $(seq 300); do
  if listens "$(fact "$folder/port")"; then
    print_place
    exit 0
  fi
  tmux has-session -t "=$session" 2>/dev/null || break
  sleep 0.2
done
last_lines "$folder/log" 20 | sed "s/$(fact "$folder/token")/…/g" >&2
die 67 "Jupyter did not start. Log on the instance: $folder/log"
