#!/usr/bin/env bash
# Makes the environment of a workload and runs its own setup command.
#
# Variables:
#   LT_WORKSPACE    the workload's folder (relative: below the home folder)
#   LT_WORKLOAD     name of the workload
#   LT_MANAGER      auto, conda, venv or none
#   LT_FILE         environment or requirements file relative to the workspace; empty: found
#   LT_SETUP        the workload's setup command; empty: none
#   LT_ANSWER       answer to every question that the setup command asks; empty: its standard input is closed
#   LT_VARIABLES    lines "export NAME=value" that hold for every later step
# Writes ~/.lambda-train/env.sh, which later steps source.
# Exit codes: 0 done, 2 usage, 3 the environment could not be made, otherwise the setup command's own.
set -euo pipefail
scripts="${LAMBDA_TRAIN_SCRIPTS:-$(cd "$(dirname "$0")" && pwd)}"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$scripts/lib.sh"
need LT_WORKSPACE LT_WORKLOAD

workspace="$(under_home "$LT_WORKSPACE")"
place="$base/envs/$LT_WORKLOAD"
manager="${LT_MANAGER:-auto}"
file="${LT_FILE:-}"
activation=""
cd "$workspace" || die 3 "The workspace $workspace is not there: the code was not uploaded."
export DEBIAN_FRONTEND=noninteractive

# first_of PATTERN...: the first file in the workspace that matches.
first_of() {
  local match
  for match in $(compgen -G "$1" || true); do
    if [ -f "$match" ]; then
      printf '%s\n' "$match"
      return 0
    fi
  done
  shift
  if [ $# -gt 0 ]; then first_of "$@"; fi
}

conda_file() {
  first_of environment.yml environment.yaml 'environment*lambda*.y*ml' 'environment*gpu*.y*ml' 'environment*cuda*.y*ml' 'environment*.y*ml'
}

# find_conda: sets conda to a program that makes environments.
find_conda() {
  local candidate
  for candidate in micromamba mamba conda "$base/bin/micromamba" ~/miniforge3/bin/conda ~/miniconda3/bin/conda ~/anaconda3/bin/conda /opt/conda/bin/conda; do
    if conda="$(command -v "$candidate")"; then return 0; fi
  done
  say "No conda here; fetching micromamba."
  local platform=64
  if [ "$(uname -m)" = aarch64 ]; then platform=aarch64; fi
  mkdir -p "$base/bin"
  if curl -fsSL --connect-timeout 10 --max-time 300 "https://micro.mamba.pm/api/micromamba/linux-$platform/latest" |
    tar -xj -C "$base" bin/micromamba; then
    conda="$base/bin/micromamba"
    return 0
  fi
  return 1
}

make_conda() {
  local prefix="$place/conda" made="$place/conda.made" inputs
  inputs="$(sha256sum <"$file")"
  if [ "$(fact "$made")" != "$inputs" ] || [ ! -d "$prefix" ]; then
    say "Making the conda environment of $file with $conda"
    rm -rf -- "$prefix" "$made"
    mkdir -p "$place"
    case "$(basename "$conda")" in
      micromamba) "$conda" create -y -r "$place/mamba-root" -p "$prefix" -f "$file" ;;
      *) "$conda" env create -y -p "$prefix" -f "$file" || "$conda" env create -p "$prefix" -f "$file" ;;
    esac || die 3 "The conda environment of $file could not be made; the reason stands above."
    put "$made" "$inputs"
  fi
  activation="export CONDA_PREFIX='$prefix' CONDA_DEFAULT_ENV='$prefix' PATH='$prefix/bin':\"\$PATH\"
