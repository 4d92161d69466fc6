# shellcheck shell=bash
# Sourced by the scripts of this folder: strict mode, the project's folder, and how GitHub Actions is told of an error.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# An error of the job, shown on its page: title, then what to do.
annotate() {
  printf '::error title=%s::%s\n' "$1" "${2//$'\n'/%0A}"
  printf '**%s** %s\n\n' "$1." "$2" >>"${GITHUB_STEP_SUMMARY:-/dev/null}"
}

fail() {
  annotate "$@"
  exit 2
}

# Sets `file` to the file of the stack $1. The name reaches file names and the engine, so it is checked first.
find_stack_file() {
  [[ $1 =~ ^[A-Za-z0-9_.-]+$ ]] || fail "Wrong stack name" "'$1': letters, digits, '_', '.' and '-' are allowed."
  file=Pulumi.$1.yaml
  [ -f "$file" ] || fail "No stack $1" "$file does not exist. Copy Pulumi.gpu.yaml.example to it and commit it."
}
