#!/usr/bin/env bash
# Brings the dataset into the workspace, in full or not at all.
#
# Variables:
#   LT_WORKSPACE       the workload's folder (relative: below the home folder)
#   LT_DATASET_TARGET  folder in the workspace that holds the dataset
#   LT_DATASET_KIND    folder (it was uploaded to its place), archive, url or fileSystem
#   LT_DATASET_PATH    archive: the file; fileSystem: the folder (relative: below the home folder)
#   LT_DATASET_URL     url: https address of an archive (http on this machine's own 127.…)
#   LT_DATASET_SHA256  url: checksum of the archive; empty: not checked
#   LT_DATASET_SPLITS  folders under the target that must not be empty, one a line
# Exit codes: 0 done, 2 usage, 3 the source is not there, 4 the archive is refused, 5 checksum, 6 the layout is wrong,
# 7 the disk is full.
set -euo pipefail
scripts="${LAMBDA_TRAIN_SCRIPTS:-$(cd "$(dirname "$0")" && pwd)}"
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$scripts/lib.sh"
need LT_WORKSPACE LT_DATASET_TARGET LT_DATASET_KIND

target="$(under_home "$LT_WORKSPACE")/$LT_DATASET_TARGET"
archives="$base/archives"
mkdir -p "$(dirname "$target")" "$archives"

# claim_target: to be called before what lies at the target is replaced. No upload places anything there from then on, and
# none takes for its own what it finds there: the mark tells the next one to begin with an empty folder.
claim_target() {
  # The upload's name, as remote/scripts.ts makes it.
  local name="$LT_WORKSPACE/$LT_DATASET_TARGET" held
  name="${name//\//-}"
  held="$base/locks/$name.apply"
  mkdir -p "$base/locks" "$base/manifests"
  # Placing that was cut off from its caller still goes on; held until this script ends.
  exec 8>>"$held"
  if ! flock --nonblock 8; then
    say "Waiting for an upload to $target that is being put into place"
    flock 8
  fi
  printf '%s' "$$" >"$held"
  put "$base/manifests/$name.extracted" "$target"
  rm -f -- "$base/manifests/$name"{,.owned,.next}.json
}

# unpack ARCHIVE: into a folder beside the target, which it then replaces in one step.
unpack() {
  local partial
  partial="$(dirname "$target")/.$(basename "$target").partial"
  rm -rf -- "$partial"
  python3 "$scripts/extract-archive.py" "$1" "$partial" "$(basename "$target")" "${LT_DATASET_SPLITS:-}" || {
    local code=$?
    rm -rf -- "$partial"
    # What the address answered once need not be what it answers next time: a refused archive must not be in the way,
    # unless its checksum is the one that is asked for.
    if [ "$LT_DATASET_KIND" = url ] && [ -z "${LT_DATASET_SHA256:-}" ] && { [ "$code" = 4 ] || [ "$code" = 6 ]; }; then
      rm -f -- "$1"
    fi
    exit "$code"
  }
  claim_target
  if [ -L "$target" ]; then rm -f -- "$target"; fi
  local old="$partial.old"
  rm -rf -- "$old"
  if [ -e "$target" ]; then mv -T -- "$target" "$old"; fi
  mv -T -- "$partial" "$target"
  rm -rf -- "$old"
}

# forget_all_but ARCHIVE: those of earlier datasets, whole or in part, only take up the disk.
forget_all_but() { find "$archives" -mindepth 1 -maxdepth 1 -type f ! -path "$1" -delete; }

