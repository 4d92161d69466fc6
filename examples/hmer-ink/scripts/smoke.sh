#!/bin/bash
# Train and evaluate a tiny model on a tiny dataset in a temporary folder; leaves nothing behind.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

python="${PYTHON:-python3}"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT

"$python" scripts/make_data.py --out "$folder/data" --train 32 --valid 8 --test 8
"$python" -m hmer_ink.train --config configs/smoke.yaml --set "data.root=$folder/data" --set "output_dir=$folder/outputs"
"$python" -m hmer_ink.evaluate --model "$folder/outputs/smoke/checkpoints/best_model.pt" --show 2
echo "smoke: ok"
