#!/bin/sh
# Takes a network of windows of each of Templar's generations through its life, in
# real processes: it learns, weights are set, one joins late, a cheat earns less than
# the best, it ends within five seconds, and it goes on where it was. It takes some
# three minutes, and needs Go. The last line is "N passed, N failed".
set -eu

cd "$(dirname "$0")/../.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 1' INT TERM

status=0
ADIT_WINDOWS=1 go test -v -count=1 -timeout 15m -run '^TestUpWindows$' ./cmd/adit >"$log" 2>&1 || status=$?
if [ $status -ne 0 ]; then
	cat "$log"
fi
grep -E '^ +--- ' "$log" || true

passed=$(grep -cE '^ +--- PASS' "$log" || true)
failed=$(grep -cE '^ +--- (FAIL|SKIP)' "$log" || true)
if [ $status -ne 0 ] && [ "$failed" -eq 0 ]; then
	failed=1 # something else went wrong, or it did not get that far
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