# curl_url ARGUMENT...: the address goes by standard input: it may carry a token, and arguments are for all to see.
curl_url() {
  local quoted="${LT_DATASET_URL//\\/\\\\}" protocols="=https"
  if [[ "$LT_DATASET_URL" == http://127.* ]]; then protocols="=http,https"; fi
  printf 'url = "%s"\n' "${quoted//\"/\\\"}" |
    curl --config - --fail --location --proto "$protocols" --proto-redir '=https' --silent --show-error \
      --connect-timeout 30 --speed-limit 1 --speed-time 120 "$@"
}

# fetch: the archive at LT_DATASET_URL to $archive; goes on where an earlier try ended if the file is still the same.
fetch() {
  local part="$archive.part" tag tries=0 code
  tag="$(curl_url --head 2>/dev/null | tr -d '\r' | grep -iE '^(etag|last-modified|content-length):' || true)"
  if [ -f "$part" ] && { [ -z "$tag" ] || [ "$tag" != "$(fact "$part.tag")" ]; } && [ -z "${LT_DATASET_SHA256:-}" ]; then
    rm -f -- "$part"
  fi
  put "$part.tag" "$tag"
  while :; do
    code=0
    curl_url --continue-at - --output "$part" || code=$?
    case "$code" in
      0) break ;;
      # 22 with everything there: the server has no bytes after the last one. 33: it cannot go on in the middle.
      22 | 33)
        if [ "$code" = 22 ] && grep -qix "content-length: $(stat -c %s "$part" 2>/dev/null || echo none)" <<<"$tag"; then break; fi
        if [ "$code" = 33 ]; then rm -f -- "$part"; fi
        ;;
    esac
    tries=$((tries + 1))
    [ "$tries" -lt 5 ] || die 3 "The dataset could not be fetched (curl status $code, reason above). Check dataset.source and that the instance may reach it."
    say "Trying again, $(stat -c %s "$part" 2>/dev/null || echo 0) bytes are here"
    sleep $((tries * 2))
  done
  check_sum "$part"
  mv -f -- "$part" "$archive"
  rm -f -- "$part.tag"
}

check_sum() {
  [ -n "${LT_DATASET_SHA256:-}" ] || return 0
  local sum
  sum="$(sha256sum <"$1")"
  if [ "${sum%% *}" != "$LT_DATASET_SHA256" ]; then
    rm -f -- "$1" "$1.tag"
    die 5 "The dataset's checksum is ${sum%% *}, expected $LT_DATASET_SHA256. Either the file at the address changed or dataset.sha256 is wrong."
  fi
}

case "$LT_DATASET_KIND" in
  folder) [ -d "$target" ] || die 3 "The dataset is not at $target: its upload did not finish. Run \`pulumi up\` again." ;;
  archive)
    need LT_DATASET_PATH
    archive="$(under_home "$LT_DATASET_PATH")"
    [ -f "$archive" ] || die 3 "The archive $archive is not there: its upload did not finish. Run \`pulumi up\` again."
    unpack "$archive"
    forget_all_but "$archive"
    ;;
  url)
    need LT_DATASET_URL
    archive="$archives/$(printf '%s' "$LT_DATASET_URL ${LT_DATASET_SHA256:-}" | sha256sum | cut -c 1-32)"
    if [ ! -f "$archive" ]; then fetch; fi
    unpack "$archive"
    forget_all_but ""
    ;;
  fileSystem)
    need LT_DATASET_PATH
    source="$(under_home "$LT_DATASET_PATH")"
    [ -d "$source" ] || die 3 "There is no folder $source. Is the file system attached, and the dataset in it?"
    claim_target
    if [ ! -L "$target" ] && [ -e "$target" ]; then rm -rf -- "$target"; fi
    ln -sfn -- "$source" "$target.link.$$"
    mv -fT -- "$target.link.$$" "$target"
    ;;
  *) die 2 "LT_DATASET_KIND must be folder, archive, url or fileSystem, not $LT_DATASET_KIND." ;;
esac

while IFS= read -r split; do
  [ -n "$split" ] || continue
  [ -d "$target/$split" ] || die 6 "The dataset has no folder $split. It holds: $(find "$target/" -mindepth 1 -maxdepth 1 -printf '%f ' | cut -c 1-300)"
  [ -n "$(find -L "$target/$split" -type f -print -quit)" ] || die 6 "The dataset's folder $split holds no file."
done <<<"${LT_DATASET_SPLITS:-}"
say "The dataset is at $target"