for script in '$prefix'/etc/conda/activate.d/*.sh; do if [ -r \"\$script\" ]; then . \"\$script\"; fi; done"
}

# A venv over the system's packages: the torch that came with the machine (and fits its driver) stays in use.
make_venv() {
  local prefix="$place/venv"
  if [ ! -x "$prefix/bin/python" ]; then
    say "Making a virtual environment over the system's Python"
    # Without pip of its own it needs no python3-venv package; the system's pip is seen in it.
    python3 -m venv --system-site-packages --without-pip "$prefix" ||
      die 3 "python3 cannot make a virtual environment: sudo apt-get install python3-venv"
  fi
  local installer=("$prefix/bin/python" -m pip install --disable-pip-version-check --no-input)
  if ! "$prefix/bin/python" -m pip --version >/dev/null 2>&1; then
    if command -v uv >/dev/null; then
      installer=(uv pip install --python "$prefix/bin/python")
    elif ! "$prefix/bin/python" -m ensurepip --default-pip >/dev/null 2>&1; then
      die 3 "There is neither pip nor uv to install $file with: sudo apt-get install python3-pip"
    fi
  fi
  say "Installing what $file asks for"
  case "$file" in
    *.toml) "${installer[@]}" -e "$(dirname "$file")" ;;
    *) "${installer[@]}" -r "$file" ;;
  esac || die 3 "The packages of $file could not be installed; the reason stands above."
  activation="export VIRTUAL_ENV='$prefix' PATH='$prefix/bin':\"\$PATH\""
}

auto_manager() {
  local found
  found="${file:-$(conda_file)}"
  case "$found" in
    *.yml | *.yaml)
      if find_conda; then
        file="$found" manager=conda
        return
      fi
      say "WARNING: $found asks for conda, which is not here and could not be fetched. Going on without it; set environment.manager to conda to make this an error."
      ;;
  esac
  found="$file"
  case "$found" in '' | *.yml | *.yaml) found="$(first_of requirements.txt pyproject.toml)" ;; esac
  file=""
  if [ -z "$found" ]; then
    manager=none
  elif python3 "$scripts/requirements.py" "$found"; then
    say "The system's Python already has what $found asks for"
    manager=none
  else
    file="$found" manager=venv
  fi
}

case "$manager" in
  auto) auto_manager ;;
  conda)
    file="${file:-$(conda_file)}"
    [ -n "$file" ] || die 3 "No environment*.yml in $workspace; name it in environment.file."
    find_conda || die 3 "environment.manager is conda, but neither conda nor micromamba is here and micromamba could not be fetched."
    ;;
  venv)
    file="${file:-$(first_of requirements.txt pyproject.toml)}"
    [ -n "$file" ] || die 3 "No requirements.txt or pyproject.toml in $workspace; name it in environment.file."
    ;;
  none) ;;
  *) die 2 "LT_MANAGER must be auto, conda, venv or none, not $manager." ;;
esac
if [ "$manager" != none ] && [ ! -f "$file" ]; then die 3 "There is no $file in $workspace; check environment.file."; fi
case "$manager" in
  conda) make_conda ;;
  venv) make_venv ;;
esac

put "$base/env.sh" "# Made by setup.sh; sourced before every command of the workload.
export PYTHONUNBUFFERED=1
$activation
${LT_VARIABLES:-}
if [ -z \"\${WANDB_MODE:-}\" ] && [ -z \"\${WANDB_API_KEY:-}\" ] && ! grep -qs api.wandb.ai ~/.netrc; then export WANDB_MODE=offline; fi"
say "Environment: $manager${file:+ ($file)}"

if [ -n "${LT_SETUP:-}" ]; then
  load_environment
  say "Running: $LT_SETUP"
  code=0
  if [ -n "${LT_ANSWER:-}" ]; then
    # In a substitution the answers may end in a broken pipe without that counting as a failure.
    bash -o pipefail -c "$LT_SETUP" < <(yes -- "$LT_ANSWER" 2>/dev/null) || code=$?
  else
    bash -o pipefail -c "$LT_SETUP" </dev/null || code=$?
  fi
  # SIGPIPE: all that stood to the right of that command in the pipe did well, as in `yes | ./install.sh`.
  if [ "$code" -eq 141 ]; then code=0; fi
  hint=""
  if [ -z "${LT_ANSWER:-}" ]; then hint=" (had it asked something: environment.answer is empty, so its input was closed)"; fi
  [ "$code" -eq 0 ] || die "$code" "The setup command ended with status $code: $LT_SETUP$hint"
fi
say "The environment is ready"
