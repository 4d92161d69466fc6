#!/bin/bash
# Get an instance ready for training: check Python, PyTorch and the GPU, make the folders. Safe to run again.
#
# Environment:
#   PYTHON               the Python to use (default: python3, which on Lambda has PyTorch)
#   HMER_SETUP_ASK=1     ask the question below also where standard input is no terminal (answer: a line, y or n)
# Exit status: 0 ready, 1 something is missing (the message says what to install).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python="${PYTHON:-python3}"

fail() {
  echo "setup: $1" >&2
  exit 1
}

# ask QUESTION: succeeds on yes. The answer is no after a minute, at the end of input, and where nobody can be asked.
ask() {
  local answer=""
  if [[ -t 0 || "${HMER_SETUP_ASK:-0}" == 1 ]]; then
    read -r -t 60 -p "$1 [y/N] " answer || true
    echo
  fi
  [[ "$answer" =~ ^[Yy]([Ee][Ss])?$ ]]
}

has_dataset() {
  local split
  for split in train valid test; do
    compgen -G "data/$split/*.inkml" >/dev/null || return 1
  done
}

echo "Setting up HMER-Ink in $PWD"
command -v "$python" >/dev/null || fail "no $python on the PATH: install Python 3.9 or newer, or set PYTHON"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))' || fail "$("$python" --version) is too old: 3.9 or newer is needed"
for module in torch numpy yaml; do
  "$python" -c "import importlib.util, sys; sys.exit(importlib.util.find_spec('$module') is None)" ||
    fail "$python has no module $module: sudo apt-get install python3-torch python3-numpy python3-yaml, or set PYTHON to an environment that has it"
done

mkdir -p outputs

if has_dataset; then
  echo "dataset: $(find data -name '*.inkml' | wc -l) InkML files in data/"
elif [[ -e data ]]; then
  echo "dataset: data/ is there, but not (yet) with .inkml files in train, valid and test"
elif ask "There is no dataset in data/. Make the synthetic one now?"; then
  "$python" scripts/make_data.py --out data
else
  echo "dataset: none yet; upload one to data/ or run: make data"
fi

"$python" - <<'PYTHON'
import sys

import numpy
import torch
import yaml

import hmer_ink.train

print(f"python {sys.version.split()[0]}, torch {torch.__version__}, numpy {numpy.__version__}, yaml {yaml.__version__}")
print(f"CUDA available: {torch.cuda.is_available()}")
for index in range(torch.cuda.device_count()):
    print(f"GPU {index}: {torch.cuda.get_device_name(index)}")
PYTHON
if command -v nvidia-smi >/dev/null; then
  nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader || echo "nvidia-smi is there but failed: the driver may not be loaded"
else
  echo "nvidia-smi: not found (a machine without an NVIDIA GPU)"
fi

echo "Setup complete. Next: make train CONFIG=configs/lambda.yaml EXPERIMENT=lambda-run-v1"
