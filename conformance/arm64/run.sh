#!/bin/sh
# Runs the tests of the routines in NEON, and of the operations that stand on
# them, on a processor by Arm that QEMU imitates; and compares the instructions
# that are written as numbers with what GNU's disassembler reads in them.
#
#   conformance/arm64/run.sh
#
# Wants Go; installs Debian's qemu-user and binutils-aarch64-linux-gnu if they
# are missing. On a machine of that kind the tests run as they are.
# The last line is "N passed, N failed".
set -eu
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
log=$work/log
: >"$log"
cpu=internal/engine/device/cpu

say() { echo "$*" | tee -a "$log"; }

# install PACKAGE COMMAND installs what has the command, unless it is there.
install() {
	command -v "$2" >/dev/null && return
	apt-get install -y --no-install-recommends "$1" >/dev/null || true
	command -v "$2" >/dev/null
}

# words checks the numbers in the assembly against the text beside each.
words() {
	install binutils-aarch64-linux-gnu aarch64-linux-gnu-as || return 1
	grep -o 'WORD .*' "$cpu/kernels_arm64.s" | sort -u >"$work/words"
	sed 's|.* // ||' "$work/words" >"$work/words.s"
	sed 's|.*\$0x\([0-9a-f]*\) .*|\1|' "$work/words" >"$work/want"
	aarch64-linux-gnu-as -o "$work/words.o" "$work/words.s" || return 1
	aarch64-linux-gnu-objdump -d "$work/words.o" | sed -n 's/^ *[0-9a-f]*:\t\([0-9a-f]*\) .*/\1/p' >"$work/got"
	[ -s "$work/want" ] && diff "$work/want" "$work/got"
}

if words; then
	say "ok $(wc -l <"$work/want") instructions are what they are said to be"
else
	say "FAIL instructions are not what they are said to be"
fi

# The tests, each of which is to pass: those that are skipped count as nothing.
imitator=qemu-aarch64
[ "$(uname -m)" = aarch64 ] && imitator=
if [ -n "$imitator" ] && ! install qemu-user "$imitator"; then
	say "FAIL QEMU could not be installed"
elif ! GOOS=linux GOARCH=arm64 CGO_ENABLED=0 go test -c -o "$work/cpu" "./$cpu"; then
	say "FAIL the tests could not be built"
else
	(cd "$cpu" && $imitator "$work/cpu" -test.short -test.v -test.timeout 20m) >"$work/out" 2>&1 || say "FAIL the tests ended with status $?"
	grep -E '^=== RUN   TestRoutines/neon/' "$work/out" >/dev/null || say "FAIL no routine in NEON was tested"
	sed -n -e 's/^--- PASS: /ok /p' -e 's/^--- FAIL: /FAIL /p' "$work/out" | tee -a "$log"
	if grep -q '^FAIL ' "$log"; then
		grep -vE '^(=== |--- | *--- (PASS|SKIP))' "$work/out" | tail -n 40
	fi
fi

passed=$(grep -c '^ok ' "$log" || true)
failed=$(grep -c '^FAIL ' "$log" || true)
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
