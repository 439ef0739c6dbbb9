#!/bin/sh
# Races our mapping of safetensors files against the safetensors package from
# PyPI with numpy: 2 GiB, in the page cache, from the opening of the file until
# every byte of every tensor went into a checksum, the same on both sides.
#
#   bench/safetensors/run.sh [ROUNDS]
#
# Wants Go, python3 with venv, 2 GiB of disk in TMPDIR and 5 of memory. Each
# round runs every contender once, one after the other, so that a slow moment
# of the machine strikes all. Ours runs with one thread and with two, and says
# so by its name; numpy's sum has one. The last lines are ratios of medians, the
# peer's fastest way over ours.
set -eu
cd "$(dirname "$0")/../.."
rounds=${1:-7}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

CGO_ENABLED=0 go build -o "$work/ours" ./bench/safetensors
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check numpy==2.4.6 safetensors==0.8.0
"$work/ours" make "$work/model"

# once NAME COMMAND… adds one result to the log.
once() {
	name=$1
	shift
	echo "$name $("$@")" | tee -a "$work/log"
}
round() {
	once ours-1-thread "$work/ours" load "$work/model" 1
	for way in load_file safe_open load; do
		once "peer-$way" "$work/venv/bin/python" bench/safetensors/peer.py "$work/model/model.safetensors" "$way"
		once ours-2-threads "$work/ours" load "$work/model" 2
	done
}
round >/dev/null # warms the page cache
: >"$work/log"
for _ in $(seq "$rounds"); do round; done
"$work/venv/bin/python" bench/safetensors/report.py "$work/log"
