#!/usr/bin/env bash
# The gate: checks what training needs before it starts, with one line of evidence for each check.
#
# Variables:
#   LT_WORKSPACE       the workload's folder (relative: below the home folder)
#   LT_DATASET_TARGET  folder in the workspace that holds the dataset; empty: no dataset
#   LT_DATASET_SPLITS  folders under it that must not be empty, one a line
#   LT_MANIFESTS       lines "NAME FOLDER": uploads whose files are checked against their manifest
#   LT_GPU             required or optional
#   LT_ARCHITECTURE    as `uname -m` prints it; empty: any
#   LT_MIN_DISK_GIB    free space that the workspace's disk must have
#   LT_MODULES         Python modules that must import, one a line
#   LT_CHECK           further command that must exit with 0, run in the workspace; empty: none
#   LT_TIMEOUT         seconds for the Python checks and for LT_CHECK, each
# Prints "ok NAME: …" or "FAIL NAME: …" lines.
# Exit codes: 0 all hold, 1 something failed, 2 usage.
set -euo pipefail
scripts="${LAMBDA_TRAIN_SCRIPTS:-$(cd "$(dirname "$0")" && pwd)}"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$scripts/lib.sh"
need LT_WORKSPACE LT_GPU
timeout="${LT_TIMEOUT:-300}"
workspace="$(under_home "$LT_WORKSPACE")"
failed=0

report() { # report ok|FAIL NAME TEXT
  say "$1 $2: $(shown <<<"$3" | iconv -c -f UTF-8 -t UTF-8 || true)"
  if [ "$1" = FAIL ]; then failed=1; fi
}

check_workspace() {
  if cd "$workspace" 2>/dev/null; then
    report ok workspace "$workspace"
  else
    report FAIL workspace "$workspace is not there; the code was not uploaded: run \`pulumi up\` again"
    cd "$HOME"
  fi
}

check_manifests() {
  local name folder line
  while read -r name folder; do
    [ -n "$name" ] || continue
    if line="$(python3 "$scripts/receive.py" check "$name" "$folder" 2>&1)"; then
      report ok "upload $name" "$line"
    else
      report FAIL "upload $name" "$line; run \`pulumi up\` again"
    fi
  done <<<"${LT_MANIFESTS:-}"
}

check_dataset() {
  [ -n "${LT_DATASET_TARGET:-}" ] || return 0
  local split count target="$workspace/$LT_DATASET_TARGET"
  if [ ! -d "$target" ]; then
    report FAIL dataset "$target is not there; check dataset.source"
    return
  fi
  while IFS= read -r split; do
    [ -n "$split" ] || continue
    count=0
    if [ -d "$target/$split" ]; then count="$(find -L "$target/$split" -type f | wc -l)"; fi
    if [ "$count" -gt 0 ]; then
      report ok "dataset $split" "$count files"
    else
      report FAIL "dataset $split" "no file in $target/$split; check dataset.source and dataset.splits"
    fi
  done <<<"${LT_DATASET_SPLITS:-}"
}

check_architecture() {
  local machine
  machine="$(uname -m)"
  if [ -z "${LT_ARCHITECTURE:-}" ] || [ "$LT_ARCHITECTURE" = "$machine" ]; then
    report ok architecture "$machine"
  else
    report FAIL architecture "this instance is $machine, gate.architecture asks for $LT_ARCHITECTURE; choose another instance type"
  fi
}

check_disk() {
  local free
  free="$(df -Pk -- "$PWD" | awk 'NR == 2 { print int($4 / 1048576) }')"
  if [ "$free" -ge "${LT_MIN_DISK_GIB:-0}" ]; then
    report ok disk "$free GiB free"
  else
    report FAIL disk "$free GiB free, gate.minDiskGiB asks for $LT_MIN_DISK_GIB; choose an instance type with a bigger disk or a file system"
  fi
}

check_tmux() {
  if ! command -v tmux >/dev/null; then
    DEBIAN_FRONTEND=noninteractive timeout 300 sudo -n apt-get -o DPkg::Lock::Timeout=120 install -y tmux >/dev/null 2>&1 </dev/null || true
  fi
  if command -v tmux >/dev/null; then
    report ok tmux "$(tmux -V)"
  else
    report FAIL tmux "not installed, and \`sudo apt-get install tmux\` did not work; install it in the setup script"
  fi
}

check_driver() {
  local line
  if line="$(timeout 60 nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>&1)"; then
    report ok driver "$(tr '\n' ';' <<<"$line" | sed 's/;$//')"
  elif [ "$LT_GPU" = required ]; then
    report FAIL driver "nvidia-smi does not work ($(head -n 1 <<<"$line")): no GPU or no driver here; choose a GPU instance type or set gate.gpu to optional"
  else
    report ok driver "no GPU here, and none is required"
  fi
}

# in_python NAME CODE: a line of evidence from the workload's Python; the code exits with 0 where the check holds.
in_python() {
  local line code=0
  line="$(timeout "$timeout" python3 -c "$2" 2>&1 </dev/null)" || code=$?
  line="$(tail -n 1 <<<"$line")"
  case "$code" in
    0) report ok "$1" "$line" ;;
    124) report FAIL "$1" "no answer from python3 within $timeout s" ;;
    *) report FAIL "$1" "$line" ;;
  esac
}

check_cuda() {
  local code
  code="
import sys
required = '$LT_GPU' == 'required'
try:
    import torch
except Exception as error:
    print(f'torch does not import ({type(error).__name__}: {error}); install it in the setup script' if required else f'torch is not used here ({error})')
    sys.exit(1 if required else 0)
if torch.cuda.is_available():
    print(f'torch {torch.__version__}, CUDA {torch.version.cuda}, {torch.cuda.device_count()} x {torch.cuda.get_device_name(0)}')
elif required:
    print(f'torch {torch.__version__} (built for CUDA {torch.version.cuda}) sees no GPU: torch.cuda.is_available() is false; the installed torch does not fit the driver, or there is no GPU')
    sys.exit(1)
else:
    print(f'torch {torch.__version__} on the CPU')
"
  in_python cuda "$code"
}

check_modules() {
  local module
  while IFS= read -r module; do
    [ -n "$module" ] || continue
    LT_MODULE="$module" in_python "module $module" "
import importlib, os, sys
name = os.environ['LT_MODULE']
sys.path.insert(0, '')
try:
    module = importlib.import_module(name)
except Exception as error:
    print(f'{type(error).__name__}: {error}; install it in the setup script')
    sys.exit(1)
print(getattr(module, '__version__', 'imports'))
"
  done <<<"${LT_MODULES:-}"
}

check_command() {
  [ -n "${LT_CHECK:-}" ] || return 0
  local output code=0
  # Without pipefail: `nvidia-smi | grep -q A100` ends with what grep says, although grep does not read to the end.
  output="$(timeout "$timeout" bash -c "$LT_CHECK" 2>&1 </dev/null)" || code=$?
  output="$(tail -n 3 <<<"$output" | cut -c 1-500)"
  case "$code" in
    0) report ok command "$LT_CHECK" ;;
    124) report FAIL command "\`$LT_CHECK\` did not end within $timeout s (gate.timeoutMinutes): $output" ;;
    *) report FAIL command "\`$LT_CHECK\` ended with status $code: $output" ;;
  esac
}

check_workspace
check_architecture
check_disk
check_tmux
check_manifests
check_dataset
load_environment
check_driver
check_cuda
check_modules
check_command
exit "$failed"
