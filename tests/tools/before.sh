#!/usr/bin/env bash
# Builds the version before this one, which has to get along with it: both binaries and the kinds, once,
# into ${XDG_CACHE_HOME:-$HOME/.cache}/seamark/before-<commit>.
#
#   before.sh         builds what is missing
#   before.sh where   prints that folder; changes nothing
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

# The last commit before the chart.
commit=168787d5c20b8b3e95918990529a127a2a02c89d
cache=${XDG_CACHE_HOME:-$HOME/.cache}/seamark
out=$cache/before-${commit:0:12}

if [ "${1:-}" = where ]; then
  echo "$out"
  exit
fi
[ ! -x "$out/seamark-speaker" ] || exit 0
git cat-file -e "$commit" 2>/dev/null || {
  echo "before: commit $commit is not in this clone; fetch the whole history (git fetch --unshallow)" >&2
  exit 1
}
printf 'before: building the version before this one (minutes, once) … ' >&2
seconds=$SECONDS
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
git archive "$commit" | tar -x -C "$work"
host=$(rustc -vV | sed -n 's/^host: //p')
(
  cd "$work"
  export CARGO_TARGET_DIR=$work/target RUSTFLAGS='-C target-feature=+crt-static'
  cargo build --quiet --locked --profile lab --target "$host" -p seamark-controller -p seamark-speaker
)
mkdir -p "$out"
cp -r "$work/crds/manifests" "$out/crds"
cp "$work/target/$host/lab/seamark-controller" "$out/"
# The last, as its being there says that all is.
cp "$work/target/$host/lab/seamark-speaker" "$out/.new" && mv "$out/.new" "$out/seamark-speaker"
printf '%d s\n' "$((SECONDS - seconds))" >&2
