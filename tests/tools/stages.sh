#!/usr/bin/env bash
# stages.sh TARGET…: makes each target in turn, stops at the first that fails, and prints how long
# each took.
set -uo pipefail

times=()
status=0
for stage in "$@"; do
  echo "=== $stage" >&2
  start=$SECONDS
  ${MAKE:-make} --no-print-directory "$stage" || status=$?
  times+=("$(printf '%6d s  %s' "$((SECONDS - start))" "$stage")")
  if [ $status -ne 0 ]; then
    times+=("failed in: $stage")
    break
  fi
done
printf '\nstage times:\n'
printf '%s\n' "${times[@]}"
printf '%6d s  in all\n' "$SECONDS"
exit $status
