#!/bin/sh
# Kills the processes of a local network one by one, at moments that a seed
# chooses, and all of them together; fills its disk; takes it apart into the
# guides' terminals. Then kills a chain by itself under load, and fills its disk:
# no extrinsic is lost or doubled. It takes some seven minutes. Needs Go, and for
# full disks the right to mount one. The last line is "N passed, N failed".
#
#   conformance/faults/run.sh               the same moments every time
#   conformance/faults/run.sh $(date +%s)   others; the seed is printed
set -eu

cd "$(dirname "$0")/../.."
log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 1' INT TERM

seed=${1:-1}
echo "seed $seed"
status=0
ADIT_FAULTS=$seed go test -v -count=1 -timeout 30m -run '^TestFaults' ./cmd/adit >"$log" 2>&1 || status=$?
cat "$log"

passed=$(grep -cE '^ +--- PASS|^--- PASS: TestFaultsFullDisk' "$log" || true)
failed=$(grep -cE '^ +--- FAIL|^--- FAIL: TestFaultsFullDisk' "$log" || true)
if [ $status -ne 0 ] && [ "$failed" -eq 0 ]; then
	failed=1 # it did not even get that far
fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
