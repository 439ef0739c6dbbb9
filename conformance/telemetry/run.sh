#!/bin/sh
# Checks what is shown of a run against the programs that people look at it with:
# W&B's client (its 'wandb sync' of our offline run, its own reader of the file,
# and what it sends compared with what our stream sends), Prometheus' parser of
# metrics, TensorBoard's reader of events, and Python's csv.
#
#   conformance/telemetry/run.sh
#
# Wants Go and python3 with venv. Nothing is sent anywhere: the service that W&B's
# client talks to is check.py. The last line is "N passed, N failed".
set -eu
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
log=$work/log
: >"$log"

CGO_ENABLED=0 go build -o "$work/telemetry" ./conformance/telemetry

# check NAME COMMAND… keeps the output of a script; one that dies has failed.
check() {
	name=$1
	shift
	"$@" >"$work/out" 2>&1 || echo "FAIL $name ended early" >>"$work/out"
	tee -a "$log" <"$work/out"
}

# install NAME PACKAGE… makes an environment for Python.
install() {
	python3 -m venv "$work/$1" || return 1
	venv=$work/$1
	shift
	"$venv/bin/pip" install -q --no-compile --disable-pip-version-check "$@"
}

mkdir "$work/run"
if install current wandb==0.31.0 prometheus_client==0.26.0 tensorboard==2.21.0; then
	check programs "$work/current/bin/python" -W ignore conformance/telemetry/check.py "$work/telemetry" "$work/run" "$work/current/bin/wandb"
else
	echo "FAIL wandb, prometheus_client and tensorboard could not be installed" | tee -a "$log"
fi
# The last versions but one of W&B's client still had the file's reader in Python.
if install reader wandb==0.21.0; then
	check reader "$work/reader/bin/python" -W ignore conformance/telemetry/reader.py "$work/run"
else
	echo "FAIL wandb's reader could not be installed" | tee -a "$log"
fi

passed=$(grep -c '^ok ' "$log" || true)
failed=$(grep -c '^FAIL ' "$log" || true)
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
