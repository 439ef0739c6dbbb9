#!/bin/sh
# Checks the epochs of the local chain's ledger with a model of Yuma consensus in
# floating point: random subnets of 64 neurons over 100 epochs, with each switch
# on and off. Needs Go and Python 3.10 or later, and no registry. Takes two
# minutes on two cores. The last line is "N passed, N failed".
set -eu

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

cd "$here/../.."
go version >/dev/null
PYTHONDONTWRITEBYTECODE=1 python3 "$here/cases.py" "$work/cases"
planned=$(PYTHONDONTWRITEBYTECODE=1 python3 "$here/cases.py" "$work/cases" --list | wc -l)

# The epochs of the cases, and the emission that testdata has from the model.
YUMA_CASES="$work/cases/*.json" go test -count=1 -v \
	-run '^(TestYumaCases|TestEmission.*|TestRecordedEmission)$' ./internal/ledger >"$work/log" 2>&1 || true

# A row for each case: how far, in 65535ths, the ledger is from the model at most,
# where each epoch begins with what the model had before, and where the ledger
# hands on its own permits and bonds.
awk '
	/^ *yuma_cases_test.go:.*: off by at most/ {
		split($0, part, ": ")
		split(part[3], off, / at most |, handed on by /)
		apart[part[2]] = off[2]; drifted[part[2]] = off[3]
	}
	/^ *yuma.*_test.go:.* want / { if (++shown <= 20) print }
	/^ *--- (PASS|FAIL): / {
		test = $3
		if (test == "TestYumaCases" || test == "TestEmissionPayout") next # they have parts
		passed = $2 == "PASS:"
		if (passed) good++; else bad++
		sub(/.*\//, "", test)
		if (!(test in apart)) { print (passed ? "passed" : "FAILED"), test; next }
		cases++
		print (passed ? "passed" : "FAILED"), test ": off by " apart[test] ", handed on by " drifted[test]
		kind = test; sub(/-.*/, "", kind)
		if (apart[test] > most[kind] + 0) most[kind] = apart[test]
		if (drifted[test] > far[kind] + 0) far[kind] = drifted[test]
	}
	/^(panic|FAIL.*\[build failed\])/ { print; bad++ }
	END {
		for (kind in most) print kind ": off by at most " most[kind] + 0 " of 65535, handed on by " far[kind] + 0
		if (cases + 0 != planned) { print cases + 0 " cases ran, of " planned; bad++ }
		print good + 0 " passed, " bad + 0 " failed"
		exit bad > 0 || good == 0
	}
' planned="$planned" "$work/log"
