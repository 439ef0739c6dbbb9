#!/bin/sh
# Kills neurons at each point of their journals: before and after each entry, each
# act that cannot be taken back, and each file of a round. Four local networks of
# real processes run side by side, for each way in which models travel and time at
# which weights are set. A neuron dies by SIGKILL at one point in a cycle, a
# validator at two, and is started again. A point is passed if the round is kept all
# the same: what was committed is scored, by all validators alike and once, the
# weights are set, and as many extrinsics are on chain as in a cycle in which nobody
# dies. Blocks do not wait for a machine that is busy: a cycle in which something is
# missing is lived again, two in a network at most; nothing may be doubled in any. It
# takes some four minutes, and needs Go. The last line is "N passed, N failed".
set -eu

cd "$(dirname "$0")/../.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 1' INT TERM

status=0
ADIT_KILL=1 go test -v -count=1 -timeout 15m -run '^TestKill$' ./cmd/adit >"$log" 2>&1 || status=$?
if [ $status -ne 0 ]; then
	cat "$log"
fi
sed -n 's/^ *[a-z_]*\.go:[0-9]*: point | //p' "$log"

passed=$(grep -cE 'go:[0-9]+: point \|.*\| kept \|' "$log" || true)
failed=$(grep -E 'go:[0-9]+: point \|' "$log" | grep -cvE '\| kept \|' || true)
if [ $status -ne 0 ] && [ "$failed" -eq 0 ]; then
	failed=1 # something else went wrong, or it did not get that far
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
