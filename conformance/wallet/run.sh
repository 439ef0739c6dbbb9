#!/bin/sh
# Checks key files against the wallet library that all tools of these networks
# use, bittensor-wallet from PyPI: in an early version, in the one that today's
# command line depends on, and in the last one. Files written here are opened
# there and back, in the clear and encrypted, and signatures verified across.
#
#   conformance/wallet/run.sh
#
# Wants Go, python3 with venv, and a gigabyte of memory. To open an encrypted
# file takes some seconds, by design.
# The last line is "N passed, N failed".
set -eu
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
log=$work/log
: >"$log"

CGO_ENABLED=0 go build -o "$work/wallet" ./conformance/wallet

# check VERSION [vectors] keeps the output of a script; one that dies has failed.
check() {
	version=$1
	shift
	venv=$work/venv-$version
	if ! python3 -m venv "$venv" || ! "$venv/bin/pip" install -q --disable-pip-version-check "bittensor-wallet==$version"; then
		echo "FAIL bittensor-wallet $version could not be installed" | tee -a "$log"
		return
	fi
	"$venv/bin/python" -u conformance/wallet/check.py "$work/wallet" "$work" internal/wallet/testdata "$@" >"$work/out" 2>&1 ||
		echo "FAIL $version ended early" >>"$work/out"
	tee -a "$log" <"$work/out"
}

check 2.1.3
check 4.0.1
check 4.1.1 vectors

passed=$(grep -c '^ok ' "$log" || true)
failed=$(grep -c '^FAIL ' "$log" || true)
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
